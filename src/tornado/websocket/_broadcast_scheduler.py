"""Messages for many connections, sent for some of them in each turn of the loop.

A send costs the system five to ten microseconds, whatever Python does: 15,000 of them would keep everybody
else waiting for a tenth of a second. So a broadcast sends for `TURN` seconds. The connections that it has not
come to by then are *held*: their streams collect what is sent, be it of this broadcast, of the next one or a
reply, so that nothing changes its place, and they are let go one after the other in later turns. A held
connection whose peer sends something is let go at once (see `WebSocketProtocol13.data_received`): no reply
waits for what others are to get.

What is broadcast after another broadcast in the same turn is held from its first connection on. A hundred
broadcasts of one turn therefore take two sends a connection, not a hundred.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.websocket._protocol import WebSocketProtocol13

#: Seconds of a turn that go to sends; holding thousands of connections takes some milliseconds besides.
TURN = 0.005
#: Connections between two looks at the clock.
STEP = 32
_ROUNDS = "_tornado_broadcasts"


class BroadcastScheduler:
    """What a loop has to send for broadcasts; from `rounds_of`.

    :ivar holding: this turn's time is over: who is to get something is to be held, and put into
    :ivar waiting: the held, in the order in which their time comes.
    """

    __slots__ = ("_begun", "_end", "_loop", "_served", "holding", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.holding = False
        self._loop = loop
        self._begun = False
        self._end = 0.0
        self.waiting: deque[WebSocketProtocol13] = deque()
        self._served: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """A broadcast begins."""
        if self._begun:
            self.holding = True
        else:
            self._begun = True
            self._end = monotonic() + TURN
            self._loop.call_soon(self._run_batch)

    def look_at_clock(self) -> None:
        """Find out whether this turn's time is over; to be called now and then."""
        if monotonic() >= self._end:
            self.holding = True

    def served(self) -> asyncio.Future[None] | None:
        """A Future that is done when nobody is held any more; None if that is so."""
        if not self.waiting:
            return None
        if self._served is None:
            self._served = self._loop.create_future()
        return asyncio.shield(self._served)

    def _run_batch(self) -> None:
        waiting = self.waiting
        self._end = monotonic() + TURN
        self.holding = False
        try:
            while waiting and not self.holding:
                for _ in range(min(STEP, len(waiting))):
                    waiting.popleft().let_go()
                self.look_at_clock()
        finally:
            if waiting:
                self._loop.call_soon(self._run_batch)
            else:
                self._end_round()

    def _end_round(self) -> None:
        self._begun = self.holding = False
        served, self._served = self._served, None
        if served is not None:
            served.set_result(None)


def rounds_of(loop: asyncio.AbstractEventLoop) -> BroadcastScheduler:
    """Those of a loop; kept in its ``__dict__``, so that they end with it."""
    attributes = loop.__dict__
    rounds: BroadcastScheduler | None = attributes.get(_ROUNDS)
    if rounds is None:
        rounds = attributes[_ROUNDS] = BroadcastScheduler(loop)
    return rounds


__all__ = ["BroadcastScheduler", "rounds_of"]
