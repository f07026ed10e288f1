"""A queue that spreads simultaneous work over several event loop iterations.

Thousands of connections may end in the same instant, when a client process exits or when a timeout expires.
The cost per connection is not known in advance: from 20 microseconds to over a millisecond if a handler fails
and logs an error. The first few items are therefore processed immediately, and the rest in batches, which
grow while event loop iterations stay short and shrink otherwise. Tasks that a batch wakes run in the same
iteration as the next batch, so the measured time includes the time of these tasks.

Two other packages work in batches without this queue. A WebSocket broadcast limits the time of all broadcasts
of an iteration together, and a connection leaves its queue early if the peer sends data. An event channel
makes passes over all of its subscribers, however many events were published, and completes a pass immediately
if its history would overflow otherwise.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

#: Initial and maximum batch size. The initial size is also the default number of immediately processed items.
_FIRST_BATCH, _MAX_BATCH = 4, 64
#: Duration of an event loop iteration, in seconds, up to which the next batch grows; above it, the batch
#: shrinks.
_MAX_ITERATION = 0.002


class TimeSlicedQueue(Generic[_Item]):
    """A queue whose items are processed in order, without blocking the event loop.

    The count of immediately processed items is reset only after a batch, because a reset in each event loop
    iteration would cost time even when the queue is idle. If items arrive one by one, every fifth item
    therefore waits for the next iteration.

    :param process: the function that processes an item. Its exceptions are passed to the event loop's
        exception handler, or raised by `add` if the item is processed immediately.
    :param immediate: the number of items that `add` processes immediately.
    """

    __slots__ = (
        "_batch_size",
        "_batch_started",
        "_immediate",
        "_immediate_remaining",
        "_items",
        "_loop",
        "_process",
    )

    def __init__(self, process: Callable[[_Item], object], immediate: int = _FIRST_BATCH) -> None:
        self._process = process
        self._immediate = self._immediate_remaining = immediate
        self._items: deque[_Item] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._batch_started = 0.0
        self._batch_size = _FIRST_BATCH

    def add(self, item: _Item, loop: asyncio.AbstractEventLoop) -> None:
        """Process `item` immediately, or in a later iteration of `loop`, which must be the running loop."""
        if self._immediate_remaining:
            self._immediate_remaining -= 1
            self._process(item)
            return
        self._items.append(item)
        if self._loop is not loop:
            self._loop = loop
            self._batch_started = time.monotonic()
            loop.call_soon(self._run_batch)

    def _run_batch(self) -> None:
        items, now = self._items, time.monotonic()
        if now - self._batch_started <= _MAX_ITERATION:
            self._batch_size = min(self._batch_size * 2, _MAX_BATCH)
        else:
            self._batch_size = max(self._batch_size // 2, 1)
        self._batch_started = now
        try:
            for _ in range(min(self._batch_size, len(items))):
                self._process(items.popleft())
        finally:
            if items and self._loop is not None:
                self._loop.call_soon(self._run_batch)
            else:
                self._loop = None
                self._immediate_remaining, self._batch_size = self._immediate, _FIRST_BATCH
