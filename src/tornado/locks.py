"""Locks, semaphores, events and conditions for coroutines of one event loop.

They resemble those of `asyncio`, with two differences: methods that wait return Futures, so generator
coroutines can yield them, and these methods accept a timeout. A timeout is a `datetime.timedelta` from now,
or a deadline as a time of `IOLoop.time <tornado.ioloop.IOLoop.time>`, in seconds. With a deadline in the
past, such as 0, the wait times out in the next event loop iteration. None means no timeout.

These classes are not thread-safe: use them in the event loop's thread. Waiters are served in the order in
which they began to wait, and waiters that have timed out or been cancelled do not accumulate in memory or
slow down the others.

Use ``async with`` in tasks that may be cancelled. If a task is cancelled in the same event loop iteration in
which its ``await lock.acquire()`` succeeds, the task does not know that it has acquired the lock, so the
lock remains locked; ``async with`` releases it.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from tornado._implicit_reexports import reexport
from tornado._loop.waiters import Timeout, Waiters, call_unless_done, has_result
from tornado.concurrent import Future

__all__ = ["BoundedSemaphore", "Condition", "Event", "Lock", "Semaphore"]


class _TimeoutGarbageCollector:
    """Base class of `Condition` and `Semaphore`, with their queue of waiters."""

    def __init__(self) -> None:
        self._waiters = Waiters()


class Condition(_TimeoutGarbageCollector):
    """A condition variable: coroutines wait until another coroutine notifies them.

    Unlike `threading.Condition` it has no lock, because no other coroutine of the event loop runs between two
    awaits::
        condition = locks.Condition()

        async def reader():
            while not news:
                await condition.wait()

        async def writer():
            news.append("...")
            condition.notify_all()
    """

    def __repr__(self) -> str:
        waiting = f" waiters[{len(self._waiters)}]" if self._waiters else ""
        return f"<{type(self).__name__}{waiting}>"

    def wait(self, timeout: Timeout = None) -> asyncio.Future[bool]:
        """Wait to be notified.

        :returns: a Future of True when notified, or of False if the timeout expires first.
        """
        waiter: asyncio.Future[bool] = Future()
        self._waiters.add(waiter)
        if timeout is not None:

            def expire() -> None:
                waiter.set_result(False)
                self._waiters.count_finished()

            call_unless_done(waiter, timeout, expire)
        return waiter

    def notify(self, n: int = 1) -> None:
        """Wake up to ``n`` waiters, beginning with those that have waited longest."""
        waiters = self._waiters
        while n > 0 and waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(True)  # the waiting coroutine runs in a later event loop iteration
                n -= 1

    def notify_all(self) -> None:
        """Wake all waiters."""
        self.notify(len(self._waiters))


class Event:
    """A flag that coroutines can wait for. While it is set, `wait` returns a completed Future.

    Any number of coroutines can use ``await event.wait()``; another one calls ``event.set()``.
    """

    def __init__(self) -> None:
        self._value = False
        # The dict is used as an insertion-ordered set, because waiters may be removed from any position.
        self._waiters: dict[asyncio.Future[None], None] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'set' if self._value else 'clear'}>"

    def is_set(self) -> bool:
        """Whether the flag is set."""
        return self._value

    def set(self) -> None:
        """Set the flag and wake all waiters."""
        if self._value:
            return
        self._value = True
        waiting, self._waiters = self._waiters, {}
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Clear the flag: later calls of `wait` wait for the next `set`."""
        self._value = False

    def wait(self, timeout: Timeout = None) -> asyncio.Future[None]:
        """Wait until the flag is set.

        :returns: a Future of None, already done if the flag is set.
        :raises TimeoutError: in the Future, if the timeout expires first.
        """
        waiter: asyncio.Future[None] = Future()
        if self._value:
            waiter.set_result(None)
            return waiter
        self._waiters[waiter] = None
        waiter.add_done_callback(self._discard_waiter)
        call_unless_done(
            waiter, timeout, lambda: waiter.set_exception(TimeoutError("Timeout waiting for Event"))
        )
        return waiter

    def _discard_waiter(self, waiter: asyncio.Future[None]) -> None:
        self._waiters.pop(waiter, None)


