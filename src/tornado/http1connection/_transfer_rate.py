"""Minimum transfer rates: whether a peer sends its request body and receives the response fast enough.

A rate is checked over successive windows: in each of them, a minimum number of bytes must be transferred. A
fast start therefore does not compensate for a long pause later, and a transfer only costs the counting of its
bytes. A window is extended by the time during which the program itself had paused reading.

For a response, the bytes that the peer has acknowledged count, not those that the kernel has accepted. The
kernel's send buffer holds megabytes, so that a slow but working client would seem to make no progress for
minutes. Where the kernel does not report this number (outside Linux), the bytes that it has accepted are
used.
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
    """The deadlines of one connection while a body is being received, output is pending, or both."""

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
        #: Bytes received while reading bodies.
        self.arrived = 0
        #: The deadline of the whole body, and the ends of the current windows of both rates.
        self.body_end = self.body_window_end = self.output_window_end = NEVER
        self._body_seen = self._output_seen = 0
        self._rested = 0.0
        self._resting_since: float | None = None

    def deadline(self) -> float:
        """Return the earliest deadline; `NEVER` if nothing is being transferred."""
        return min(self.body_end, self.body_window_end, self.output_window_end)

    # -- request body --

    def begin_body(self, now: float, window: float, end: float) -> None:
        """Start measuring a body.

        :param window: the length of a rate window in seconds.
        :param end: the deadline of the whole body.
        """
        self.body_end, self.body_window_end = end, now + window
        self._body_seen = self.arrived
        self._rested, self._resting_since = 0.0, None

    def end_body(self) -> None:
        """Stop measuring the body, because it is complete or will be discarded."""
        self.body_end = self.body_window_end = NEVER

    def rest(self, now: float) -> None:
        """Stop the clock, because the program has paused reading."""
        self._resting_since = now

    def go_on(self, now: float) -> None:
        """Restart the clock, because the program reads again."""
        if self._resting_since is not None:
            self._rested += now - self._resting_since
            self._resting_since = None

    def body_is_late(self, now: float, least: float, window: float) -> bool:
        """Whether fewer than `least` bytes arrived in a window that has ended.

        If the window has ended and enough bytes arrived, the next window starts.
        """
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

    # -- output --

    def begin_output(self, now: float, window: float, taken: int) -> None:
        """Start measuring pending output.

        :param window: the length of a rate window in seconds.
        :param taken: the value of `taken_by_peer` now.
        """
        self.output_window_end = now + window
        self._output_seen = taken

    def end_output(self) -> None:
        """Stop measuring, because all output has been sent."""
        self.output_window_end = NEVER

    def output_is_late(self, now: float, least: float, window: float, taken: int) -> bool:
        """Whether the peer received fewer than `least` bytes in a window that has ended.

        If the window has ended and enough bytes were received, the next window starts.
        """
        if now < self.output_window_end:
            return False
        if taken - self._output_seen < least:
            return True
        self._output_seen = taken
        self.output_window_end = now + window
        return False


def taken_by_peer(stream: Any) -> int:
    """Return how many bytes of the stream's output the peer has acknowledged, counted from a fixed start."""
    done: int = stream._total_write_done_index
    return done - _unread(stream.socket)


def _unread(sock: Any) -> int:
    """Return the number of bytes in the kernel's send buffer; 0 where the kernel does not report it."""
    if fcntl is None:
        return 0  # type: ignore[unreachable]
    answer = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, answer)
    except (OSError, ValueError):
        return 0
    return answer[0]
