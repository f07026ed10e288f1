"""Work that is spread over several event loop iterations."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from tests.support.clock import FakeClock
from tornado._loop import time_sliced_queue as _time_sliced_queue
from tornado._loop.time_sliced_queue import TimeSlicedQueue

MANY = 500


class Worker:
    """A queue whose action takes `cost` seconds for each item, and the sizes of the batches."""

    def __init__(self, clock: FakeClock, cost: float = 0.0) -> None:
        self.done: list[int] = []
        self.sizes: list[int] = []
        self.fault: ValueError | None = None
        self._clock, self._cost = clock, cost
        self.batches = TimeSlicedQueue(self.act)

    def act(self, item: int) -> None:
        self._clock.advance(self._cost)
        self.done.append(item)
        if self.fault is not None and item == MANY // 2:
            raise self.fault

    async def until_done(self) -> None:
        """Run loop iterations until the queue is empty, and record the number of items done in each."""
        before = 0
        while len(self.done) < MANY:
            await asyncio.sleep(0)
            self.sizes.append(len(self.done) - before)
            before = len(self.done)


@pytest.fixture(autouse=True)
def fake_time(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_time_sliced_queue, "time", SimpleNamespace(monotonic=clock))


def add(worker: Worker, count: int) -> None:
    for item in range(len(worker.done), len(worker.done) + count):
        worker.batches.add(item, asyncio.get_running_loop())


async def test_first_items_are_processed_immediately(clock: FakeClock) -> None:
    worker = Worker(clock)
    add(worker, 4)
    assert worker.done == [0, 1, 2, 3]


async def test_batches_of_cheap_items_grow(clock: FakeClock) -> None:
    worker = Worker(clock)
    add(worker, MANY)
    await worker.until_done()
    assert worker.done == list(range(MANY))
    assert worker.sizes[:6] == [4 + 8, 16, 32, 64, 64, 64]
    assert max(worker.sizes) == 64


async def test_expensive_items_are_processed_one_by_one(clock: FakeClock) -> None:
    worker = Worker(clock, cost=0.003)
    add(worker, MANY)
    await worker.until_done()
    assert worker.done == list(range(MANY))
    assert worker.sizes[:5] == [4 + 8, 4, 2, 1, 1]
    assert set(worker.sizes[3:]) == {1}


async def test_time_of_woken_tasks_counts(clock: FakeClock) -> None:
    """Closing a connection is cheap, but the handler that waits for the close may run for long."""
    worker = Worker(clock)
    loop = asyncio.get_running_loop()
    act = worker.act

    def wake(item: int) -> None:
        act(item)
        loop.call_soon(clock.advance, 0.003)

    worker.batches = TimeSlicedQueue(wake)
    add(worker, MANY)
    await worker.until_done()
    assert set(worker.sizes[4:]) == {1}


async def test_batch_size_is_reset(clock: FakeClock) -> None:
    worker = Worker(clock)
    add(worker, 50)
    while len(worker.done) < 50:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    add(worker, 4)
    assert len(worker.done) == 54


async def test_items_added_during_a_batch_are_processed_in_order(clock: FakeClock) -> None:
    worker = Worker(clock)
    add(worker, 10)
    await asyncio.sleep(0)
    for item in range(10, MANY):
        worker.batches.add(item, asyncio.get_running_loop())
    await worker.until_done()
    assert worker.done == list(range(MANY))


async def test_exception_does_not_stop_the_queue(clock: FakeClock) -> None:
    worker = Worker(clock)
    worker.fault = ValueError()
    faults: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))
    add(worker, MANY)
    await worker.until_done()
    assert worker.done == list(range(MANY))
    assert faults == [worker.fault]


def test_items_of_a_closed_loop_are_processed_on_the_next(clock: FakeClock) -> None:
    """A server, and therefore its queue, may exist longer than the event loop."""
    worker = Worker(clock)

    async def some(first: int, last: int) -> None:
        for item in range(first, last):
            worker.batches.add(item, asyncio.get_running_loop())

    for first, last in ((0, 10), (10, MANY)):
        loop = asyncio.SelectorEventLoop()
        loop.run_until_complete(some(first, last))
        if last == MANY:
            loop.run_until_complete(worker.until_done())
        loop.close()
    assert worker.done == list(range(MANY))
