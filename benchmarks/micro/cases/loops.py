"""Callbacks, timers and threads of the IOLoop."""

from __future__ import annotations

import asyncio
import datetime
import threading
from collections.abc import AsyncGenerator

from benchmarks.worker import Case
from tornado.ioloop import IOLoop, PeriodicCallback

Run = AsyncGenerator[None, None]


class _Countdown:
    """The number of calls that remain until the case ends."""

    def __init__(self, times: int) -> None:
        self.remaining = times
        self.over = asyncio.Event()

    def call(self, argument: object = None) -> None:
        self.remaining -= 1
        if not self.remaining:
            self.over.set()


async def add_callback(times: int) -> Run:
    """A callback that is added from the thread of the loop."""
    loop, countdown = IOLoop.current(), _Countdown(times)
    yield
    for _ in range(times):
        loop.add_callback(countdown.call)
    await countdown.over.wait()


async def add_callback_argument(times: int) -> Run:
    """A callback with an argument, added from the thread of the loop."""
    loop, countdown = IOLoop.current(), _Countdown(times)
    yield
    for _ in range(times):
        loop.add_callback(countdown.call, 1)
    await countdown.over.wait()


async def add_callback_coroutine(times: int) -> Run:
    """A native coroutine that is added as a callback and runs to its end."""
    loop, countdown = IOLoop.current(), _Countdown(times)

    async def work() -> None:
        countdown.call()

    yield
    for _ in range(times):
        loop.add_callback(work)
    await countdown.over.wait()
    await asyncio.sleep(0)


async def from_thread(times: int) -> Run:
    """A callback that is added from another thread."""
    loop, countdown = IOLoop.current(), _Countdown(times)

    def work() -> None:
        for _ in range(times):
            loop.add_callback(countdown.call)

    thread = threading.Thread(target=work)
    yield
    thread.start()
    thread.join()
    await countdown.over.wait()


async def call_later(times: int) -> Run:
    """A timer that is cancelled before it expires."""
    loop = IOLoop.current()
    yield
    for _ in range(times):
        loop.remove_timeout(loop.call_later(60, print))


async def add_timeout(times: int) -> Run:
    """A timer that is set with a timedelta and cancelled before it expires."""
    loop, minute = IOLoop.current(), datetime.timedelta(seconds=60)
    yield
    for _ in range(times):
        loop.remove_timeout(loop.add_timeout(minute, print))


async def timers(times: int) -> Run:
    """Timers that expire."""
    loop, countdown = IOLoop.current(), _Countdown(times)
    yield
    for _ in range(times):
        loop.call_later(0, countdown.call)
    await countdown.over.wait()


async def add_future(times: int) -> Run:
    """A Future that completes after the call of `add_future`."""
    loop, countdown = IOLoop.current(), _Countdown(times)
    futures: list[asyncio.Future[None]] = [asyncio.Future() for _ in range(times)]
    yield
    for future in futures:
        loop.add_future(future, countdown.call)
        future.set_result(None)
    await countdown.over.wait()


async def periodic(times: int) -> Run:
    """Many PeriodicCallbacks, each of which is stopped after its first call."""
    countdown = _Countdown(times)

    def make() -> PeriodicCallback:
        def call() -> None:
            made.stop()
            countdown.call()

        made = PeriodicCallback(call, 1)
        return made

    callbacks = [make() for _ in range(times)]
    yield
    for each in callbacks:
        each.start()
    await countdown.over.wait()


async def executor(times: int) -> Run:
    """Functions that run in the executor's thread, one after the other."""
    loop = IOLoop.current()
    yield
    for _ in range(times):
        await loop.run_in_executor(None, int)


CASES = [
    Case("loop/add-callback", "`add_callback`", add_callback),
    Case("loop/add-callback-argument", "`add_callback` with an argument", add_callback_argument),
    Case("loop/add-callback-coroutine", "`add_callback` of an `async def`", add_callback_coroutine),
    Case("loop/from-thread", "`add_callback` from another thread", from_thread),
    Case("loop/call-later", "`call_later` and `remove_timeout`", call_later),
    Case("loop/add-timeout", "`add_timeout` of a timedelta, `remove_timeout`", add_timeout),
    Case("loop/timers", "`call_later`, called", timers),
    Case("loop/add-future", "`add_future`", add_future),
    Case("loop/periodic", "`PeriodicCallback`: start, a call, stop", periodic),
    Case("loop/executor", "`run_in_executor`", executor),
]
