"""The public API of IOLoop: the current loop, callbacks, timers, file descriptors, run_sync."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import datetime
import functools
import os
import random
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import loop_factory
from tests.support.clock import FakeClock
from tests.support.configuration import restored_configuration
from tests.support.ioloop import (
    abandon,
    clear_default_executor,
    default_executor,
    loop_registry,
    next_times,
    punctual_times,
    start_at,
)
from tornado.gen import BadYieldError
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.platform.asyncio import AsyncIOLoop, AsyncIOMainLoop

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def loop(loop_kind: str) -> Iterator[IOLoop]:
    """A loop that is neither running nor current."""
    asyncio_loop = loop_factory(loop_kind)()
    made = AsyncIOLoop(asyncio_loop=asyncio_loop, make_current=False)
    yield made
    if not asyncio_loop.is_closed():
        made.close()


@pytest.fixture
def threadless_loop() -> Iterator[None]:
    """The main thread has no asyncio loop before and after the test."""
    asyncio.set_event_loop(None)
    yield
    asyncio.set_event_loop(None)


# ---- The current loop


async def test_current_returns_ioloop_of_the_running_loop(loop_kind: str) -> None:
    current = IOLoop.current()
    assert isinstance(current, AsyncIOMainLoop)
    assert current.asyncio_loop is asyncio.get_running_loop()
    assert IOLoop.current() is current
    assert IOLoop.instance() is current
    assert loop_registry()[asyncio.get_running_loop()] is current


async def test_current_without_instance() -> None:
    assert IOLoop.current(instance=False) is None
    made = IOLoop.current()
    assert IOLoop.current(False) is made


@pytest.mark.usefixtures("threadless_loop")
def test_current_creates_a_missing_loop() -> None:
    assert IOLoop.current(instance=False) is None
    made = IOLoop.current()
    try:
        assert made.run_sync(lambda: None) is None
        assert asyncio.get_event_loop() is made.asyncio_loop  # type: ignore[attr-defined]
    finally:
        made.close()
        asyncio.set_event_loop(None)


def test_current_creates_a_loop_in_a_thread() -> None:
    def work() -> bool:
        assert IOLoop.current(instance=False) is None
        made = IOLoop.current()
        same = IOLoop.current() is made
        made.close()
        return same

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result()


@pytest.mark.usefixtures("threadless_loop")
def test_new_loop_becomes_current_and_close_restores() -> None:
    before = asyncio.new_event_loop()
    asyncio.set_event_loop(before)
    made = IOLoop()
    assert isinstance(made, AsyncIOLoop)
    assert IOLoop.current() is made
    made.close()
    assert asyncio.get_event_loop() is before
    before.close()


@pytest.mark.usefixtures("threadless_loop")
def test_new_loop_with_make_current_false() -> None:
    made = IOLoop(make_current=False)
    assert IOLoop.current(instance=False) is None
    assert made.run_sync(_current) is made
    made.close()


async def _current() -> IOLoop:
    return IOLoop.current()


def test_closed_loops_are_removed_from_the_registry() -> None:
    async def main() -> None:
        IOLoop.current()

    for _ in range(3):
        asyncio.run(main())
    size = len(loop_registry())
    for _ in range(3):
        asyncio.run(main())
    assert len(loop_registry()) == size
    IOLoop(make_current=False).close()
    assert not any(each.is_closed() for each in loop_registry())


async def test_asyncio_loop_has_only_one_ioloop() -> None:
    IOLoop.current()
    with pytest.raises(RuntimeError, match="already has an IOLoop"):
        AsyncIOMainLoop()


def test_configure_rejects_other_implementations() -> None:
    with pytest.raises(RuntimeError, match="IOLoop implementation .* is not a subclass of"):
        IOLoop.configure("builtins.dict")
    with restored_configuration(IOLoop):
        IOLoop.configure("tornado.platform.asyncio.AsyncIOLoop", make_current=False)
        made = IOLoop()
        assert not made.is_current
        made.close()


@pytest.mark.usefixtures("threadless_loop")
def test_deprecated_methods_warn() -> None:
    made = IOLoop(make_current=False)
    with pytest.warns(DeprecationWarning, match=r"\Amake_current is deprecated") as found:
        made.make_current()
    assert found[0].filename == __file__
    assert IOLoop.current(instance=False) is made
    with pytest.warns(DeprecationWarning, match=r"\Aclear_current is deprecated"):
        IOLoop.clear_current()
    assert IOLoop.current(instance=False) is not made
    with pytest.warns(DeprecationWarning, match="make_current"):
        made.install()
    with pytest.warns(DeprecationWarning, match="clear_current"):
        IOLoop.clear_instance()
    made.close()


# ---- Callbacks


async def test_added_callback_runs_in_the_next_iteration(loop_kind: str) -> None:
    current, seen = IOLoop.current(), []
    current.add_callback(lambda *args, **kwargs: seen.append((args, kwargs)), 1, x=2)
    current.spawn_callback(seen.append, "spawned")
    assert seen == []
    await asyncio.sleep(0)
    assert seen == [((1,), {"x": 2}), "spawned"]


async def test_callbacks_run_in_the_callers_context() -> None:
    seen: list[str] = []
    variable.set("here")
    IOLoop.current().add_callback(lambda: seen.append(variable.get()))
    IOLoop.current().call_later(0, lambda: seen.append(variable.get()))
    variable.set("there")
    while len(seen) < 2:
        await asyncio.sleep(0)
    assert seen == ["here", "here"]


def test_add_callback_from_a_thread_wakes_the_loop(loop: IOLoop) -> None:
    seen = []

    def work() -> None:
        loop.add_callback(seen.append, threading.get_ident())
        loop.add_callback(loop.stop)

    thread = threading.Thread(target=work)
    loop.add_callback(thread.start)
    loop.start()
    thread.join()
    assert len(seen) == 1


def test_add_callback_to_a_closed_loop_is_dropped(loop: IOLoop) -> None:
    loop.close()
    loop.add_callback(pytest.fail, "called")
    with pytest.warns(DeprecationWarning, match="add_callback_from_signal"):
        loop.add_callback_from_signal(pytest.fail, "called")


async def test_add_callback_from_signal(loop_kind: str) -> None:
    called = asyncio.Event()
    with pytest.warns(DeprecationWarning, match="add_callback_from_signal"):
        IOLoop.current().add_callback_from_signal(called.set)
    await called.wait()


async def test_callback_exception_is_logged_and_loop_continues(loop_kind: str, expect_log: Any) -> None:
    def fail() -> None:
        raise KeyError("k")

    with expect_log("tornado.application", "^Exception in callback <function .*fail") as found:
        IOLoop.current().add_callback(fail)
        await asyncio.sleep(0)
    assert found.records[0].exc_info[0] is KeyError


async def test_coroutine_exception_is_logged(loop_kind: str, expect_log: Any) -> None:
    finished = asyncio.Event()

    async def fail() -> None:
        await asyncio.sleep(0)
        finished.set()
        raise KeyError("k")

    with expect_log("tornado.application", "^Exception in callback") as found:
        IOLoop.current().spawn_callback(fail)
        await finished.wait()
        for _ in range(3):
            await asyncio.sleep(0)
    assert found.records[0].exc_info[0] is KeyError


async def test_cancelled_callback_is_not_logged() -> None:
    def cancelled() -> None:
        raise asyncio.CancelledError

    async def cancelled_later() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    IOLoop.current().add_callback(cancelled)
    IOLoop.current().add_callback(cancelled_later)
    for _ in range(5):
        await asyncio.sleep(0)


async def test_other_return_values_of_callbacks_are_ignored() -> None:
    for value in (7, "text", object(), 0):
        IOLoop.current().add_callback(lambda value=value: value)
    await asyncio.sleep(0)


async def test_added_future_calls_callback_when_done(loop_kind: str) -> None:
    current, seen = IOLoop.current(), []
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    current.add_future(future, seen.append)
    future.set_result(1)
    assert seen == []
    await asyncio.sleep(0)
    assert seen == [future]


async def test_add_future_of_an_executor(loop_kind: str) -> None:
    called = asyncio.Event()
    threads = []

    def callback(future: concurrent.futures.Future[int]) -> None:
        threads.append((threading.get_ident(), future.result()))
        called.set()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        IOLoop.current().add_future(pool.submit(int, "3"), callback)
        await called.wait()
    assert threads == [(threading.get_ident(), 3)]


async def test_add_future_logs_the_callbacks_exception(expect_log: Any) -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    IOLoop.current().add_future(future, lambda _: 1 / 0)
    future.set_result(1)
    with expect_log("tornado.application", "Exception in callback"):
        await asyncio.sleep(0)


async def test_run_in_executor_uses_the_given_or_default_executor(loop_kind: str) -> None:
    current = IOLoop.current()
    assert await current.run_in_executor(None, threading.get_ident) != threading.get_ident()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert await current.run_in_executor(pool, divmod, 7, 2) == (3, 1)
        current.set_default_executor(pool)
        assert await current.run_in_executor(None, divmod, 7, 2) == (3, 1)


async def test_run_in_executor_of_the_base_class() -> None:
    current = IOLoop.current()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        IOLoop.set_default_executor(current, pool)
        assert await IOLoop.run_in_executor(current, None, divmod, 7, 2) == (3, 1)
        assert await IOLoop.run_in_executor(current, pool, divmod, 7, 2) == (3, 1)
    clear_default_executor(current)
    assert await IOLoop.run_in_executor(current, None, divmod, 7, 2) == (3, 1)
    executor = default_executor(current)
    assert executor is not None
    executor.shutdown()


# ---- Timers


async def settle(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def on_clock(clock: FakeClock) -> IOLoop:
    current = IOLoop.current()
    current.time = clock  # type: ignore[method-assign]
    return current


async def test_timers_run_in_order_of_their_deadlines(clock: FakeClock) -> None:
    current, seen = on_clock(clock), []
    start = clock.now
    done = asyncio.Event()

    def note(name: str, **more: Any) -> None:
        seen.append((name, clock.now - start))

    current.call_at(start + 3, done.set)
    current.call_later(2, note, "later", keyword=1)
    current.call_at(start + 1, note, "at")
    current.add_timeout(start + 1.5, note, "deadline")
    current.add_timeout(datetime.timedelta(seconds=2.5), note, "delta")
    current.call_at(start - 5, note, "past")
    await done.wait()
    assert seen == [("past", 0), ("at", 1), ("deadline", 1.5), ("later", 2), ("delta", 2.5)]


async def test_removed_timeout_is_not_called(clock: FakeClock) -> None:
    current = on_clock(clock)
    removed = current.call_later(1, pytest.fail, "called")
    current.remove_timeout(removed)
    current.remove_timeout(removed)
    called = asyncio.Event()
    handle = current.call_later(2, called.set)
    await called.wait()
    current.remove_timeout(handle)


async def test_deadline_of_wrong_type_is_rejected() -> None:
    with pytest.raises(
        TypeError, match=r"deadline must be a time in seconds since the epoch or a timedelta, got 'x'"
    ):
        IOLoop.current().add_timeout("x", print)  # type: ignore[arg-type]


async def test_the_clock_is_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 123.5)
    assert IOLoop.current().time() == 123.5


# ---- File descriptors


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    a, b = socket.socketpair()
    a.setblocking(False)
    b.setblocking(False)
    yield a, b
    a.close()
    b.close()


async def test_handlers_are_called_for_their_events(
    loop_kind: str, pair: tuple[socket.socket, socket.socket]
) -> None:
    a, b = pair
    current = IOLoop.current()
    events: asyncio.Queue[tuple[Any, int]] = asyncio.Queue()

    def handler(fd: Any, event: int) -> None:
        events.put_nowait((fd, event))
        current.update_handler(fd, IOLoop.NONE)

    current.add_handler(a, handler, IOLoop.READ)
    b.send(b"x")
    assert await events.get() == (a, IOLoop.READ)
    current.update_handler(a, IOLoop.WRITE)
    assert await events.get() == (a, IOLoop.WRITE)
    current.update_handler(a, IOLoop.READ)
    assert await events.get() == (a, IOLoop.READ)
    await settle()
    assert events.empty()
    with pytest.raises(ValueError, match="already has a handler"):
        current.add_handler(a.fileno(), handler, IOLoop.READ)
    current.remove_handler(a)
    current.remove_handler(a)
    current.add_handler(a.fileno(), handler, IOLoop.READ | IOLoop.WRITE | IOLoop.ERROR)
    assert (await events.get())[0] == a.fileno()
    current.remove_handler(a.fileno())


async def test_handler_can_remove_itself_or_another(pair: tuple[socket.socket, socket.socket]) -> None:
    current, seen = IOLoop.current(), []

    def handler(fd: Any, event: int) -> None:
        seen.append(fd)
        for each in pair:
            current.remove_handler(each)

    for each in pair:
        current.add_handler(each, handler, IOLoop.WRITE)
    await settle(20)
    assert len(seen) == 1


def test_split_and_close_fd(loop: IOLoop) -> None:
    read, write = os.pipe()
    assert loop.split_fd(read) == (read, read)
    loop.close_fd(read)
    loop.close_fd(read)
    stream = os.fdopen(write, "wb")
    assert loop.split_fd(stream) == (write, stream)
    loop.close_fd(stream)
    assert stream.closed


@pytest.mark.parametrize("all_fds", [False, True])
def test_close_all_fds(loop: IOLoop, pair: tuple[socket.socket, socket.socket], all_fds: bool) -> None:
    a, _ = pair
    loop.add_handler(a, print, IOLoop.READ)
    loop.close(all_fds=all_fds)
    assert (a.fileno() == -1) == all_fds


async def test_closing_a_running_loop_raises(pair: tuple[socket.socket, socket.socket]) -> None:
    current = IOLoop.current()
    current.add_handler(pair[0], print, IOLoop.READ)
    with pytest.raises(RuntimeError, match="cannot close a running IOLoop"):
        current.close(all_fds=True)
    assert IOLoop.current() is current
    assert pair[0].fileno() != -1
    current.remove_handler(pair[0])


# ---- start, stop, run_sync


def test_stop_before_start(loop: IOLoop) -> None:
    seen: list[int] = []
    loop.add_callback(seen.append, 1)
    loop.stop()
    loop.start()
    assert seen == [1]
    loop.add_callback(loop.stop)
    loop.start()


def test_run_sync_returns_the_result(loop: IOLoop) -> None:
    async def main() -> int:
        assert IOLoop.current() is loop
        await asyncio.sleep(0)
        return 42

    assert loop.run_sync(main) == 42
    assert loop.run_sync(main, timeout=30) == 42
    assert loop.run_sync(lambda: None) is None
    assert loop.run_sync(lambda: [main(), main()]) == [42, 42]


def test_run_sync_raises_the_functions_exception(loop: IOLoop) -> None:
    async def later() -> None:
        raise KeyError("later")

    with pytest.raises(KeyError, match="later"):
        loop.run_sync(later)
    with pytest.raises(ZeroDivisionError):
        loop.run_sync(lambda: 1 / 0)
    with pytest.raises(BadYieldError):
        loop.run_sync(lambda: 42)


def test_run_sync_of_cancelled_coroutine(loop: IOLoop) -> None:
    async def main() -> None:
        raise asyncio.CancelledError

    def cancels_immediately() -> None:
        raise asyncio.CancelledError

    for function in (main, cancels_immediately):
        with pytest.raises(asyncio.CancelledError):
            loop.run_sync(function)


def test_run_sync_timeout_cancels(clock: FakeClock) -> None:
    seen = []
    loop = AsyncIOLoop(asyncio_loop=clock.new_event_loop(), make_current=False)

    async def main() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    with pytest.raises(TimeoutError, match=r"Operation timed out after 10 seconds"):
        loop.run_sync(main, timeout=10)
    assert seen == ["cleaned up"]
    loop.close()


@pytest.mark.parametrize("timeout", [0, -1])
def test_coroutine_begins_before_the_timeout_of_run_sync(loop: IOLoop, timeout: float) -> None:
    seen = []

    async def main() -> None:
        seen.append("begun")
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    with pytest.raises(TimeoutError, match="Operation timed out"):
        loop.run_sync(main, timeout=timeout)
    assert seen == ["begun", "cancelled"]
    assert loop.run_sync(lambda: asyncio.sleep(0, 42)) == 42


def test_run_sync_with_zero_timeout(loop: IOLoop) -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(TimeoutError, match="Operation timed out after 0 seconds"):
        loop.run_sync(main, timeout=0)
    assert loop.run_sync(lambda: None, timeout=0) is None


def test_run_sync_timeout_of_uncancellable_future(loop: IOLoop) -> None:
    gate, begun = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        begun.wait()
        with pytest.raises(TimeoutError, match="Operation timed out"):
            loop.run_sync(lambda: future, timeout=0.001)
        gate.set()


def test_run_sync_with_stopped_loop_raises(loop: IOLoop) -> None:
    future = loop.asyncio_loop.create_future()  # type: ignore[attr-defined]

    def main() -> Any:
        loop.add_callback(loop.stop)
        return future

    with pytest.raises(RuntimeError, match="Event loop stopped before"):
        loop.run_sync(main)


async def test_run_sync_inside_a_running_loop_leaves_no_callback() -> None:
    with pytest.raises(RuntimeError, match="running"):
        IOLoop.current().run_sync(functools.partial(pytest.fail, "called"))
    await settle()


# ---- PeriodicCallback


async def test_periodic_callback_skips_missed_calls(clock: FakeClock) -> None:
    on_clock(clock)
    start, times = clock.now, []
    done = asyncio.Event()

    def tick() -> None:
        times.append(clock.now - start)
        if len(times) == 2:
            clock.advance(25)  # this call takes two and a half periods
        if len(times) == 4:
            periodic.stop()
            done.set()

    periodic = PeriodicCallback(tick, 10_000)
    assert not periodic.is_running()
    periodic.start()
    assert periodic.is_running()
    assert periodic.io_loop is IOLoop.current()
    await done.wait()
    assert not periodic.is_running()
    assert times == [10, 20, 50, 60]


async def test_periodic_waits_for_its_coroutine(clock: FakeClock) -> None:
    on_clock(clock)
    start, times = clock.now, []
    done = asyncio.Event()

    async def tick() -> None:
        times.append(clock.now - start)
        await asyncio.sleep(15)
        if len(times) == 3:
            done.set()

    periodic = PeriodicCallback(tick, datetime.timedelta(seconds=10))
    assert periodic.callback_time == 10_000
    periodic.start()
    await done.wait()
    periodic.stop()
    assert times == [10, 30, 50]


async def test_periodic_logs_exceptions_and_continues(clock: FakeClock, expect_log: Any) -> None:
    on_clock(clock)
    done = asyncio.Event()
    count = 0

    def tick() -> Any:
        nonlocal count
        count += 1
        if count == 1:
            raise KeyError("sync")
        if count == 2:
            return fail()
        done.set()
        return None

    async def fail() -> None:
        raise KeyError("async")

    periodic = PeriodicCallback(tick, 1000)
    with expect_log("tornado.application", "^Exception in callback <function .*tick") as found:
        periodic.start()
        await done.wait()
    periodic.stop()
    assert [str(record.exc_info[1]) for record in found.records] == ["'sync'", "'async'"]


async def test_periodic_restarted_in_its_callback(clock: FakeClock) -> None:
    on_clock(clock)
    start, times = clock.now, []
    done = asyncio.Event()

    def tick() -> None:
        times.append(clock.now - start)
        if len(times) == 1:
            periodic.stop()
            periodic.start()
        if len(times) == 4:
            done.set()

    periodic = PeriodicCallback(tick, 1000)
    periodic.start()
    periodic.start()
    await done.wait()
    periodic.stop()
    assert times == [1, 2, 3, 4]


@pytest.mark.parametrize("inside", [False, True])
async def test_periodic_restarted_while_its_coroutine_runs(clock: FakeClock, inside: bool) -> None:
    """Calls do not overlap, and there is only one sequence of calls after a restart."""
    on_clock(clock)
    start, times, running, most = clock.now, [], 0, 0
    done = asyncio.Event()

    def tick() -> Any:
        if inside and not times:
            periodic.stop()
            periodic.start()
        return work()

    async def work() -> None:
        nonlocal running, most
        times.append(clock.now - start)
        running += 1
        most = max(most, running)
        await asyncio.sleep(25)
        running -= 1
        if len(times) >= 3:
            done.set()

    periodic = PeriodicCallback(tick, 10_000)
    periodic.start()
    await asyncio.sleep(20)
    if not inside:
        periodic.stop()
        periodic.start()
    await done.wait()
    periodic.stop()
    assert (times, most) == ([10, 40, 70], 1)


def test_periodic_restarted_after_its_loop_closed_during_a_call() -> None:
    calls: list[IOLoop] = []

    async def tick() -> None:
        calls.append(IOLoop.current())
        IOLoop.current().add_callback(IOLoop.current().stop)
        await asyncio.Event().wait()

    periodic = PeriodicCallback(tick, 1)
    loops = [IOLoop(make_current=False) for _ in range(2)]
    for loop in loops:
        loop.add_callback(periodic.start)
        loop.start()
        for task in asyncio.all_tasks(loop.asyncio_loop):  # type: ignore[attr-defined]
            abandon(task)
        periodic.stop()
        loop.close()
    assert calls == loops


async def test_periodic_stopped_when_its_timer_is_due(clock: FakeClock) -> None:
    on_clock(clock)
    periodic = PeriodicCallback(functools.partial(pytest.fail, "called"), 1000)
    periodic.start()
    periodic.stop()
    periodic.stop()
    await asyncio.sleep(5)


@pytest.mark.parametrize("period", [0, -1, datetime.timedelta(0), float("nan")])
def test_periodic_rejects_non_positive_period(period: Any) -> None:
    with pytest.raises(ValueError, match="callback_time must be positive"):
        PeriodicCallback(print, period)


def test_next_call_is_a_multiple_of_the_period() -> None:
    periodic = PeriodicCallback(print, 10_000)
    start_at(periodic, 1000)
    # The calls occur exactly when they are due, or late by a fraction or by multiples of the period.
    assert next_times(periodic, 1000, 1011, 1020, 1049.9, 1050) == [1010, 1020, 1030, 1050, 1060]


def test_update_next_when_early_or_clock_set_back() -> None:
    periodic = PeriodicCallback(print, 10_000)
    start_at(periodic, 1000)
    assert next_times(periodic, 999.99, 500, 200) == [1010, 1020, 1030]


def test_jitter_varies_the_period(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([0.5, 1, 0, 0.75])
    monkeypatch.setattr(random, "random", lambda: next(values))
    periodic = PeriodicCallback(print, 10_000, jitter=0.5)
    assert punctual_times(periodic, 4) == [10, 22.5, 30, 41.25]


async def test_invalid_times_are_rejected():
    loop, wrong = IOLoop.current(), "1"
    with pytest.raises(TypeError, match="call_later: delay must be a number of seconds, got '1'"):
        loop.call_later(wrong, list)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="call_at: when must be a time of .*, got '1'"):
        loop.call_at(wrong, list)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="PeriodicCallback: callback_time must be .*, got '1'"):
        PeriodicCallback(list, wrong)  # type: ignore[arg-type]
