"""Queues between coroutines of one event loop, that make a fast producer wait for a slow consumer.

They look like `asyncio.Queue`, and differ in that the methods that wait give Futures, so that generator
coroutines can yield them, and take a timeout, as those of `tornado.locks` do::

    queue = queues.Queue(maxsize=2)

    async def produce():
        for number in range(5):
            await queue.put(number)          # waits while two are in the queue
        await queue.join()                   # until each is done with

    async def consume():
        async for number in queue:
            try:
                print(number)
            finally:
                queue.task_done()

Where tasks may be cancelled take items by ``async for``, as above: an item that came in the very turn in
which the task is cancelled stays in the queue. After ``await queue.get()`` it would be lost, with nobody to
call ``task_done`` for it.

They are not for threads: `queue.Queue` of the standard library is.
"""

from __future__ import annotations

import asyncio
import collections
import heapq
from typing import Any, Generic, TypeVar

from tornado._reexports import reexport
from tornado._waiters import Timeout, Waiters, call_unless_done, was_served
from tornado.concurrent import Future
from tornado.locks import Event

__all__ = ["LifoQueue", "PriorityQueue", "Queue", "QueueEmpty", "QueueFull"]

_T = TypeVar("_T")


class QueueEmpty(Exception):
    """`Queue.get_nowait` found nothing to take."""


class QueueFull(Exception):
    """`Queue.put_nowait` found no room."""


class Queue(Generic[_T]):
    """First in, first out.

    :arg maxsize: how many items it holds before `put` waits; 0 for any number. It need not be whole: a
        queue of 1.3 is full with two.
    :raises TypeError: if ``maxsize`` is None.
    :raises ValueError: if ``maxsize`` is negative.

    A subclass with another order defines ``_init()``, ``_get()`` and ``_put(item)`` on a container of
    its own in ``self._queue``.
    """

    _queue: Any

    def __init__(self, maxsize: int = 0) -> None:
        if maxsize is None:
            raise TypeError("maxsize can't be None; use 0 for a queue without a limit")
        if maxsize < 0:
            raise ValueError(f"maxsize can't be negative: {maxsize!r}; use 0 for a queue without a limit")
        self._maxsize = maxsize
        self._init()
        self._getters = Waiters()  # of Futures
        self._putters = Waiters()  # of pairs: an item, and a Future for when it is in
        self._undone = 0
        self._idle = Event()
        self._idle.set()

    @property
    def maxsize(self) -> int:
        """How many items it holds before `put` waits; 0 for any number."""
        return self._maxsize

    def qsize(self) -> int:
        """How many items are in it."""
        return len(self._queue)

    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not self._queue

    def full(self) -> bool:
        """Whether `put` would wait."""
        return 0 < self._maxsize <= self.qsize()

    def put(self, item: _T, timeout: Timeout = None) -> asyncio.Future[None]:
        """Put an item in, as soon as there is room.

        :arg timeout: how long to wait, a `datetime.timedelta`, or until when, a time of `IOLoop.time
            <tornado.ioloop.IOLoop.time>`; 0 for not at all, None for ever.
        :returns: a Future that is done when the item is in; it is put in now, if it can be.
        :raises TimeoutError: in the Future, if the time is over first; then the item will not be put in.
        """
        entered: asyncio.Future[None] = Future()
        # What would surely fail is not tried: an exception costs more than all the rest. A subclass may have
        # its own idea of what fails.
        if self._getters or not self.full() or type(self).put_nowait is not Queue.put_nowait:
            try:
                self.put_nowait(item)
            except QueueFull:
                pass
            else:
                entered.set_result(None)
                return entered
        self._putters.drop_finished()
        self._putters.join((item, entered))
        if timeout is not None:
            _expire(entered, timeout, "Timeout waiting for room in the queue")
        return entered

    def put_nowait(self, item: _T) -> None:
        """Put an item in now.

        :raises QueueFull: if there is no room.
        """
        if self._getters:
            self._getters.drop_finished()
        if self._getters:
            # Through the container all the same: a subclass decides what is given, and counts on seeing all.
            self._store(item)
            self._getters.popleft().set_result(self._get())
        elif self.full():
            raise QueueFull(
                f"the queue holds {self.qsize()} items, its maxsize; await put() to wait for room"
            )
        else:
            self._store(item)

    def get(self, timeout: Timeout = None) -> asyncio.Future[_T]:
        """Take an item out, as soon as there is one.

        :arg timeout: how long to wait, a `datetime.timedelta`, or until when, a time of `IOLoop.time
            <tornado.ioloop.IOLoop.time>`; 0 for not at all, None for ever.
        :returns: a Future of the item. Cancelling it takes nothing out, unless it is done.
        :raises TimeoutError: in the Future, if the time is over first.
        """
        taken: asyncio.Future[_T] = Future()
        if self._putters or self.qsize() or type(self).get_nowait is not Queue.get_nowait:
            try:
                taken.set_result(self.get_nowait())
                return taken
            except QueueEmpty:
                pass
        self._getters.drop_finished()
        self._getters.join(taken)
        if timeout is not None:
            _expire(taken, timeout, "Timeout waiting for an item in the queue")
        return taken

    def get_nowait(self) -> _T:
        """Take an item out now.

        :raises QueueEmpty: if there is none.
        """
        if self._putters:
            self._putters.drop_finished()
        if self._putters:
            # A queue that somebody waits to put into is full, or has a maxsize that let it be no more
            # than this.
            item, entered = self._putters.popleft()
            self._store(item)
            entered.set_result(None)
        elif not self.qsize():
            raise QueueEmpty("nothing is in the queue; await get() to wait for an item")
        taken: _T = self._get()
        return taken

    def task_done(self) -> None:
        """Say that an item which was taken out is done with. When each is that was put in, `join` is over.

        :raises ValueError: if it is called more often than items were put in.
        """
        if self._undone <= 0:
            raise ValueError("task_done() called too many times: once for each item taken out is right")
        self._undone -= 1
        if not self._undone:
            self._idle.set()

    def join(self, timeout: Timeout = None) -> asyncio.Future[None]:
        """Wait until each item that was put in is done with.

        :raises TimeoutError: in the Future, if the time is over first.
        """
        return self._idle.wait(timeout)

    def __aiter__(self) -> _QueueIterator[_T]:
        return _QueueIterator(self)

    # These three are a subclass's to define.

    def _init(self) -> None:
        self._queue = collections.deque()

    def _get(self) -> _T:
        item: _T = self._queue.popleft()
        return item

    def _put(self, item: _T) -> None:
        self._queue.append(item)

    def _store(self, item: _T) -> None:
        if not self._undone:
            self._idle.clear()
        self._undone += 1
        self._put(item)

    def _give_back(self, item: _T) -> None:
        """Make an item the next one to be taken, since who took it will never see it."""
        if type(self)._get is Queue._get and isinstance(self._queue, collections.deque):
            self._queue.appendleft(item)
        else:
            self._put(item)  # whose order is by other things, or its own affair
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
        if self._undone:
            parts.append(f"tasks={self._undone}")
        return " ".join(parts)


