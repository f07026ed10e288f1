"""Log lines about what peers do, at most one a second of each kind: an attack must not fill the disk too.

A line that was held back is not lost altogether: the next one of its kind tells how many there were.
"""

from __future__ import annotations

import logging
import time

#: Seconds between two lines of one kind.
INTERVAL = 1.0


class Throttle:
    """Writes to `logger`, a line a second of each kind.

    :param logger: where the lines go.

    Kinds are few and written in the program, never made of what a peer sends: each is remembered for good.
    """

    __slots__ = ("_held_back", "_logger", "_next")

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._next: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def say(self, kind: str, level: int, message: str, *args: object) -> None:
        """Log ``message % args``, unless a line of this kind has been written within the last second."""
        if not self._logger.isEnabledFor(level):
            return
        now = time.monotonic()
        if now < self._next.get(kind, now):
            self._held_back[kind] = self._held_back.get(kind, 0) + 1
            return
        self._next[kind] = now + INTERVAL
        more = self._held_back.pop(kind, 0)
        if more:
            message += " (and %d more since the last such line)"
            args = (*args, more)
        self._logger.log(level, message, *args)
