"""Locks, semaphores, events and conditions, with and without waiting tasks."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncGenerator

from benchmarks.worker import Case
from tornado import locks

Run = AsyncGenerator[None, None]

_LONG = datetime.timedelta(seconds=60)


async def lock_free(times: int) -> Run:
    """A free lock, acquired and released by ``async with``."""
    lock = locks.Lock()
    yield
    for _ in range(times):
        async with lock:
            pass


async def lock_acquire(times: int) -> Run:
    """A free lock, acquired and released by its methods."""
    lock = locks.Lock()
    yield
    for _ in range(times):
        await lock.acquire()
        lock.release()


async def lock_contended(times: int) -> Run:
    """Ten tasks, each holding the lock for one event loop iteration."""
    lock = locks.Lock()

    async def work(times: int) -> None:
        for _ in range(times):
            async with lock:
                await asyncio.sleep(0)

    yield
    await asyncio.gather(*(work(times // 10) for _ in range(10)))


async def semaphore_waiting(times: int) -> Run:
    """A semaphore that is acquired while its value is zero, and then released."""
    semaphore = locks.Semaphore(0)
    yield
    for _ in range(times):
        turn = semaphore.acquire()
        semaphore.release()
        await turn


async def semaphore_timeout(times: int) -> Run:
    """Like `semaphore_waiting`, with a timeout that does not expire."""
    semaphore = locks.Semaphore(0)
    yield
    for _ in range(times):
        turn = semaphore.acquire(_LONG)
        semaphore.release()
        await turn


async def semaphore_free(times: int) -> Run:
    """A free semaphore."""
    semaphore = locks.Semaphore(2)
    yield
    for _ in range(times):
        with await semaphore.acquire():
            pass


async def condition_notify(times: int) -> Run:
    """A condition with one waiting task, which is notified."""
    condition = locks.Condition()
    yield
    for _ in range(times):
        waiting = condition.wait()
        condition.notify()
        await waiting


async def condition_all(times: int) -> Run:
    """A condition with ten waiting tasks, which are notified together."""
    condition = locks.Condition()
    yield
    for _ in range(times):
        waiting = [condition.wait() for _ in range(10)]
        condition.notify_all()
        for each in waiting:
            await each


async def condition_timeout(times: int) -> Run:
    """A condition on which a task waits with a timeout that does not expire."""
    condition = locks.Condition()
    yield
    for _ in range(times):
        waiting = condition.wait(_LONG)
        condition.notify()
        await waiting


async def event_set(times: int) -> Run:
    """An event that is awaited after it was set."""
    event = locks.Event()
    event.set()
    yield
    for _ in range(times):
        await event.wait()


async def event_wait(times: int) -> Run:
    """An event that is set after the call of `wait`, and cleared when `wait` has returned."""
    event = locks.Event()
    yield
    for _ in range(times):
        waiting = event.wait()
        event.set()
        await waiting
        event.clear()


async def event_timeout(times: int) -> Run:
    """An event that is awaited with a timeout that does not expire."""
    event = locks.Event()
    yield
    for _ in range(times):
        waiting = event.wait(_LONG)
        event.set()
        await waiting
        event.clear()


CASES = [
    Case("lock/free", "`async with` a free `Lock`", lock_free),
    Case("lock/acquire", "a free `Lock`: `acquire`, `release`", lock_acquire),
    Case("lock/contended", "`async with` a `Lock` contended by ten tasks", lock_contended),
    Case("semaphore/free", "a free `Semaphore`: `with await acquire()`", semaphore_free),
    Case("semaphore/waiting", "a `Semaphore` whose value is zero", semaphore_waiting),
    Case("semaphore/timeout", "the same with a timeout", semaphore_timeout),
    Case("condition/notify", "`Condition.wait`, `notify`", condition_notify),
    Case("condition/notify-all", "ten waiting tasks, `notify_all`", condition_all, 50),
    Case("condition/timeout", "`wait` with a timeout, `notify`", condition_timeout),
    Case("event/set", "`Event.wait`, set before", event_set),
    Case("event/wait", "`Event.wait`, `set`, `clear`", event_wait),
    Case("event/timeout", "the same with a timeout", event_timeout),
]