class _ReleasingContextManager:
    """The result of `Semaphore.acquire`: a context manager whose ``with`` block ends with a release."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Semaphore) -> None:
        self._owner = owner

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._owner.release()


class _Acquirable:
    """Base class of `Semaphore` and `Lock`, which can be acquired with ``async with``."""

    def acquire(self, timeout: Timeout = None) -> asyncio.Future[_ReleasingContextManager]:
        """Acquire the object, or wait until that is possible."""
        raise NotImplementedError

    def release(self) -> None:
        """Release the object."""
        raise NotImplementedError

    def __enter__(self) -> None:
        """Raise an error, because a plain ``with`` statement cannot wait.

        :raises RuntimeError: always.
        """
        name = type(self).__name__
        raise RuntimeError(
            f"use 'async with' instead of 'with' to acquire a {name}, "
            f"or 'with (yield {name.lower()}.acquire())' in a generator coroutine"
        )

    def __exit__(
        self, typ: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raise the same error as `__enter__`."""
        self.__enter__()

    async def __aenter__(self) -> None:
        """Acquire the object at the start of an ``async with`` block."""
        acquired = self.acquire()
        try:
            await acquired
        except asyncio.CancelledError:
            if has_result(acquired):
                self.release()  # acquired, but the block will not run and thus will not release it
            raise

    async def __aexit__(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Release the object at the end of the block."""
        self.release()


class Semaphore(_Acquirable, _TimeoutGarbageCollector):
    """A counter that limits how many coroutines can use a resource at the same time::

        slots = locks.Semaphore(2)

        async def fetch(url):
            async with slots:
                return await client.fetch(url)

    A generator coroutine writes ``with (yield slots.acquire()):``.

    :param value: the number of acquisitions that are possible before the next one has to wait.
    :raises ValueError: if ``value`` is negative.
    """

    def __init__(self, value: int = 1) -> None:
        super().__init__()
        if value < 0:
            raise ValueError(f"semaphore initial value must be >= 0, got {value!r}")
        self._value = value

    def __repr__(self) -> str:
        state = f"unlocked,value:{self._value}" if self._value else "locked"
        waiting = f",waiters:{len(self._waiters)}" if self._waiters else ""
        return f"<{type(self).__name__} [{state}{waiting}]>"

    def acquire(self, timeout: Timeout = None) -> asyncio.Future[_ReleasingContextManager]:
        """Acquire the semaphore, or wait until it is released.

        :returns: a Future of a context manager whose ``with`` block ends with a `release`.
        :raises TimeoutError: in the Future, if the timeout expires first.
        """
        waiter: asyncio.Future[Any] = Future()
        if self._value > 0:
            self._value -= 1
            waiter.set_result(_ReleasingContextManager(self))
            return waiter
        self._waiters.add(waiter)
        if timeout is not None:

            def expire() -> None:
                waiter.set_exception(TimeoutError(f"Timeout acquiring {type(self).__name__}"))
                self._waiters.count_finished()

            call_unless_done(waiter, timeout, expire)
        return waiter

    def release(self) -> None:
        """Release the semaphore. The coroutine that has waited longest acquires it."""
        waiters = self._waiters
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(_ReleasingContextManager(self))
                return
        self._value += 1


class BoundedSemaphore(Semaphore):
    """A `Semaphore` that must not be released more often than it has been acquired.

    :param value: the number of acquisitions that are possible before the next one has to wait.
    :raises ValueError: if ``value`` is negative.
    """

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._initial_value = value

    def release(self) -> None:
        """Release the semaphore.

        :raises ValueError: if it has not been acquired.
        """
        if self._value >= self._initial_value:
            raise ValueError("Semaphore released too many times: every release() must follow an acquire()")
        super().release()


class Lock(_Acquirable):
    """A lock that only one coroutine can acquire at a time::

        lock = locks.Lock()

        async def update():
            async with lock:
                await write(await read())

    It is not reentrant: a coroutine that has acquired the lock and acquires it again waits forever. A
    generator coroutine uses ``with (yield lock.acquire()):``.
    """

    def __init__(self) -> None:
        self._block = BoundedSemaphore(1)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} _block={self._block!r}>"

    def __exit__(  # parameter names as in Tornado, which differ from those of Semaphore
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Raise the same error as `__enter__`."""
        self.__enter__()

    def acquire(self, timeout: Timeout = None) -> asyncio.Future[_ReleasingContextManager]:
        """Acquire the lock, or wait until it is released.

        :returns: a Future of a context manager whose ``with`` block ends with a `release`.
        :raises TimeoutError: in the Future, if the timeout expires first.
        """
        return self._block.acquire(timeout)

    def release(self) -> None:
        """Release the lock. The coroutine that has waited longest acquires it.

        :raises RuntimeError: if the lock is not locked.
        """
        try:
            self._block.release()
        except ValueError:
            raise RuntimeError("release unlocked lock: every release() must follow an acquire()") from None


reexport(globals())
