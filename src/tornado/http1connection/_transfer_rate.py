"""Minimum transfer rates: whether a peer sends its request body and receives the response fast enough.

A rate is checked over successive windows: in each of them, a minimum number of bytes must be transferred. A
fast start therefore does not compensate for a long pause later, and it is sufficient to count bytes. A window
is extended by the time during which the program itself had paused reading.

For a response, the bytes that the peer has acknowledged count, not those that the kernel has accepted. The
kernel's send buffer holds megabytes, so a slow but working client would seem to make no progress for minutes.
Where the kernel does not report the number of acknowledged bytes (outside Linux), the bytes that it has
accepted count.
"""

from __future__ import annotations

import array
import importlib.util
import sys
from typing import Any

from tornado._loop.deadlines import NEVER


class TransferRate:
    """The deadlines of one connection while a body is being received, output is pending, or both."""

    __slots__ = (
        "_body_window_start",
        "_output_window_start",
        "_paused_since",
        "_paused_time",
        "body_window_end",
        "output_window_end",
        "received",
    )

    def __init__(self) -> None:
        #: Bytes received while reading bodies.
        self.received = 0
        #: The ends of the current windows of both rates.
        self.body_window_end = self.output_window_end = NEVER
        self._body_window_start = self._output_window_start = 0
        self._paused_time = 0.0
        self._paused_since: float | None = None

    def deadline(self) -> float:
        """Return the earliest deadline; `NEVER` if nothing is being transferred."""
        return min(self.body_window_end, self.output_window_end)

    # -- request body --

    def begin_body(self, now: float, window: float) -> None:
        """Start measuring a body.

        :param window: the length of a rate window in seconds.
        """
        self.body_window_end = now + window
        self._body_window_start = self.received
        self._paused_time, self._paused_since = 0.0, None

    def end_body(self) -> None:
        """Stop measuring the body, because it is complete or will be discarded."""
        self.body_window_end = NEVER

    def pause(self, now: float) -> None:
        """Stop the clock, because the program has paused reading."""
        self._paused_since = now

    def resume(self, now: float) -> None:
        """Restart the clock, because the program reads again."""
        if self._paused_since is not None:
            self._paused_time += now - self._paused_since
            self._paused_since = None

    def body_is_too_slow(self, now: float, min_bytes: float, window: float) -> bool:
        """Whether fewer than `min_bytes` bytes arrived in a window that has ended.

        If the window has ended and enough bytes arrived, the next window starts.
        """
        if now < self.body_window_end:
            return False
        if self._paused_since is not None:
            self._paused_time += now - self._paused_since
            self._paused_since = now
        if self._paused_time:
            self.body_window_end = now + self._paused_time
            self._paused_time = 0.0
            return False
        if self.received - self._body_window_start < min_bytes:
            return True
        self._body_window_start = self.received
        self.body_window_end = now + window
        return False

    # -- output --

    def begin_output(self, now: float, window: float, acknowledged: int) -> None:
        """Start measuring pending output.

        :param window: the length of a rate window in seconds.
        :param acknowledged: the value of `acknowledged_bytes` now.
        """
        self.output_window_end = now + window
        self._output_window_start = acknowledged

    def end_output(self) -> None:
        """Stop measuring, because all output has been sent."""
        self.output_window_end = NEVER

    def output_is_too_slow(self, now: float, min_bytes: float, window: float, acknowledged: int) -> bool:
        """Whether the peer received fewer than `min_bytes` bytes in a window that has ended.

        If the window has ended and enough bytes were received, the next window starts.
        """
        if now < self.output_window_end:
            return False
        if acknowledged - self._output_window_start < min_bytes:
            return True
        self._output_window_start = acknowledged
        self.output_window_end = now + window
        return False


def acknowledged_bytes(stream: Any) -> int:
    """Return how many bytes of the stream's output the peer has acknowledged, counted from a fixed start."""
    done: int = stream.output_position
    return done - _unacknowledged(stream.socket)


if sys.platform == "win32" or importlib.util.find_spec("termios") is None:  # such as Pyodide

    def _unacknowledged(sock: Any) -> int:
        """Return 0, because the kernel does not report the number of bytes in its send buffer."""
        return 0

else:
    import fcntl
    import termios

    def _unacknowledged(sock: Any) -> int:
        """Return the number of bytes in the kernel's send buffer; 0 where the kernel does not report it."""
        count = array.array("i", [0])
        try:
            fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, count)
        except (OSError, ValueError):
            return 0
        return count[0]
