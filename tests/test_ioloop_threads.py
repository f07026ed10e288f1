"""Callbacks from other threads and from signal handlers.

Each stress test runs for half a second. The first one, with eight threads and one loop, runs for ten seconds
if ``CI`` is set.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import loop_factory
from tornado.gen import convert_yielded
from tornado.ioloop import IOLoop
from tornado.platform.asyncio import AsyncIOLoop

#: The number of threads, and the duration in seconds.
THREADS = 8
SECONDS = 0.5
LONG = 10.0 if os.environ.get("CI") else SECONDS
#: Maximum number of pending callbacks per thread, which bounds memory use.
ON_THEIR_WAY = 500

needs_signals = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no setitimer()")


@pytest.fixture
def loop(loop_kind: str) -> Iterator[IOLoop]:
    """A loop that is neither running nor current."""
    made = AsyncIOLoop(asyncio_loop=loop_factory(loop_kind)(), make_current=False)
    yield made
    made.close()


@contextmanager
def ticking(handler: Callable[[], Any], first: float, interval: float = 0.0) -> Iterator[None]:
    """Call a signal handler after ``first`` seconds and then every ``interval`` seconds."""
    signal.signal(signal.SIGALRM, lambda number, frame: handler())
    signal.setitimer(signal.ITIMER_REAL, first, interval)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        # Do not restore the previous handler: a signal may be pending, and the default handler ends the
        # process.
        signal.signal(signal.SIGALRM, lambda number, frame: None)


def start_all(functions: list[Callable[[], None]]) -> list[threading.Thread]:
    threads = [threading.Thread(target=each) for each in functions]
    for each in threads:
        each.start()
    return threads


# ---- Signal handlers


@needs_signals
@pytest.mark.filterwarnings("ignore:add_callback_from_signal:DeprecationWarning")
@pytest.mark.parametrize("name", ["add_callback", "add_callback_from_signal"])
def test_signal_handler_wakes_a_sleeping_loop(loop: IOLoop, name: str) -> None:
    late = []

    def too_late() -> None:
        late.append(True)
        loop.stop()

    # If the signal does not wake the loop, this timer does, and the callback runs too late.
    timer = loop.call_later(10, too_late)
    with ticking(functools.partial(getattr(loop, name), loop.stop), first=0.02):
        loop.start()
    assert not late
    loop.remove_timeout(timer)


def test_deprecation_warning_matches_common_filters(loop: IOLoop) -> None:
    with pytest.warns(DeprecationWarning, match=r"\Aadd_callback_from_signal is deprecated") as caught:
        loop.add_callback_from_signal(loop.stop)
    assert caught[0].filename == __file__
    loop.start()


@needs_signals
@pytest.mark.filterwarnings("ignore:add_callback_from_signal:DeprecationWarning")
def test_frequent_signals_in_a_busy_loop(loop: IOLoop) -> None:
    """One signal per millisecond interrupts callbacks, tasks, descriptor handlers and the loop's own code."""
    seen: list[int] = []
    numbers = itertools.count()
    methods = [loop.add_callback, loop.add_callback_from_signal]

    def on_signal() -> None:
        # The next signal may interrupt this handler, so the order is not fixed.
        number = next(numbers)
        methods[number % 2](seen.append, number)

    async def main() -> None:
        end = time.monotonic() + SECONDS
        read, write = os.pipe()
        loop.add_handler(read, lambda fd, events: os.read(fd, 1), IOLoop.READ)
        while time.monotonic() < end:
            loop.add_callback(os.write, write, b"x")
            await asyncio.sleep(0.0005 * (len(seen) % 3))
        loop.remove_handler(read)
        os.close(read)
        os.close(write)

    with ticking(on_signal, 0.001, 0.001):
        loop.run_sync(main)
    loop.run_sync(lambda: asyncio.sleep(0))
    assert sorted(seen) == list(range(next(numbers)))
    assert len(seen) > 10


# ---- Threads


