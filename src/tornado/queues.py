"""Queues for coroutines of one event loop, in which a fast producer waits for a slow consumer.

They resemble `asyncio.Queue`, with two differences: methods that wait return Futures, so generator coroutines
can yield them, and these methods accept a timeout, as in `tornado.locks`::

    queue = queues.Queue(maxsize=2)

    async def produce():
        for number in range(5):
            await queue.put(number)          # waits while the queue holds two items
        await queue.join()                   # waits until all items have been processed

    async def consume():
        async for number in queue:
            try:
                print(number)
            finally:
                queue.task_done()

In tasks that may be cancelled, take items with ``async for`` as above. If the task is cancelled in the same
event loop iteration in which an item arrives, the item remains in the queue. With ``await queue.get()`` it
would be lost, and ``task_done`` would not be called for it.

These queues are not thread-safe. For threads, use the standard library's `queue.Queue`.
"""

from __future__ import annotations

import asyncio
import collections
import heapq
from typing import Any, Generic, TypeVar

from tornado._implicit_reexports import reexport
from tornado._loop.waiters import Timeout, Waiters, call_unless_done, has_result
from tornado.concurrent import Future
from tornado.locks import Event

__all__ = ["LifoQueue", "PriorityQueue", "Queue", "QueueEmpty", "QueueFull"]

_T = TypeVar("_T")


class QueueEmpty(Exception):
    """Raised by `Queue.get_nowait` when the queue is empty."""


class QueueFull(Exception):
    """Raised by `Queue.put_nowait` when the queue is full."""


class Queue(Generic[_T]):
    """A first in, first out queue.

    :param maxsize: the number of items at which `put` waits; 0 for no limit. It need not be an integer: a
        queue with a maxsize of 1.3 is full when it contains two items.
    :raises TypeError: if ``maxsize`` is None.
    :raises ValueError: if ``maxsize`` is negative.

    A subclass with a different order defines ``_init()``, ``_get()`` and ``_put(item)``, with a container of
    any kind in ``self._queue``.
    """

    _queue: Any

    def __init__(self, maxsize: int = 0) -> None:
        if maxsize is None:
            raise TypeError("maxsize can't be None; use 0 for a queue without a limit")
        if maxsize < 0:
            raise ValueError(f"maxsize can't be negative: {maxsize!r}; use 0 for a queue without a limit")
        self._maxsize = maxsize
        self._init()
        self._getters = Waiters()  # Futures
        self._putters = Waiters()  # pairs of an item and the Future of its put()
        self._pending_tasks = 0
        self._idle = Event()
        self._idle.set()

    @property
    def maxsize(self) -> int:
        """The number of items at which `put` waits; 0 for no limit."""
        return self._maxsize

    def qsize(self) -> int:
        """Return the number of items in the queue."""
        return len(self._queue)

    def empty(self) -> bool:
        """Whether the queue is empty."""
        return not self._queue

    def full(self) -> bool:
        """Whether `put` would wait."""
        return 0 < self._maxsize <= self.qsize()

    def put(self, item: _T, timeout: Timeout = None) -> asyncio.Future[None]:
        """Put an item into the queue, waiting until there is space.

        :param timeout: the time to wait as a `datetime.timedelta`, or the deadline as a time of `IOLoop.time
            <tornado.ioloop.IOLoop.time>`, in seconds; 0 to fail if the queue is full, None for no timeout.
        :returns: a Future that is done when the item is in the queue, which may be immediately.
        :raises TimeoutError: in the Future, if the timeout expires first; the item is not put into the queue.
        """
        inserted: asyncio.Future[None] = Future()
        # put_nowait() is not called if it is certain to fail, because an exception takes more time than the
        # rest of this method. An override in a subclass is always called, because it may succeed when the
        # queue is full.
        if self._getters or not self.full() or type(self).put_nowait is not Queue.put_nowait:
            try:
                self.put_nowait(item)
            except QueueFull:
                pass
            else:
                inserted.set_result(None)
                return inserted
        self._putters.drop_finished()
        self._putters.add((item, inserted))
        if timeout is not None:
            _set_timeout(inserted, timeout, "Timeout waiting for space in the queue")
        return inserted

    def put_nowait(self, item: _T) -> None:
        """Put an item into the queue without waiting.

        :raises QueueFull: if the queue is full.
        """
        if self._getters:
            self._getters.drop_finished()
        if self._getters:
            # The item is added to the container first, because a subclass may reorder or count the items.
            self._put_internal(item)
            self._getters.popleft().set_result(self._get())
        elif self.full():
            raise QueueFull(
                f"the queue is full with {self.qsize()} items (maxsize); use put() to wait for space"
            )
        else:
            self._put_internal(item)

    def get(self, timeout: Timeout = None) -> asyncio.Future[_T]:
        """Take an item from the queue, waiting until the queue contains an item.

        :param timeout: the time to wait as a `datetime.timedelta`, or the deadline as a time of `IOLoop.time
            <tornado.ioloop.IOLoop.time>`, in seconds; 0 to fail if the queue is empty, None for no timeout.
        :returns: a Future of the item. If it is cancelled before it is done, no item is removed.
        :raises TimeoutError: in the Future, if the timeout expires first.
        """
        taken: asyncio.Future[_T] = Future()
        if self._putters or self.qsize() or type(self).get_nowait is not Queue.get_nowait:
            try:
                taken.set_result(self.get_nowait())
                return taken
            except QueueEmpty:
                pass
        self._getters.drop_finished()
        self._getters.add(taken)
        if timeout is not None:
            _set_timeout(taken, timeout, "Timeout waiting for an item in the queue")
        return taken

    def get_nowait(self) -> _T:
        """Take an item from the queue without waiting.

        :raises QueueEmpty: if the queue is empty.
        """
        if self._putters:
            self._putters.drop_finished()
        if self._putters:
            # A `put` call is waiting for space: its item moves into the queue.
            item, inserted = self._putters.popleft()
            self._put_internal(item)
            inserted.set_result(None)
        elif not self.qsize():
            raise QueueEmpty("the queue is empty; use get() to wait for an item")
        taken: _T = self._get()
        return taken

    def task_done(self) -> None:
        """Report that an item taken from the queue has been processed. After the last one, `join` returns.

        :raises ValueError: if it is called more often than items were put into the queue.
        """
        if self._pending_tasks <= 0:
            raise ValueError("task_done() called too many times: call it once for each item taken")
        self._pending_tasks -= 1
        if not self._pending_tasks:
            self._idle.set()

    def join(self, timeout: Timeout = None) -> asyncio.Future[None]:
        """Wait until all items that were put into the queue have been processed.

        :raises TimeoutError: in the Future, if the timeout expires first.
        """
        return self._idle.wait(timeout)

    def __aiter__(self) -> _QueueIterator[_T]:
        return _QueueIterator(self)

    # Subclasses override these three methods.

    def _init(self) -> None:
        self._queue = collections.deque()

    def _get(self) -> _T:
        item: _T = self._queue.popleft()
        return item

    def _put(self, item: _T) -> None:
        self._queue.append(item)

    def _put_internal(self, item: _T) -> None:
        if not self._pending_tasks:
            self._idle.clear()
        self._pending_tasks += 1
        self._put(item)

    def _return_item(self, item: _T) -> None:
        """Return an item to the head of the queue, because the task that took it was cancelled."""
        if type(self)._get is Queue._get and isinstance(self._queue, collections.deque):
            self._queue.appendleft(item)
        else:
            self._put(item)  # the subclass determines the position
        self._getters.drop_finished()
        if self._getters:
            self._getters.popleft().set_result(self._get())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {hex(id(self))} {self._describe()}>"

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self._describe()}>"

    def _describe(self) -> str:
        parts = [f"maxsize={self._maxsize!r}"]
        if getattr(self, "_queue", None):
            parts.append(f"queue={self._queue!r}")
        if self._getters:
            parts.append(f"getters[{len(self._getters)}]")
        if self._putters:
            parts.append(f"putters[{len(self._putters)}]")
        if self._pending_tasks:
            parts.append(f"tasks={self._pending_tasks}")
        return " ".join(parts)


