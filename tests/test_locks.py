"""Condition, Event, Semaphore and Lock."""

from __future__ import annotations

import asyncio
import datetime

import pytest

from tests.support.locks import waiters
from tornado import gen, locks

SECOND = datetime.timedelta(seconds=1)


def outcomes(futures):
    """Return the current outcome of each Future."""
    return [future.result() if future.done() else None for future in futures]


# Condition


async def test_notify_wakes_waiters_in_order():
    condition = locks.Condition()
    waiting = [condition.wait() for _ in range(5)]
    condition.notify()
    assert outcomes(waiting) == [True, None, None, None, None]
    condition.notify(2)
    assert outcomes(waiting) == [True, True, True, None, None]
    condition.notify_all()
    assert all(outcomes(waiting))
    condition.notify()  # without waiters


async def test_condition_wait_returns_false_at_timeout(clock):
    condition = locks.Condition()
    assert await condition.wait(SECOND) is False
    assert await condition.wait(timeout=0) is False
    assert not waiters(condition)


async def test_finished_waiters_are_not_counted_as_notified(clock):
    condition = locks.Condition()
    first, second, third = condition.wait(), condition.wait(SECOND), condition.wait()
    first.cancel()
    await gen.sleep(2)
    condition.notify()
    assert third.result() is True
    assert second.result() is False


async def test_notified_waiter_can_wait_again():
    condition = locks.Condition()
    again = []
    first = condition.wait()
    first.add_done_callback(lambda _: again.append(condition.wait()))
    second = condition.wait()
    condition.notify()
    await asyncio.sleep(0)
    condition.notify()
    assert second.done()
    assert not again[0].done()


async def test_repr_of_condition_shows_waiters():
    condition = locks.Condition()
    assert repr(condition) == "<Condition>"
    condition.wait()
    assert repr(condition) == "<Condition waiters[1]>"


async def test_timed_out_waiters_are_removed(clock):
    condition, semaphore = locks.Condition(), locks.Semaphore(0)
    stays = condition.wait(), semaphore.acquire()
    timed = [lock(SECOND) for lock in (condition.wait, semaphore.acquire) for _ in range(1_000)]
    await gen.sleep(2)
    assert (len(waiters(condition)), len(waiters(semaphore))) == (1, 1)
    assert not any(future.done() for future in stays)
    await asyncio.wait(timed)
    assert sum(isinstance(future.exception(), TimeoutError) for future in timed) == 1_000


# Event


async def test_event_wakes_all_waiters():
    event = locks.Event()
    waiting = [event.wait() for _ in range(3)]
    assert not event.is_set()
    assert repr(event) == "<Event clear>"
    event.set()
    event.set()
    assert all(future.done() for future in waiting)
    assert event.is_set()
    assert repr(event) == "<Event set>"
    assert event.wait().done()
    event.clear()
    assert not event.is_set()
    assert not event.wait().done()


async def test_set_then_clear_wakes_waiters():
    event = locks.Event()
    waiting = event.wait()
    event.set()
    event.clear()
    assert waiting.done()


@pytest.mark.parametrize("timeout", [SECOND, 0])
async def test_event_wait_raises_at_timeout(clock, timeout):
    event = locks.Event()
    with pytest.raises(TimeoutError):
        await event.wait(timeout)
    late = event.wait(SECOND)
    event.set()
    await late
    await gen.sleep(2)


async def test_finished_event_waiters_are_removed(clock):
    event = locks.Event()
    left = [event.wait() for _ in range(10)]
    for future in left:
        future.cancel()
    timed = event.wait(SECOND)
    await gen.sleep(2)
    assert isinstance(timed.exception(), TimeoutError)
    assert len(waiters(event)) == 0
    event.set()


# Semaphore and Lock


