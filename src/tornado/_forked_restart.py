"""The processes of one program: the parent and the children of `fork_processes`, which restart together.

The parent restarts, so that the process ID of the program stays the same, and forks new children. Any child
can request a restart with `ForkedRestart.request_restart`. All processes see the request: each child
finishes its work and exits; when all children have exited, the parent replaces itself
(`_process_replacement`).
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tornado import _process_replacement
from tornado.log import gen_log

#: Time in seconds that children have to exit after the requested time has passed, before they receive
#: SIGTERM; also the time between SIGTERM and SIGKILL.
GRACE_PERIOD = 5.0
_POLL_INTERVAL = 0.01
_MAX_REQUEST_SIZE = 65_536

_current: ForkedRestart | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RestartRequest:
    """A request to restart all processes of the program.

    :ivar grace_period: the maximum time, in seconds, for each process to finish its work.
    :ivar state: values for `_process_replacement.execute`.
    """

    grace_period: float = 0.0
    state: dict[str, Any] = dataclasses.field(default_factory=dict)


class ForkedRestart:
    """The processes of one program. This object is created before the fork, so each process has a copy.

    :param children: a mapping whose keys are the IDs of the child processes that are still running. The
        parent updates it.
    """

    def __init__(self, children: Mapping[int, object]) -> None:
        self._children = children
        # The request remains unread in the socket, so that each process can see it.
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)

    def request_restart(self, request: RestartRequest) -> None:
        """Request a restart of all processes of the program, unless one has been requested already."""
        if self.pending_request() is None:
            try:
                self._sender.send(json.dumps(dataclasses.asdict(request)).encode() + b"\n")
            except OSError:
                pass  # there is already a request, or the parent has exited, so that a restart is impossible

    def pending_request(self) -> RestartRequest | None:
        """Return the request for a restart, or None."""
        try:
            line = self._receiver.recv(_MAX_REQUEST_SIZE, socket.MSG_PEEK).partition(b"\n")[0]
        except OSError:
            return None
        try:
            return RestartRequest(**json.loads(line))
        except ValueError:  # the request was truncated
            return RestartRequest()

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when a restart is requested."""
        return self._receiver.fileno()

    def wait(self, seconds: float) -> bool:
        """Wait at most the given time, in seconds, for a request. Return whether a request exists."""
        return bool(select.select([self._receiver], [], [], seconds)[0])

    def close(self) -> None:
        """Close the sockets. Call this when all children have exited."""
        self._receiver.close()
        self._sender.close()

    def replace(self) -> None:
        """Wait in the parent until all children have exited, then restart the program.

        This method returns only if the restart fails.
        """
        request = self.pending_request() or RestartRequest()
        terminate(self._children, "delays the restart", request.grace_period + GRACE_PERIOD)
        _process_replacement.run_hooks()
        _process_replacement.execute(request.state)


def current() -> ForkedRestart | None:
    """Return the processes that this one belongs to: the parent of `fork_processes`, or one of its children.

    :returns: None in a program that has not forked.
    """
    return _current


def start(children: Mapping[int, object]) -> ForkedRestart:
    """Create the `current` processes, before the first fork; see `ForkedRestart` for the argument."""
    global _current
    _current = ForkedRestart(children)
    return _current


def end() -> None:
    """Close the `current` processes in the parent, when all children have exited."""
    global _current
    if _current is not None:
        _current.close()
        _current = None


def terminate(children: Iterable[int], reason: str, grace_period: float = 0.0) -> None:
    """Terminate child processes with SIGTERM, and with SIGKILL if they do not exit in time.

    :param children: the process IDs.
    :param reason: the reason that is logged; it follows the words "child (pid N)".
    :param grace_period: time in seconds that the children have to exit before SIGTERM. Ctrl-C ends it early;
        the KeyboardInterrupt is raised when the children have exited.
    """
    remaining = set(children)
    try:
        _wait_for(remaining, grace_period)
    finally:
        for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            for pid in remaining:
                gen_log.warning("child (pid %d) %s: signal %d", pid, reason, number)
                _kill(pid, number)
            _wait_for(remaining, GRACE_PERIOD)


def _wait_for(children: set[int], seconds: float) -> None:
    """Wait for the exit of `children`, and remove from the set those that have exited."""
    if sys.platform == "win32":
        return  # it cannot fork
    deadline = time.monotonic() + seconds
    while children:
        for pid in list(children):
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended = pid
            if ended:
                children.discard(pid)
        if not children or time.monotonic() > deadline:
            return
        time.sleep(_POLL_INTERVAL)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
