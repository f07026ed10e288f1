"""Generator coroutines, and waiting for several futures."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from benchmarks.worker import Case
from tornado import gen

Run = AsyncGenerator[None, None]

_LONG = datetime.timedelta(seconds=60)


@gen.coroutine
def _plain() -> Generator[Any, Any, int]:
    return 1
    yield


@gen.coroutine
def _waiting() -> Generator[Any, Any, int]:
    yield gen.moment
    return 1


async def _native() -> int:
    return 1


async def _native_waiting() -> int:
    await asyncio.sleep(0)
    return 1


async def call(times: int) -> Run:
    """A coroutine that never suspends."""
    yield
    for _ in range(times):
        await _plain()


async def call_nested(times: int) -> Run:
    """Ten nested coroutines; the innermost suspends for one event loop iteration."""

    @gen.coroutine
    def nested(depth: int) -> Generator[Any, Any, int]:
        return (yield nested(depth - 1)) if depth else (yield _waiting())

    yield
    for _ in range(times):
        await nested(9)


def _yielding(make: Callable[[], Any]) -> Callable[[int], Run]:
    """Return a case with one coroutine that repeatedly yields the result of `make`."""

    async def run(times: int) -> Run:
        @gen.coroutine
        def loop() -> Generator[Any, Any, None]:
            for _ in range(times):
                yield make()

        yield
        await loop()

    return run


def _done() -> asyncio.Future[int]:
    future: asyncio.Future[int] = asyncio.Future()
    future.set_result(1)
    return future


def _soon() -> asyncio.Future[int]:
    """A Future that is done in the next event loop iteration."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()
    loop.call_soon(future.set_result, 1)
    return future


async def raised(times: int) -> Run:
    """An exception that propagates through three coroutines."""

    @gen.coroutine
    def fail(depth: int) -> Generator[Any, Any, None]:
        if depth:
            yield fail(depth - 1)
        yield gen.moment
        raise ValueError

    yield
    for _ in range(times):
        try:
            await fail(2)
        except ValueError:
            pass


async def wait_iterator(times: int) -> Run:
    """Ten Futures, in the order of their completion."""
    yield
    for _ in range(times):
        waiting = gen.WaitIterator(*(_soon() for _ in range(10)))
        while not waiting.done():
            await waiting.next()


async def with_timeout(times: int) -> Run:
    """A Future that completes before the timeout of `with_timeout`."""
    yield
    for _ in range(times):
        await gen.with_timeout(_LONG, _soon())


async def with_timeout_done(times: int) -> Run:
    """A Future that is already done."""
    yield
    for _ in range(times):
        await gen.with_timeout(_LONG, _done())


async def timed_out(times: int) -> Run:
    """A Future that times out."""
    never: list[asyncio.Future[int]] = [asyncio.Future() for _ in range(times)]
    yield
    for future in never:
        try:
            await gen.with_timeout(datetime.timedelta(), future)
        except gen.TimeoutError:
            pass


async def convert(times: int) -> Run:
    """A native coroutine converted into a Future."""
    yield
    for _ in range(times):
        await gen.convert_yielded(_native())


async def sleep(times: int) -> Run:
    """A sleep of zero seconds."""
    yield
    for _ in range(times):
        await gen.sleep(0)


CASES = [
    Case("coroutine/call", "`@gen.coroutine` called, never suspends", call),
    Case("coroutine/nested", "ten nested, the last suspends for one iteration", call_nested, 50),
    Case("coroutine/yield-done", "`yield` of a done Future", _yielding(_done)),
    Case("coroutine/yield-soon", "`yield` of a Future done in the next iteration", _yielding(_soon)),
    Case("coroutine/yield-moment", "`yield gen.moment`", _yielding(lambda: gen.moment)),
    Case("coroutine/yield-none", "`yield None`", _yielding(lambda: None)),
    Case("coroutine/yield-coroutine", "`yield` of a coroutine that never suspends", _yielding(_plain)),
    Case(
        "coroutine/yield-waiting",
        "`yield` of a coroutine that suspends for one iteration",
        _yielding(_waiting),
    ),
    Case("coroutine/yield-native", "`yield` of an `async def` that never suspends", _yielding(_native)),
    Case(
        "coroutine/yield-native-waiting",
        "`yield` of an `async def` that suspends for one iteration",
        _yielding(_native_waiting),
    ),
    Case(
        "coroutine/yield-list",
        "`yield` of a list of ten Futures",
        _yielding(lambda: [_soon() for _ in range(10)]),
        50,
    ),
    Case(
        "coroutine/yield-dict",
        "`yield` of a dict of ten done Futures",
        _yielding(lambda: {n: _done() for n in range(10)}),
        50,
    ),
    Case("coroutine/raise", "an exception through three coroutines", raised, 50),
    Case(
        "gen/multi",
        "`gen.multi` of ten coroutines",
        _yielding(lambda: gen.multi([_waiting() for _ in range(10)])),
        50,
    ),
    Case("gen/wait-iterator", "`WaitIterator` over ten", wait_iterator, 50),
    Case("gen/with-timeout", "`with_timeout`, in time", with_timeout),
    Case("gen/with-timeout-done", "`with_timeout` of a done Future", with_timeout_done),
    Case("gen/timed-out", "`with_timeout`, too late", timed_out),
    Case("gen/convert-native", "`convert_yielded` of an `async def`", convert),
    Case("gen/sleep", "`gen.sleep(0)`", sleep),
]
