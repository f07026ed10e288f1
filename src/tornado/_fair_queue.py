"""A queue that spreads simultaneous work over several event loop iterations.

Thousands of connections may end in the same instant, when a client process exits or when a timeout expires.
The cost per connection is not known in advance: from 20 microseconds to over a millisecond if a handler fails
and logs an error. The first few items are therefore processed immediately, and the rest in batches, which
grow while event loop iterations stay short and shrink otherwise. Tasks that a batch wakes run in the same
iteration as the next batch, so the measured time includes them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

#: Number of items that are processed immediately or in the first batch, and in the largest batch.
_FIRST, _MOST = 4, 64
#: Maximum duration of an event loop iteration, in seconds, after which the next batch is larger.
_TURN = 0.002


class FairQueue(Generic[_Item]):
    """A queue whose items are processed in order and soon, without blocking the event loop.

    The number of immediately processed items is reset only after a batch, because resetting it in each event
    loop iteration would cost time in each. Of items that arrive one by one, every fifth therefore waits for
    the next iteration.

    :param act: the function that processes an item. Its exceptions are passed to the event loop's exception
        handler, or raised by `add` if the item is processed immediately.
    :param at_once: the number of items that `add` processes immediately.
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
        """Process `item` immediately, or in a later iteration of `loop`, which must be the running loop."""
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
