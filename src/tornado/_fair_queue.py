"""Work that comes for many at once, done for some in each turn of the loop.

Thousands of connections end in one instant when a client program dies, or when their time is over. What each
of them costs, from 20 microseconds to a millisecond and more where a handler fails and says so in the log,
nobody knows beforehand. So the first few are done at once, and batches grow while turns stay short and shrink
when they do not. What a batch has woken, tasks say, runs in the same turn as the next one and counts with it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

#: How many are done at once, or in the first batch, and in the largest.
_FIRST, _MOST = 4, 64
#: Seconds that a turn may take if the next batch is to be larger.
_TURN = 0.002


class FairQueue(Generic[_Item]):
    """Items to do something about, soon and in their order.

    Turns of the loop are not counted where nothing waits, as that would cost something in each: of items that
    come one by one, every fifth waits for the next turn.

    :param act: what is done about one. What it raises goes to the loop's exception handler, unless it is done
        at once.
    :param at_once: how many are done before `add` returns.
    """

    __slots__ = ("_act", "_at_once", "_begun", "_left", "_loop", "_size", "_waiting")

    def __init__(self, act: Callable[[_Item], object], at_once: int = _FIRST) -> None:
        self._act = act
        self._at_once = self._left = at_once
        self._waiting: deque[_Item] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begun = 0.0
        self._size = _FIRST

    def add(self, item: _Item, loop: asyncio.AbstractEventLoop) -> None:
        """Act on `item` now, or in a later turn of `loop`, which is the running one."""
        if self._left:
            self._left -= 1
            self._act(item)
            return
        self._waiting.append(item)
        if self._loop is not loop:
            self._loop = loop
            self._begun = time.monotonic()
            loop.call_soon(self._run_batch)

    def _run_batch(self) -> None:
        waiting, now = self._waiting, time.monotonic()
        if now - self._begun <= _TURN:
            self._size = min(self._size * 2, _MOST)
        else:
            self._size = max(self._size // 2, 1)
        self._begun = now
        try:
            for _ in range(min(self._size, len(waiting))):
                self._act(waiting.popleft())
        finally:
            if waiting and self._loop is not None:
                self._loop.call_soon(self._run_batch)
            else:
                self._loop = None
                self._left, self._size = self._at_once, _FIRST