async def test_semaphore_limits_concurrency():
    semaphore = locks.Semaphore(2)
    waiting = [semaphore.acquire() for _ in range(4)]
    assert [future.done() for future in waiting] == [True, True, False, False]
    semaphore.release()
    assert [future.done() for future in waiting] == [True, True, True, False]
    semaphore.release()
    semaphore.release()
    assert semaphore.acquire().done()


async def test_repr_of_semaphore_shows_value_and_waiters():
    semaphore = locks.Semaphore()
    assert repr(semaphore) == "<Semaphore [unlocked,value:1]>"
    semaphore.acquire()
    assert repr(semaphore) == "<Semaphore [locked]>"
    semaphore.acquire()
    assert repr(semaphore) == "<Semaphore [locked,waiters:1]>"


async def test_negative_semaphore_value_is_rejected():
    for kind in (locks.Semaphore, locks.BoundedSemaphore):
        with pytest.raises(ValueError, match="-1"):
            kind(value=-1)


@pytest.mark.parametrize("timeout", [SECOND, 0])
@pytest.mark.parametrize("kind", [locks.Semaphore, locks.BoundedSemaphore, locks.Lock])
async def test_acquire_raises_at_timeout(clock, kind, timeout):
    lock = kind()
    await lock.acquire()
    with pytest.raises(TimeoutError):
        await lock.acquire(timeout)
    waiting = lock.acquire(SECOND)
    lock.release()
    await waiting
    await gen.sleep(2)


@pytest.mark.parametrize("kind", [locks.Semaphore, locks.BoundedSemaphore, locks.Lock])
async def test_with_statement_in_generator_coroutine(kind):
    lock = kind()

    @gen.coroutine
    def generator():
        with (yield lock.acquire()) as value:
            assert value is None
            assert "[locked]" in repr(lock)
            yield gen.moment

    await generator()
    async with lock:
        assert "[locked]" in repr(lock)
    with await lock.acquire():
        pass
    with pytest.raises(KeyError):
        async with lock:
            raise KeyError
    assert lock.acquire().done()


@pytest.mark.parametrize("kind", [locks.Semaphore, locks.BoundedSemaphore, locks.Lock])
async def test_plain_with_statement_is_rejected(kind):
    lock = kind()
    with pytest.raises(RuntimeError, match="async with"):
        with lock:
            pass
    with pytest.raises(RuntimeError, match="async with"):
        lock.__exit__(None, None, None)
    assert lock.acquire().done()


@pytest.mark.parametrize("kind", [locks.Semaphore, locks.Lock])
async def test_task_cancelled_when_it_acquires_releases_the_lock(kind):
    lock = kind()
    ran = []

    async def use():
        async with lock:
            ran.append(True)

    await lock.acquire()
    first, second = asyncio.create_task(use()), asyncio.create_task(use())
    await asyncio.sleep(0)
    lock.release()
    first.cancel()
    await asyncio.wait([first, second])
    assert first.cancelled()
    assert ran == [True]
    assert lock.acquire().done()


async def test_task_cancelled_while_waiting():
    lock = locks.Lock()

    async def use():
        async with lock:
            pass

    await lock.acquire()
    waiting = asyncio.create_task(use())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    lock.release()
    assert lock.acquire().done()


async def test_releasing_too_often_raises():
    semaphore, bounded, lock = locks.Semaphore(), locks.BoundedSemaphore(), locks.Lock()
    semaphore.release()
    assert semaphore.acquire().done()
    assert semaphore.acquire().done()
    with pytest.raises(ValueError, match="too many times"):
        bounded.release()
    with pytest.raises(RuntimeError, match="release unlocked lock"):
        lock.release()
    assert repr(lock) == "<Lock _block=<BoundedSemaphore [unlocked,value:1]>>"


async def test_waiters_are_served_in_order():
    lock = locks.Lock()
    order = []

    async def use(number):
        async with lock:
            order.append(number)
            await asyncio.sleep(0)

    await gen.multi([use(number) for number in range(5)])
    assert order == [0, 1, 2, 3, 4]
