"""Whether a peer sends its body, and takes its response, fast enough.

A rate is judged over windows, one after the other: in each of them so many bytes must have moved. Thus what
was sent quickly at first does not pay for a long silence later, and nothing has to be done while bytes move
but to count them. A window during which the program itself had the peer wait is longer by that time.

What counts for a response is what the peer has taken, not what the kernel has: its buffers hold megabytes,
so that a slow but honest client would seem to do nothing for minutes. Where the system does not tell (outside
Linux), what the kernel takes has to do.
"""

from __future__ import annotations

import array
from typing import Any

from tornado.http1connection._deadline_scheduler import NEVER

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = termios = None  # type: ignore[assignment]


class TransferRate:
    """The deadlines of one connection while a body is coming in, output is waiting, or both."""

    __slots__ = (
        "_body_seen",
        "_output_seen",
        "_rested",
        "_resting_since",
        "arrived",
        "body_end",
        "body_window_end",
        "output_window_end",
    )

    def __init__(self) -> None:
        #: Bytes received while a body was awaited.
        self.arrived = 0
        #: When all of the body must have come, and when the windows of the two rates end.
        self.body_end = self.body_window_end = self.output_window_end = NEVER
        self._body_seen = self._output_seen = 0
        self._rested = 0.0
        self._resting_since: float | None = None

    def deadline(self) -> float:
        """When to look again; `NEVER` when there is nothing to watch."""
        return min(self.body_end, self.body_window_end, self.output_window_end)

    # -- a request's body --

    def begin_body(self, now: float, window: float, end: float) -> None:
        """A body is awaited, all of it before `end`."""
        self.body_end, self.body_window_end = end, now + window
        self._body_seen = self.arrived
        self._rested, self._resting_since = 0.0, None

    def end_body(self) -> None:
        """The body has come, or nobody waits for it any more."""
        self.body_end = self.body_window_end = NEVER

    def rest(self, now: float) -> None:
        """From now on the peer has to wait for the program."""
        self._resting_since = now

    def go_on(self, now: float) -> None:
        """The program takes more."""
        if self._resting_since is not None:
            self._rested += now - self._resting_since
            self._resting_since = None

    def body_is_late(self, now: float, least: float, window: float) -> bool:
        """Whether fewer than `least` bytes came in the window that has ended; else the next one begins."""
        if now < self.body_window_end:
            return False
        if self._resting_since is not None:
            self._rested += now - self._resting_since
            self._resting_since = now
        if self._rested:
            self.body_window_end = now + self._rested
            self._rested = 0.0
            return False
        if self.arrived - self._body_seen < least:
            return True
        self._body_seen = self.arrived
        self.body_window_end = now + window
        return False

    # -- a response --

    def begin_output(self, now: float, window: float, taken: int) -> None:
        """Output has to wait for the peer, who has taken `taken` bytes so far (see `taken_by_peer`)."""
        self.output_window_end = now + window
        self._output_seen = taken

    def end_output(self) -> None:
        """Nothing waits any more."""
        self.output_window_end = NEVER

    def output_is_late(self, now: float, least: float, window: float, taken: int) -> bool:
        """Whether the peer took fewer than `least` bytes in the window that has ended."""
        if now < self.output_window_end:
            return False
        if taken - self._output_seen < least:
            return True
        self._output_seen = taken
        self.output_window_end = now + window
        return False


def taken_by_peer(stream: Any) -> int:
    """How far the peer has read the stream's output, in bytes from some point on."""
    done: int = stream._total_write_done_index
    return done - _unread(stream.socket)


def _unread(sock: Any) -> int:
    """Bytes that are in the kernel's hands and have not reached the peer; 0 where it does not tell."""
    if fcntl is None:
        return 0  # type: ignore[unreachable]
    answer = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, answer)
    except (OSError, ValueError):
        return 0
    return answer[0]
