"""Log lines about what peers do, a few a second of each kind at most: an attack must not fill the disk too.

A line that was held back is not lost altogether: the next one of its kind tells how many there were.
"""

from __future__ import annotations

import logging
import time

#: Seconds between two lines of one kind.
INTERVAL = 1.0


class LogRateLimit:
    """Writes to `logger`, so many lines a second of each kind.

    :param logger: where the lines go.
    :param burst: how many.

    Kinds are few and written in the program, never made of what a peer sends: each is remembered for good.
    """

    __slots__ = ("_burst", "_held_back", "_logger", "_next", "_written")

    def __init__(self, logger: logging.Logger, burst: int = 1) -> None:
        self._logger = logger
        self._burst = burst
        self._next: dict[str, float] = {}
        self._written: dict[str, int] = {}
        self._held_back: dict[str, int] = {}

    def log(self, kind: str, level: int, message: str, *args: object) -> None:
        """Log ``message % args``, unless enough lines of this kind have been written within a second."""
        if not self._logger.isEnabledFor(level):
            return
        more = self.admit(kind)
        if more is None:
            return
        if more:
            message += " (and %d more since the last such line)"
            args = (*args, more)
        self._logger.log(level, message, *args)

    def admit(self, kind: str) -> int | None:
        """Count a line of this kind that the caller wants to write itself.

        :returns: how many were held back since the last one that was admitted; None if this one is, too.
        """
        now = time.monotonic()
        if now >= self._next.get(kind, now):
            self._next[kind] = now + INTERVAL
            self._written[kind] = 0
        if self._written[kind] >= self._burst:
            self._held_back[kind] = self._held_back.get(kind, 0) + 1
            return None
        self._written[kind] += 1
        return self._held_back.pop(kind, 0)
