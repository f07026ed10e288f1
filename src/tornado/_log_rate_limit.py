"""A rate limit for log lines that peers can cause, so that an attack cannot fill the disk.

When lines have been suppressed, the next line of the same kind states how many there were.
"""

from __future__ import annotations

import logging
import time

#: Length of the interval to which the limit applies, in seconds.
INTERVAL = 1.0


class LogRateLimit:
    """A logger with a rate limit for each kind of line.

    Kinds are stored for the lifetime of the object, so they must be constants in the program, never data from
    a peer.

    :param logger: the logger to write to.
    :param burst: the maximum number of lines per second for each kind.
    """

    __slots__ = ("_burst", "_logger", "_next", "_suppressed", "_written")

    def __init__(self, logger: logging.Logger, burst: int = 1) -> None:
        self._logger = logger
        self._burst = burst
        self._next: dict[str, float] = {}
        self._written: dict[str, int] = {}
        self._suppressed: dict[str, int] = {}

    def log(self, kind: str, level: int, message: str, *args: object) -> None:
        """Log ``message % args`` unless the limit for this kind has been reached."""
        if not self._logger.isEnabledFor(level):
            return
        suppressed = self.admit(kind)
        if suppressed is None:
            return
        if suppressed:
            message += " (and %d more since the last such line)"
            args = (*args, suppressed)
        self._logger.log(level, message, *args)

    def admit(self, kind: str) -> int | None:
        """Count a line of this kind, which the caller then writes itself if it is admitted.

        :returns: the number of lines suppressed since the previous admitted line; None if this line must be
            suppressed too.
        """
        now = time.monotonic()
        if now >= self._next.get(kind, now):
            self._next[kind] = now + INTERVAL
            self._written[kind] = 0
        if self._written[kind] >= self._burst:
            self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
            return None
        self._written[kind] += 1
        return self._suppressed.pop(kind, 0)
