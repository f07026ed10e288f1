"""Coroutines, futures, the loop, locks and queues."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
from collections.abc import Generator
from typing import Any, assert_type

from tornado import gen, locks, queues
from tornado.concurrent import Future, chain_future, run_on_executor
from tornado.ioloop import IOLoop, PeriodicCallback


async def number() -> int:
    return 1


def plain() -> None:
    pass


@gen.coroutine
def generator(text: str, *, times: int = 1) -> Generator[Any, Any, bytes]:
    yield number()
    return text.encode() * times


@gen.coroutine
def computed(text: str) -> str:
    return text


@gen.coroutine
async def native(text: str) -> float:
    return 1.0


async def waiting(future: concurrent.futures.Future[str]) -> None:
    assert_type(generator("a", times=2), asyncio.Future[bytes])
    assert_type(await generator("a"), bytes)
    assert_type(await computed("a"), str)
    assert_type(await native("a"), float)
    generator(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(await gen.with_timeout(datetime.timedelta(seconds=1), number()), int)
    assert_type(await gen.with_timeout(1.0, generator("a"), quiet_exceptions=OSError, message="late"), bytes)
    assert_type(await gen.with_timeout(1.0, future), str)
    assert_type(await gen.with_timeout(1.0, [number(), number()]), list[int])
    assert_type(await gen.with_timeout(1.0, {"a": number()}), dict[str, int])
    assert_type(await gen.multi([number(), number()]), list[int])
    assert_type(await gen.multi({"a": number()}), dict[str, int])
    assert_type(await gen.maybe_future(1), int)
    assert_type(await gen.sleep(1), None)
    waiter = gen.WaitIterator(number(), number())
    assert_type(waiter, gen.WaitIterator[int])
    assert_type(await waiter.next(), int)
    async for each in waiter:
        assert_type(each, int)


def callbacks(loop: IOLoop, future: Future[int]) -> None:
    assert_type(IOLoop.current(), IOLoop)
    assert_type(loop.run_sync(number), int)
    assert_type(loop.run_sync(lambda: generator("a"), timeout=1), bytes)
    loop.add_callback(print, "a", end="")
    loop.add_callback(number)
    loop.call_later(1, plain)
    loop.call_later(1, plain, 1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    loop.add_timeout(datetime.timedelta(seconds=1), loop.stop)
    loop.add_future(future, lambda done: print(done.result() + 1))
    assert_type(loop.run_in_executor(None, int, "1"), asyncio.Future[int])
    loop.asyncio_loop.call_soon(plain)
    PeriodicCallback(number, 1000).start()
    PeriodicCallback(plain, datetime.timedelta(seconds=1), jitter=0.1)
    chain_future(future, Future())


class Pictures:
    executor = concurrent.futures.ThreadPoolExecutor(1)

    @run_on_executor
    def shrink(self, picture: bytes, size: int = 1) -> bytes:
        return picture

    @run_on_executor(executor="executor")
    def recognize(self, picture: bytes) -> list[str]:
        return []


async def pictures() -> None:
    assert_type(await Pictures().shrink(b"", size=2), bytes)
    assert_type(await Pictures().recognize(b""), list[str])
    Pictures().shrink("")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def synchronised() -> None:
    queue: queues.Queue[int] = queues.Queue(maxsize=2)
    await queue.put(1, timeout=datetime.timedelta(seconds=1))
    assert_type(await queue.get(), int)
    assert_type(queue.get_nowait(), int)
    async for item in queue:
        assert_type(item, int)
    queue.put_nowait("a")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    lock = locks.Lock()
    async with lock:
        pass
    with await lock.acquire(timeout=1.0):
        pass
    assert_type(await locks.Condition().wait(), bool)
    assert_type(await locks.Event().wait(), None)
