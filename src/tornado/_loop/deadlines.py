"""One timer for the deadlines of many connections or requests.

Each object stores its deadline as a number. The timer is set for the earliest of these deadlines. It is not
changed when an object postpones its deadline. When the timer fires, one pass over the objects finds those
whose deadline has passed, and the earliest deadline of the others. Postponing a deadline, as each request of
a kept-alive connection does, therefore costs only an assignment and a comparison. The interval between passes
is at least a tenth of the shortest timeout, or one second if that is less, so an expired deadline may be
detected that much later. If many deadlines expire at the same time, as after an attack, they are handled in
batches.

Servers and clients use the timer differently. The connections of a server are long-lived, so the timer is
cancelled when the last of them is removed. The requests of a client are short, and often there is only one at
a time. Their timer is kept, so that a request that completes in time costs only two set operations
and a comparison.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import Context
from typing import Protocol

from tornado._loop.per_loop import PerLoop
from tornado._loop.time_sliced_queue import TimeSlicedQueue
from tornado.log import app_log

__all__ = ["NEVER", "DeadlineScheduler", "HasDeadline", "scheduler_of"]

NEVER = float("inf")
_MAX_INTERVAL = 1.0
#: Seconds by which a timer may fire early. uvloop rounds its timers to milliseconds.
_TOLERANCE = 0.001


class HasDeadline(Protocol):
    """A connection, request or other object whose deadline is watched.

    :ivar deadline: the time at which it expires, on the scheduler's clock.
    """

    deadline: float

    def deadline_passed(self) -> None:
        """Handle the expiry. `deadline` has already been set to `NEVER`; the object is still watched."""


class DeadlineScheduler:
    """The objects of one server, client or event loop that have deadlines, and the timer for them.

    :param clock: returns the current time in seconds; by default ``time.monotonic``.
    :param context: the context in which expired deadlines are handled; by default that of the call that
        started the timer.
    :param keep_timer: whether the timer is kept when the last object is removed.

    :ivar next_deadline: the time for which the timer is set, or `NEVER`. A caller that postpones a deadline
        need not call `set` if the new deadline is not earlier than this.
    :ivar watched: the watched objects.
    """

    __slots__ = (
        "_clock",
        "_context",
        "_expiring",
        "_keep_timer",
        "_loop",
        "_min_interval",
        "_timer",
        "next_deadline",
        "watched",
    )

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        *,
        context: Context | None = None,
        keep_timer: bool = False,
    ) -> None:
        self.watched: set[HasDeadline] = set()
        self.next_deadline: float = NEVER
        self._clock = clock
        self._context = context
        self._keep_timer = keep_timer
        # Each item contains the scheduler, because a bound method as the callback would create a reference
        # cycle.
        self._expiring: TimeSlicedQueue[tuple[DeadlineScheduler, HasDeadline]] = TimeSlicedQueue(_expire)
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._min_interval = _MAX_INTERVAL

    def __repr__(self) -> str:
        state = "no timer" if self._timer is None else f"next at {self.next_deadline:.3f}"
        return f"<DeadlineScheduler {len(self.watched)} watched, {state}>"

    def add(self, item: HasDeadline, loop: asyncio.AbstractEventLoop) -> None:
        """Watch the deadline of `item`, which runs on `loop`."""
        self.watched.add(item)
        self._loop = loop

    def start(self, item: HasDeadline, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        """Watch `item`, which runs on `loop`, and set its deadline to `timeout` seconds from now."""
        self.watched.add(item)
        self._loop = loop
        self.set(item, time.monotonic() if self._clock is None else self._clock(), timeout)

    def discard(self, item: HasDeadline) -> None:
        """Stop watching `item`. If it is the last one, cancel the timer, unless the timer is kept."""
        self.watched.discard(item)
        if not self.watched and self._timer is not None and not self._keep_timer:
            self._cancel_timer()

    def clear(self) -> None:
        """Stop watching all objects, and cancel the timer."""
        self.watched.clear()
        self._cancel_timer()

    def set(self, item: HasDeadline, now: float, timeout: float) -> None:
        """Set the deadline of `item` to `timeout` seconds after `now`."""
        item.deadline = deadline = now + timeout
        if timeout * 0.1 < self._min_interval:
            self._min_interval = timeout * 0.1
        if deadline < self.next_deadline:
            self._schedule(deadline, now)

    def set_at(self, item: HasDeadline, now: float, deadline: float, period: float) -> None:
        """Set the deadline of `item` to `deadline`.

        :param period: the full timeout in seconds, which determines the precision. A part of the timeout may
            already have passed.
        """
        item.deadline = deadline
        if period * 0.1 < self._min_interval:
            self._min_interval = period * 0.1
        if deadline < self.next_deadline:
            self._schedule(deadline, now)

    def time(self) -> float:
        """Return the current time of the scheduler's clock, in seconds."""
        return time.monotonic() if self._clock is None else self._clock()

    def expire(self, item: HasDeadline) -> None:
        """Call `deadline_passed` of an object, unless it was removed or its deadline was postponed."""
        # The `deadline_passed` calls of other objects may have removed this one or postponed its deadline.
        if item not in self.watched:
            return
        now, deadline = self.time(), item.deadline
        if deadline <= now + _TOLERANCE:
            item.deadline = NEVER
            try:
                item.deadline_passed()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:
                app_log.error("Uncaught exception at a deadline", exc_info=True)
        elif deadline < self.next_deadline:
            self._schedule(deadline, now)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.next_deadline = NEVER
        self._min_interval = _MAX_INTERVAL

    def _schedule(self, deadline: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        assert self._loop is not None
        self.next_deadline = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - now), self._fire, context=self._context)

    def _fire(self) -> None:
        self._timer = None
        self.next_deadline = NEVER
        now = self.time()
        due = []
        next_deadline = NEVER
        for item in self.watched:
            deadline = item.deadline
            if deadline <= now + _TOLERANCE:
                due.append(item)
            elif deadline < next_deadline:
                next_deadline = deadline
        try:
            for item in due:
                self._expiring.add((self, item), self._loop)  # type: ignore[arg-type]  # it is not None
        except BaseException:  # KeyboardInterrupt or SystemExit: the loop may be run again
            next_deadline = now  # the next pass finds the connections that are still due
            raise
        finally:
            next_deadline = min(next_deadline, self.next_deadline)
            if not self.watched:
                self._cancel_timer()
            elif next_deadline != NEVER:
                self._schedule(max(next_deadline, now + self._min_interval), now)


def _expire(item: tuple[DeadlineScheduler, HasDeadline]) -> None:
    scheduler, watched = item
    scheduler.expire(watched)


_schedulers: PerLoop[dict[str, DeadlineScheduler]] = PerLoop("deadline schedulers", lambda loop: {})


def scheduler_of(loop: asyncio.AbstractEventLoop, name: str) -> DeadlineScheduler:
    """Return the scheduler called `name` of a loop, for objects that do not belong to one server or client.

    Objects whose timeouts differ greatly should not share a scheduler, because the shortest timeout
    determines how often all of them are checked.
    """
    schedulers = _schedulers.get(loop)
    found = schedulers.get(name)
    if found is None:
        found = schedulers[name] = DeadlineScheduler()
    return found