class PriorityQueue(Queue[_T]):
    """Gives the smallest item first; items are often tuples, ``(priority, item)``.

    :arg maxsize: how many items it holds before `put` waits; 0 for any number.
    """

    def _init(self) -> None:
        self._queue: list[Any] = []

    def _put(self, item: _T) -> None:
        heapq.heappush(self._queue, item)

    def _get(self) -> _T:
        item: _T = heapq.heappop(self._queue)
        return item


class LifoQueue(Queue[_T]):
    """Gives the item first that was put in last.

    :arg maxsize: how many items it holds before `put` waits; 0 for any number.
    """

    def _init(self) -> None:
        self._queue: list[_T] = []

    def _put(self, item: _T) -> None:
        self._queue.append(item)

    def _get(self) -> _T:
        return self._queue.pop()


class _QueueIterator(Generic[_T]):
    """``async for item in queue``: takes items for ever."""

    def __init__(self, queue: Queue[_T]) -> None:
        self._source = queue

    def __aiter__(self) -> _QueueIterator[_T]:
        return self

    async def __anext__(self) -> _T:
        taken = asyncio.ensure_future(self._source.get())  # a subclass's may be a coroutine
        try:
            return await taken
        except asyncio.CancelledError:
            if was_served(taken):
                self._source._give_back(taken.result())
            raise


def _expire(future: asyncio.Future[Any], timeout: Timeout, message: str) -> None:
    call_unless_done(future, timeout, lambda: future.set_exception(TimeoutError(message)))


reexport(globals())
