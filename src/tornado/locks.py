"""Locks, semaphores, events and conditions for coroutines of one event loop.

They look like those of `asyncio`, and differ in that the methods that wait give Futures, so that
generator coroutines can yield them, and take a timeout. A timeout is a `datetime.timedelta` from now,
or a time of `IOLoop.time <tornado.ioloop.IOLoop.time>` as a number; any time past, 0 among them, means
at once: what is not to be had in this turn of the loop times out. None waits for ever.

None of this is for threads: use it in the loop's own thread. Whoever waits longest is served first, and
neither time nor memory grows with those who gave up waiting.

Where tasks may be cancelled write ``async with``. A task that is cancelled in the very turn in which its
``await lock.acquire()`` is granted never sees the grant, and so keeps the lock for ever; ``async with``
gives it on.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from tornado._reexports import reexport
from tornado._waiters import Timeout, Waiters, call_unless_done, was_served
from tornado.concurrent import Future

__all__ = ["BoundedSemaphore", "Condition", "Event", "Lock", "Semaphore"]


class _TimeoutGarbageCollector:
    """What `Condition` and `Semaphore` share: the line of those who wait."""

    def __init__(self) -> None:
        self._waiters = Waiters()


class Condition(_TimeoutGarbageCollector):
    """Lets coroutines wait until another one says that something has changed.

    Unlike `threading.Condition` it has no lock to hold: between two awaits no other coroutine of the
    loop runs::

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

        :returns: a Future of True when notified, of False when the time is over first.
        """
        waiter: asyncio.Future[bool] = Future()
        self._waiters.join(waiter)
        if timeout is not None:

            def give_up() -> None:
                waiter.set_result(False)
                self._waiters.note_left()

            call_unless_done(waiter, timeout, give_up)
        return waiter

    def notify(self, n: int = 1) -> None:
        """Wake ``n`` of those who wait, the longest waiting first; all of them if they are fewer."""
        waiters = self._waiters
        while n > 0 and waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(True)  # whoever it wakes runs in a later turn of the loop
                n -= 1

    def notify_all(self) -> None:
        """Wake all who wait."""
        self.notify(len(self._waiters))


class Event:
    """Lets coroutines wait until a flag is set. Once it is, nobody waits until it is cleared.

    ``await event.wait()`` in any number of coroutines, ``event.set()`` in another.
    """

    def __init__(self) -> None:
        self._value = False
        # An insertion-ordered set: who has waited for a flag leaves it from the middle.
        self._waiters: dict[asyncio.Future[None], None] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'set' if self._value else 'clear'}>"

    def is_set(self) -> bool:
        """Whether the flag is set."""
        return self._value

    def set(self) -> None:
        """Set the flag, and wake all who wait for it."""
        if self._value:
            return
        self._value = True
        waiting, self._waiters = self._waiters, {}
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Take the flag back: who waits from now on waits for the next `set`."""
        self._value = False

    def wait(self, timeout: Timeout = None) -> asyncio.Future[None]:
        """Wait for the flag.

        :returns: a Future of None; at once, if the flag is set.
        :raises TimeoutError: in the Future, if the time is over first.
        """
        waiter: asyncio.Future[None] = Future()
        if self._value:
            waiter.set_result(None)
            return waiter
        self._waiters[waiter] = None
        waiter.add_done_callback(self._forget)
        call_unless_done(
            waiter, timeout, lambda: waiter.set_exception(TimeoutError("Timeout waiting for Event"))
        )
        return waiter

    def _forget(self, waiter: asyncio.Future[None]) -> None:
        self._waiters.pop(waiter, None)


