"""System calls that fail, inside one process: some of its recv, send and accept raise or are cut short.

The methods of `socket.socket` and `ssl.SSLSocket` are replaced, and `os.sendfile`; nothing else of the
process is touched. Unix sockets are left alone: asyncio's own, and the one by which a process is asked how
it is. Errors that come from below (from fiu-run, or a real network) are counted as well.
"""

from __future__ import annotations

import errno
import os
import random
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

#: What the calls may fail with. EAGAIN and short counts are no faults: a program has to cope with them.
ERRORS = {
    "recv": (errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EIO, errno.ENOMEM, errno.EAGAIN),
    "send": (errno.EPIPE, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EIO, errno.ENOBUFS, errno.EAGAIN),
    "accept": (errno.ECONNABORTED, errno.EPROTO, errno.EHOSTUNREACH, errno.ENETDOWN),
}
#: Replaces the list of "accept": out of something, which makes a server pause for a second.
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
METHODS = {
    "recv": ("recv", "recv_into"),
    "send": ("send", "sendmsg"),
    "accept": ("accept",),
}


class Faults:
    """Makes calls fail with a probability, while `enabled`.

    :param probability: of each call to fail, from 0 to 1.
    :param calls: of ``recv``, ``send``, ``accept``.
    :param seed: the same one gives the same faults in the same order of calls.
    :param exhausted: accept fails for want of descriptors or memory, instead of for a peer that has left.
    """

    def __init__(self, probability: float, calls: Sequence[str], seed: int, exhausted: bool = False) -> None:
        self.probability = probability
        self.calls = calls
        self.enabled = False
        #: Faults by call, injected here or come from below.
        self.counts: Counter[str] = Counter()
        #: Calls that would have blocked or were cut short, which must harm nobody.
        self.harmless: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._errors = {**ERRORS, "accept": EXHAUSTED if exhausted else ERRORS["accept"]}

    def install(self) -> None:
        """Replace the methods, for the rest of the process's life."""
        for call, names in METHODS.items():
            for name in names:
                for owner in (socket.socket, ssl.SSLSocket):
                    if name in vars(owner) or owner is socket.socket:
                        setattr(owner, name, self._failing(call, getattr(owner, name)))
        os.sendfile = self._failing_sendfile(os.sendfile)

    def _failing(self, call: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def method(sock: socket.socket, *arguments: Any) -> Any:
            if sock.family == socket.AF_UNIX:
                return function(sock, *arguments)
            secure = isinstance(sock, ssl.SSLSocket)
            self._maybe_fail(call, harmless=not secure)
            if call == "send" and not secure and self._chosen(call):
                arguments = (self._part_of(arguments[0]), *arguments[1:])
            return self._counted(call, function, sock, *arguments)

        return method

    def _failing_sendfile(self, function: Callable[..., int]) -> Callable[..., int]:
        def sendfile(out: int, source: int, offset: int, count: int) -> Any:
            self._maybe_fail("send")
            if self._chosen("send"):
                self.harmless["short send"] += 1
                count = max(1, count // 2)
            return self._counted("send", function, out, source, offset, count)

        return sendfile

    def _chosen(self, call: str) -> bool:
        return self.enabled and call in self.calls and self._random.random() < self.probability

    def _maybe_fail(self, call: str, harmless: bool = True) -> None:
        if not self._chosen(call):
            return
        number = self._random.choice(self._errors[call])
        if number == errno.EAGAIN and not harmless:  # TLS has bytes of its own, and would wait for ever
            return
        if number == errno.EAGAIN:
            self.harmless[f"{call} EAGAIN"] += 1
        else:
            self.counts[call] += 1
        raise OSError(number, f"{os.strerror(number)} (injected)")

    def _part_of(self, data: Any) -> Any:
        """A part of what was to be sent, so that the call takes less than it was given."""
        self.harmless["short send"] += 1
        if isinstance(data, list):
            return [bytes(data[0])[: max(1, len(data[0]) // 2)]]
        return memoryview(data)[: max(1, len(data) // 2)]

    def _counted(self, call: str, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self.counts[call] += 1
            raise
