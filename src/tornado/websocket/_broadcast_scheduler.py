"""Scheduling of broadcasts: a bounded number of connections is served in each event loop iteration.

A send costs the operating system five to ten microseconds, so 15,000 of them would block the event loop for a
tenth of a second. A broadcast therefore sends for at most `TIME_PER_ITERATION` seconds per iteration. The
remaining connections are *held*: their streams are corked and collect all further output (of this broadcast,
of later ones, and replies), so that messages stay in order. They are released one after the other in later
iterations. If the peer of a held connection sends data, the connection is released immediately (see
`WebSocketProtocol13.data_received`), so that replies are not delayed by a broadcast.

A second broadcast in the same iteration holds all of its connections. A hundred broadcasts in one iteration
therefore take two sends per connection, not a hundred.

This is not a `tornado._loop.time_sliced_queue`: the time is limited across all broadcasts of an iteration, a
connection leaves the queue early if its peer sends data, and `served` waits for the end of the queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import Protocol

from tornado._loop.per_loop import PerLoop

#: The maximum time for sends in one iteration, in seconds, not including the time to hold the remaining
#: connections.
TIME_PER_ITERATION = 0.005
#: The number of connections served between two reads of the clock.
CONNECTIONS_PER_CHECK = 32


class HeldConnection(Protocol):
    """A connection that collects its output: a WebSocket, or an event stream of `tornado.channels`."""

    def release_output(self) -> None:
        """Send the collected output."""


class BroadcastScheduler:
    """The held connections of an event loop, and the time left in its current iteration; see `scheduler_of`.

    :ivar holding: whether the time of this iteration is used up: hold connections and add them to `waiting`.
    :ivar waiting: the held connections, in the order of their release.
    """

    __slots__ = ("_begun", "_end", "_loop", "_served", "holding", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.holding = False
        self._loop = loop
        self._begun = False
        self._end = 0.0
        self.waiting: deque[HeldConnection] = deque()
        self._served: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """Start a broadcast."""
        if self._begun:
            self.holding = True
        else:
            self._begun = True
            self._end = monotonic() + TIME_PER_ITERATION
            self._loop.call_soon(self._run_batch)

    def check_time(self) -> None:
        """Set `holding` if the time of this iteration is used up."""
        if monotonic() >= self._end:
            self.holding = True

    def served(self) -> asyncio.Future[None] | None:
        """Return a Future that is done when no connection is held any more; None if none is held."""
        if not self.waiting:
            return None
        if self._served is None:
            self._served = self._loop.create_future()
        return asyncio.shield(self._served)

    def _run_batch(self) -> None:
        waiting = self.waiting
        self._end = monotonic() + TIME_PER_ITERATION
        self.holding = False
        try:
            while waiting and not self.holding:
                for _ in range(min(CONNECTIONS_PER_CHECK, len(waiting))):
                    waiting.popleft().release_output()
                self.check_time()
        finally:
            if waiting:
                self._loop.call_soon(self._run_batch)
            else:
                self._finish()

    def _finish(self) -> None:
        self._begun = self.holding = False
        served, self._served = self._served, None
        if served is not None:
            served.set_result(None)


def scheduler_of(loop: asyncio.AbstractEventLoop) -> BroadcastScheduler:
    """Return the scheduler of an event loop."""
    return _schedulers.get(loop)


_schedulers = PerLoop("broadcasts", BroadcastScheduler)


__all__ = ["BroadcastScheduler", "HeldConnection", "scheduler_of"]