def test_eight_threads_add_callbacks_to_one_loop(loop: IOLoop) -> None:
    """All callbacks run, in order per thread, and in the loop's thread."""
    sent, seen = [0] * THREADS, [0] * THREADS
    home = threading.get_ident()
    end = time.monotonic() + LONG

    def send(number: int) -> None:
        room = threading.Semaphore(ON_THEIR_WAY)

        def arrive(value: int) -> None:
            assert threading.get_ident() == home
            assert value == seen[number], "lost, or out of order"
            seen[number] += 1
            room.release()

        while not sent[number] or time.monotonic() < end:  # on a busy machine, a thread may begin late
            room.acquire()
            loop.add_callback(arrive, sent[number])
            sent[number] += 1

    async def main() -> None:
        threads = start_all([functools.partial(send, number) for number in range(THREADS)])
        while any(each.is_alive() for each in threads):
            await asyncio.sleep(0.001)

    loop.run_sync(main)
    loop.run_sync(lambda: asyncio.sleep(0))
    assert sent == seen
    assert all(sent)


def test_eight_threads_with_a_loop_each(loop_kind: str) -> None:
    """Tokens circulate among the loops; each loop is current in its own thread only."""
    tokens = 32
    loops: list[IOLoop] = []
    hops = [0] * THREADS
    made = threading.Barrier(THREADS + 1)
    order = threading.Lock()
    end = time.monotonic() + SECONDS
    left = threading.Semaphore(0)

    def pass_on(number: int, mine: IOLoop) -> None:
        assert IOLoop.current() is mine is loops[number]
        hops[number] += 1
        if time.monotonic() > end:
            left.release()
        else:
            following = (number + 1) % THREADS
            loops[following].add_callback(pass_on, following, loops[following])

    def run() -> None:
        asyncio_loop = loop_factory(loop_kind)()
        asyncio.set_event_loop(asyncio_loop)
        mine = IOLoop.current()
        assert IOLoop.current(instance=False) is mine
        with order:
            loops.append(mine)
        made.wait()
        mine.start()
        mine.close()
        asyncio.set_event_loop(None)
        assert IOLoop.current(instance=False) is None

    threads = start_all([run] * THREADS)
    made.wait()
    assert len(set(loops)) == THREADS
    for token in range(tokens):
        number = token % THREADS
        loops[number].add_callback(pass_on, number, loops[number])
    for _ in range(tokens):
        left.acquire()
    for each in loops:
        each.add_callback(each.stop)
    for thread in threads:
        thread.join()
    assert all(hops)


def test_futures_completed_in_threads_settle_in_the_loop(loop: IOLoop) -> None:
    """`add_future`, `run_in_executor` and waiting coroutines, with Futures completed in eight threads."""
    home = threading.get_ident()
    end = time.monotonic() + SECONDS

    def work(value: int) -> int:
        return value

    async def main() -> int:
        rounds = 0
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            while time.monotonic() < end:
                told: list[int] = []

                def tell(future: Any, told: list[int] = told) -> None:
                    assert threading.get_ident() == home
                    told.append(future.result())

                submitted = [pool.submit(work, each) for each in range(50)]
                for future in submitted:
                    loop.add_future(future, tell)
                awaited = [loop.run_in_executor(pool, work, each) for each in range(50)]
                assert await convert_yielded(awaited) == list(range(50))
                while len(told) < len(submitted):
                    await asyncio.sleep(0)
                assert sorted(told) == list(range(50))
                rounds += 1
        return rounds

    assert loop.run_sync(main)


def test_loop_closed_while_eight_threads_add_callbacks(loop_kind: str) -> None:
    """Callbacks that arrive too late are dropped, and cause no errors in the threads."""
    end = time.monotonic() + SECONDS
    current: list[IOLoop] = []
    faults: list[BaseException] = []

    def send() -> None:
        try:
            while time.monotonic() < end:
                current[0].add_callback(int)
        except BaseException as error:
            faults.append(error)

    def new_loop() -> IOLoop:
        return AsyncIOLoop(asyncio_loop=loop_factory(loop_kind)(), make_current=False)

    current.append(new_loop())
    threads = start_all([send] * THREADS)
    while time.monotonic() < end:
        loop = current[0]
        loop.run_sync(lambda: asyncio.sleep(0.01))
        current[0] = new_loop()
        loop.close()
    for thread in threads:
        thread.join()
    current[0].close()
    assert faults == []