class PriorityQueue(Queue[_T]):
    """A queue that returns the smallest item first. Items are often tuples of the form ``(priority, item)``.

    :param maxsize: the number of items at which `put` waits; 0 for no limit.
    """

    def _init(self) -> None:
        self._queue: list[Any] = []

    def _put(self, item: _T) -> None:
        heapq.heappush(self._queue, item)

    def _get(self) -> _T:
        item: _T = heapq.heappop(self._queue)
        return item


class LifoQueue(Queue[_T]):
    """A queue that returns the most recently added item first.

    :param maxsize: the number of items at which `put` waits; 0 for no limit.
    """

    def _init(self) -> None:
        self._queue: list[_T] = []

    def _put(self, item: _T) -> None:
        self._queue.append(item)

    def _get(self) -> _T:
        return self._queue.pop()


class _QueueIterator(Generic[_T]):
    """The iterator of ``async for item in queue``, which never ends."""

    def __init__(self, queue: Queue[_T]) -> None:
        self._source = queue

    def __aiter__(self) -> _QueueIterator[_T]:
        return self

    async def __anext__(self) -> _T:
        taken = asyncio.ensure_future(self._source.get())  # in a subclass, get() may be a coroutine function
        try:
            return await taken
        except asyncio.CancelledError:
            if has_result(taken):
                self._source._return_item(taken.result())
            raise


def _set_timeout(future: asyncio.Future[Any], timeout: Timeout, message: str) -> None:
    call_unless_done(future, timeout, lambda: future.set_exception(TimeoutError(message)))


reexport(globals())
