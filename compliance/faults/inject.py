"""Fault injection within a process: some calls of recv, send and accept raise an error or transfer less data.

The methods of `socket.socket` and `ssl.SSLSocket`, and `os.sendfile`, are replaced. Unix sockets are not
affected: they include asyncio's own and the control socket of the process. Errors from outside (from fiu-run
or a real network) are counted, too.
"""

from __future__ import annotations

import errno
import os
import random
import socket
import ssl
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

#: The injected errors. EAGAIN and short counts are not faults: a program must handle them.
ERRORS = {
    "recv": (errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EIO, errno.ENOMEM, errno.EAGAIN),
    "send": (errno.EPIPE, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EIO, errno.ENOBUFS, errno.EAGAIN),
    "accept": (errno.ECONNABORTED, errno.EPROTO, errno.EHOSTUNREACH, errno.ENETDOWN),
}
#: Errors of accept when a resource is exhausted. They make a server stop accepting for one second.
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
METHODS = {
    "recv": ("recv", "recv_into"),
    "send": ("send", "sendmsg"),
    "accept": ("accept",),
}


class Faults:
    """A set of socket calls that fail at random while `enabled` is true.

    :param probability: probability of a fault per call, from 0 to 1.
    :param calls: any of ``recv``, ``send``, ``accept``.
    :param seed: the same seed gives the same faults for the same sequence of calls.
    :param exhausted: accept fails because of a lack of descriptors or memory, instead of a reset connection.
    """

    def __init__(self, probability: float, calls: Sequence[str], seed: int, exhausted: bool = False) -> None:
        self.probability = probability
        self.calls = calls
        self.enabled = False
        #: Faults by call, injected here or from outside.
        self.counts: Counter[str] = Counter()
        #: Calls that would have blocked or were shortened, which must not have any effect on requests.
        self.harmless: Counter[str] = Counter()
        #: The error of each TLS connection that has failed.
        self._broken: weakref.WeakKeyDictionary[ssl.SSLSocket, int] = weakref.WeakKeyDictionary()
        self._random = random.Random(seed)
        self._errors = {**ERRORS, "accept": EXHAUSTED if exhausted else ERRORS["accept"]}

    def install(self) -> None:
        """Replace the methods for the remaining lifetime of the process."""
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
            if secure and call != "accept":
                self._fail_again(sock)
            try:
                self._maybe_fail(call, harmless=not secure)
            except OSError as error:
                if secure and call != "accept":
                    self._broken[sock] = error.errno or 0
                raise
            if call == "send" and not secure and self._chosen(call):
                arguments = (self._part_of(arguments[0]), *arguments[1:])
            return self._counted(call, function, sock, *arguments)

        return method

    def _fail_again(self, sock: ssl.SSLSocket) -> None:
        """Keep a TLS connection broken once a call on it has failed: an error of the network does not pass.

        Our streams repeat such a call, because OpenSSL may report the error of another connection.
        """
        if number := self._broken.get(sock):
            raise OSError(number, f"{os.strerror(number)} (injected before)")

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
        if number == errno.EAGAIN and not harmless:  # the program would wait forever for data buffered by TLS
            return
        if number == errno.EAGAIN:
            self.harmless[f"{call} EAGAIN"] += 1
        else:
            self.counts[call] += 1
        raise OSError(number, f"{os.strerror(number)} (injected)")

    def _part_of(self, data: Any) -> Any:
        """Return the start of the data, so that the call sends only a part of it."""
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
