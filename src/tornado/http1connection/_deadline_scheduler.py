"""One timer for the deadlines of all connections of a server.

A connection stores its own deadline as a number. The timer is set for the earliest of these deadlines. It is
not changed when a connection postpones its deadline. When the timer fires, one pass over the connections
finds those whose deadline has passed, and the earliest deadline of the others. Postponing a deadline, as each
request of a kept-alive connection does, therefore costs only an assignment and a comparison. The interval
between passes is at least a tenth of the shortest timeout, or one second if that is less, so an expired
deadline may be detected that much later. If many deadlines expire at the same time, as after an attack, the
connections are closed in batches.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from tornado._time_sliced_queue import TimeSlicedQueue
from tornado.log import app_log

NEVER = float("inf")
_MAX_INTERVAL = 1.0


class HasDeadline(Protocol):
    """A connection whose deadline is watched."""

    _deadline: float

    def _expired(self) -> None: ...


class DeadlineScheduler:
    """The connections of one server and the timer for their deadlines (``time.monotonic()``, in seconds)."""

    __slots__ = ("_expiring", "_loop", "_min_interval", "_next_deadline", "_timer", "connections")

    def __init__(self) -> None:
        self.connections: set[HasDeadline] = set()
        # Each item contains the scheduler: a bound method as the callback would create a reference cycle.
        self._expiring: TimeSlicedQueue[tuple[DeadlineScheduler, HasDeadline]] = TimeSlicedQueue(_expire)
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_deadline = NEVER
        self._min_interval = _MAX_INTERVAL

    def add(self, connection: HasDeadline, loop: asyncio.AbstractEventLoop) -> None:
        """Watch the deadline of `connection`, which runs on `loop`."""
        self.connections.add(connection)
        self._loop = loop

    def discard(self, connection: HasDeadline) -> None:
        """Stop watching `connection`; the timer is cancelled with the last connection."""
        self.connections.discard(connection)
        if not self.connections and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._next_deadline = NEVER
            self._min_interval = _MAX_INTERVAL

    def set(self, connection: HasDeadline, now: float, timeout: float) -> None:
        """Set the deadline of `connection` to `timeout` seconds after `now`."""
        connection._deadline = deadline = now + timeout
        if timeout * 0.1 < self._min_interval:
            self._min_interval = timeout * 0.1
        if deadline < self._next_deadline:
            self._schedule(deadline, now)

    def set_at(self, connection: HasDeadline, now: float, deadline: float, period: float) -> None:
        """Set the deadline of `connection` to `deadline`.

        :param period: the full timeout in seconds, which determines the precision. A part of the timeout may
            already have passed.
        """
        connection._deadline = deadline
        if period * 0.1 < self._min_interval:
            self._min_interval = period * 0.1
        if deadline < self._next_deadline:
            self._schedule(deadline, now)

    def _schedule(self, deadline: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        assert self._loop is not None
        self._next_deadline = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - now), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._next_deadline = NEVER
        now = time.monotonic()
        due = []
        next_deadline = NEVER
        for connection in self.connections:
            deadline = connection._deadline
            if deadline <= now:
                due.append(connection)
            elif deadline < next_deadline:
                next_deadline = deadline
        try:
            for connection in due:
                self._expiring.add((self, connection), self._loop)  # type: ignore[arg-type]  # it is not None
        except BaseException:  # KeyboardInterrupt or SystemExit: the loop may be run again
            next_deadline = now  # the next pass finds the connections that are still due
            raise
        finally:
            next_deadline = min(next_deadline, self._next_deadline)
            if next_deadline != NEVER and self.connections:
                self._schedule(max(next_deadline, now + self._min_interval), now)


def _expire(item: tuple[DeadlineScheduler, HasDeadline]) -> None:
    """Call `_expired` of a connection, unless it has been closed or its deadline has been postponed."""
    scheduler, connection = item
    # The `_expired` calls of other connections may have closed this one or postponed its deadline.
    if connection not in scheduler.connections:
        return
    now, deadline = time.monotonic(), connection._deadline
    if deadline <= now:
        connection._deadline = NEVER
        try:
            connection._expired()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            app_log.error("Uncaught exception at a deadline", exc_info=True)
    elif deadline < scheduler._next_deadline:
        scheduler._schedule(deadline, now)
