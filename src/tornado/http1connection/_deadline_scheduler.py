"""One timer for the deadlines of all connections of a server.

A connection stores its own deadline as a number. The timer is set for the earliest deadline that has been
set. When it fires, one pass over the connections finds those whose deadline has passed, and the earliest
deadline of the others. Postponing a deadline, as each request of a kept-alive connection does, costs an
assignment and a comparison. Passes are at least a tenth of the shortest timeout apart, so a deadline is
noticed at most that much late. If many deadlines pass at the same time, as after an attack, the connections
are ended in batches.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from tornado._fair_queue import FairQueue
from tornado.log import app_log

NEVER = float("inf")
_LONGEST_STEP = 1.0


class HasDeadline(Protocol):
    """A connection whose deadline is watched."""

    _deadline: float

    def _expired(self) -> None: ...


class DeadlineScheduler:
    """The connections of one server and the timer for their deadlines (``time.monotonic()``, in seconds)."""

    __slots__ = ("_due", "_ends", "_loop", "_step", "_timer", "connections")

    def __init__(self) -> None:
        self.connections: set[HasDeadline] = set()
        # Each item holds the scheduler: a bound method as the callback would make a reference cycle.
        self._ends: FairQueue[tuple[DeadlineScheduler, HasDeadline]] = FairQueue(_end)
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = NEVER
        self._step = _LONGEST_STEP

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
            self._due = NEVER
            self._step = _LONGEST_STEP

    def set(self, connection: HasDeadline, now: float, timeout: float) -> None:
        """Set the deadline of `connection` to `timeout` seconds after `now`."""
        connection._deadline = deadline = now + timeout
        if timeout * 0.1 < self._step:
            self._step = timeout * 0.1
        if deadline < self._due:
            self._schedule(deadline, now)

    def set_at(self, connection: HasDeadline, now: float, deadline: float, period: float) -> None:
        """Set the deadline of `connection` to `deadline`.

        :param period: the whole timeout in seconds, of which `deadline` leaves the remaining part. It
            determines the precision.
        """
        connection._deadline = deadline
        if period * 0.1 < self._step:
            self._step = period * 0.1
        if deadline < self._due:
            self._schedule(deadline, now)

    def _schedule(self, deadline: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        assert self._loop is not None
        self._due = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - now), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._due = NEVER
        now = time.monotonic()
        due = []
        following = NEVER
        for connection in self.connections:
            deadline = connection._deadline
            if deadline <= now:
                due.append(connection)
            elif deadline < following:
                following = deadline
        try:
            for connection in due:
                self._ends.add((self, connection), self._loop)  # type: ignore[arg-type]  # it is not None
        except BaseException:  # KeyboardInterrupt or SystemExit: the loop may be run again
            following = now  # then the next pass finds the remaining due connections
            raise
        finally:
            following = min(following, self._due)
            if following != NEVER and self.connections:
                self._schedule(max(following, now + self._step), now)


def _end(item: tuple[DeadlineScheduler, HasDeadline]) -> None:
    """Call `_expired` of a connection if its deadline has still passed."""
    watch, connection = item
    # The calls for other connections may have ended this one or changed its deadline.
    if connection not in watch.connections:
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
    elif deadline < watch._due:
        watch._schedule(deadline, now)