class _ReleasingContextManager:
    """What a granted `Semaphore.acquire` gives: a ``with`` statement that releases at its end."""

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
    """What is acquired for an ``async with`` block: a `Semaphore`, a `Lock`."""

    def acquire(self, timeout: Timeout = None) -> asyncio.Future[_ReleasingContextManager]:
        """Ask for it."""
        raise NotImplementedError

    def release(self) -> None:
        """Give it back."""
        raise NotImplementedError

    def __enter__(self) -> None:
        """Refuse: a plain ``with`` cannot wait.

        :raises RuntimeError: always.
        """
        name = type(self).__name__
        raise RuntimeError(
            f"a {name} cannot be entered by a plain 'with', which cannot wait: use 'async with', "
            f"or 'with (yield {name.lower()}.acquire())' in a generator coroutine"
        )

    def __exit__(
        self, typ: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Refuse, as `__enter__` does."""
        self.__enter__()

    async def __aenter__(self) -> None:
        """Acquire at the start of an ``async with`` block."""
        turn = self.acquire()
        try:
            await turn
        except asyncio.CancelledError:
            if was_served(turn):
                self.release()  # granted, but the block will never run and so never release
            raise

    async def __aexit__(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Release at its end."""
        self.release()


class Semaphore(_Acquirable, _TimeoutGarbageCollector):
    """Lets so many coroutines at a time do something::

        slots = locks.Semaphore(2)

        async def fetch(url):
            async with slots:
                return await client.fetch(url)

    A generator coroutine writes ``with (yield slots.acquire()):``.

    :arg value: how many can acquire it before the next has to wait.
    :raises ValueError: if ``value`` is negative.
    """

    def __init__(self, value: int = 1) -> None:
        super().__init__()
        if value < 0:
            raise ValueError(f"a semaphore's initial value must be 0 or more, not {value!r}")
        self._value = value

    def __repr__(self) -> str:
        state = f"unlocked,value:{self._value}" if self._value else "locked"
        waiting = f",waiters:{len(self._waiters)}" if self._waiters else ""
        return f"<{type(self).__name__} [{state}{waiting}]>"

    def acquire(self, timeout: Timeout = None) -> asyncio.Future[_ReleasingContextManager]:
        """Take one, or wait until one is released.

        :returns: a Future of a context manager whose ``with`` block ends with a `release`.
        :raises TimeoutError: in the Future, if the time is over first.
        """
        waiter: asyncio.Future[Any] = Future()
        if self._value > 0:
            self._value -= 1
            waiter.set_result(_ReleasingContextManager(self))
            return waiter
        self._waiters.join(waiter)
        if timeout is not None:

            def give_up() -> None:
                waiter.set_exception(TimeoutError(f"Timeout acquiring {type(self).__name__}"))
                self._waiters.note_left()

            call_unless_done(waiter, timeout, give_up)
        return waiter

    def release(self) -> None:
        """Give one back. Whoever waits longest gets it."""
        waiters = self._waiters
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(_ReleasingContextManager(self))
                return
        self._value += 1


class BoundedSemaphore(Semaphore):
    """A `Semaphore` that may not be released more often than acquired.

    :arg value: how many can acquire it before the next has to wait.
    :raises ValueError: if ``value`` is negative.
    """

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._initial_value = value

    def release(self) -> None:
        """Give one back.

        :raises ValueError: if none is taken.
        """
        if self._value >= self._initial_value:
            raise ValueError("Semaphore released too many times: every release() must follow an acquire()")
        super().release()


class Lock(_Acquirable):
    """Lets one coroutine at a time do something::

        lock = locks.Lock()

        async def update():
            async with lock:
                await write(await read())

    Not re-entrant: who holds it and asks for it again waits for ever. A generator coroutine writes
    ``with (yield lock.acquire()):``.
    """

    def __init__(self) -> None:
        self._block = BoundedSemaphore(1)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} _block={self._block!r}>"

    def __exit__(  # the names of upstream's arguments are not a semaphore's
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Refuse, as `__enter__` does."""
        self.__enter__()

    def acquire(self, timeout: Timeout = None) -> asyncio.Future[_ReleasingContextManager]:
        """Take the lock, or wait until it is released.

        :returns: a Future of a context manager whose ``with`` block ends with a `release`.
        :raises TimeoutError: in the Future, if the time is over first.
        """
        return self._block.acquire(timeout)

    def release(self) -> None:
        """Give the lock back. Whoever waits longest gets it.

        :raises RuntimeError: if nobody holds it.
        """
        try:
            self._block.release()
        except ValueError:
            raise RuntimeError("release unlocked lock: every release() must follow an acquire()") from None


reexport(globals())
