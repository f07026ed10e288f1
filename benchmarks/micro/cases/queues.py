"""Queues, with and without waiting tasks."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncGenerator, Callable
from typing import Any

from benchmarks.worker import Case
from tornado import queues

Run = AsyncGenerator[None, None]

_LONG = datetime.timedelta(seconds=60)


def _through(make: Callable[[], queues.Queue[Any]]) -> Callable[[int], Run]:
    """Return a case that puts items into a queue and gets them, without waiting."""

    async def run(times: int) -> Run:
        queue = make()
        yield
        for number in range(times):
            await queue.put(number)
            await queue.get()

    return run


async def nowait(times: int) -> Run:
    """An item is put and removed by the methods that never wait."""
    queue: queues.Queue[int] = queues.Queue()
    yield
    for number in range(times):
        queue.put_nowait(number)
        queue.get_nowait()
        queue.task_done()


async def get_waits(times: int) -> Run:
    """`get` is called before the item is put."""
    queue: queues.Queue[int] = queues.Queue()
    yield
    for number in range(times):
        taken = queue.get()
        await queue.put(number)
        await taken


async def get_timeout(times: int) -> Run:
    """Like `get_waits`, with a timeout that does not expire."""
    queue: queues.Queue[int] = queues.Queue()
    yield
    for number in range(times):
        taken = queue.get(_LONG)
        await queue.put(number)
        await taken


async def put_waits(times: int) -> Run:
    """`put` into a full queue."""
    queue: queues.Queue[int] = queues.Queue(1)
    queue.put_nowait(0)
    yield
    for number in range(times):
        entered = queue.put(number)
        await queue.get()
        await entered


async def pipeline(times: int) -> Run:
    """A producer and a consumer, with a capacity of ten."""
    queue: queues.Queue[int] = queues.Queue(10)

    async def consume() -> None:
        async for _ in queue:
            queue.task_done()

    consuming = asyncio.ensure_future(consume())
    yield
    for number in range(times):
        await queue.put(number)
    await queue.join()
    yield
    consuming.cancel()


CASES = [
    Case("queue/through", "`Queue`: `put`, `get`", _through(queues.Queue)),
    Case("queue/priority", "`PriorityQueue`: `put`, `get`", _through(queues.PriorityQueue)),
    Case("queue/lifo", "`LifoQueue`: `put`, `get`", _through(queues.LifoQueue)),
    Case("queue/nowait", "`put_nowait`, `get_nowait`, `task_done`", nowait),
    Case("queue/get-waits", "`get` that waits, `put`", get_waits),
    Case("queue/get-timeout", "the same with a timeout", get_timeout),
    Case("queue/put-waits", "`put` that waits, `get`", put_waits),
    Case("queue/pipeline", "producer, consumer, `task_done`, capacity of ten", pipeline),
]
