"""`DeadlineScheduler`: one timer for the deadlines of all requests of a client.

Each request stores its deadline as a number. The timer is set for the earliest deadline. When it fires, one
scan over the requests finds those that have expired and the next deadline. A request that completes in time
therefore costs two set operations and a comparison, and no timer. The interval between scans is at least a
tenth of the shortest timeout, or one second if that is less. The expiry of a deadline may therefore be
detected late by up to this interval.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Protocol

__all__ = ["NEVER", "DeadlineScheduler", "HasDeadline"]

NEVER = float("inf")
_LONGEST_STEP = 1.0
#: Seconds by which a timer may fire early.
_TOLERANCE = 0.001


class HasDeadline(Protocol):
    """An object with a deadline.

    :ivar deadline: the time at which it expires, on the loop's clock.
    """

    deadline: float

    def expired(self) -> None:
        """Handle the expiry of the deadline. The object has been removed from the `DeadlineScheduler`."""


class DeadlineScheduler:
    """The objects of one client that have a deadline, and one timer for all of them.

    :param loop: the event loop, whose clock is used.
    """

    __slots__ = ("_due", "_loop", "_step", "_timer", "_watched")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watched: set[HasDeadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = NEVER
        self._step = _LONGEST_STEP

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, timed: HasDeadline, now: float, timeout: float) -> None:
        """Set the deadline of `timed` to `timeout` seconds after `now`."""
        timed.deadline = deadline = now + timeout
        self._watched.add(timed)
        if timeout * 0.1 < self._step:
            self._step = timeout * 0.1
        if deadline < self._due:
            self._schedule(deadline, now)

    def discard(self, timed: HasDeadline) -> None:
        """Remove `timed`."""
        self._watched.discard(timed)

    def close(self) -> None:
        """Remove all objects and cancel the timer."""
        self._watched.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = NEVER

    def _schedule(self, deadline: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = deadline
        # An empty context, because the timer serves all requests and not just the current one.
        self._timer = self._loop.call_later(
            max(0.0, deadline - now), self._fire, context=contextvars.Context()
        )

    def _fire(self) -> None:
        self._timer = None
        self._due = NEVER
        now = self._loop.time() + _TOLERANCE
        due = []
        following = NEVER
        for timed in self._watched:
            if timed.deadline <= now:
                due.append(timed)
            elif timed.deadline < following:
                following = timed.deadline
        if following != NEVER:
            self._schedule(max(following, now + self._step), now)
        else:
            self._step = _LONGEST_STEP
        for timed in due:
            # The request may have ended while `expired` of another request ran.
            if timed in self._watched and timed.deadline <= now:
                self._watched.discard(timed)
                timed.expired()
