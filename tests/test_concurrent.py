"""Futures: chaining, executors, and the functions that settle Futures."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

import pytest

from tests.support.references import find_garbage, gc_disabled
from tornado import concurrent
from tornado.concurrent import (
    DummyExecutor,
    Future,
    chain_future,
    dummy_executor,
    future_add_done_callback,
    future_set_exc_info,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
    is_future,
    run_on_executor,
)


def test_future_is_asyncio_future() -> None:
    assert Future is asyncio.Future
    assert set(concurrent.FUTURES) == {asyncio.Future, futures.Future}
    assert issubclass(concurrent.ReturnValueIgnoredError, Exception)


async def test_is_future_accepts_both_kinds_of_futures() -> None:
    assert is_future(Future())
    assert is_future(futures.Future())
    assert not is_future(asyncio.sleep)
    assert not is_future(None)


# ---- Executors


def test_dummy_executor_calls_immediately() -> None:
    future = dummy_executor.submit(divmod, 7, 2)
    assert future.done()
    assert future.result() == (3, 1)
    failed = dummy_executor.submit(divmod, 7, 0)
    assert isinstance(failed.exception(), ZeroDivisionError)


def test_dummy_executor_passes_any_keyword() -> None:
    assert dummy_executor.submit(dict, fn=1, self=2).result() == {"fn": 1, "self": 2}


def test_dummy_executor_works_after_shutdown() -> None:
    with DummyExecutor() as executor:
        executor.shutdown(wait=False, cancel_futures=True)
    assert executor.submit(int).result() == 0


class Worker:
    def __init__(self, executor: futures.Executor) -> None:
        self.executor = executor
        self.other = executor

    @run_on_executor
    def add(self, x: int, y: int = 1) -> int:
        "Add two numbers."
        return x + y

    @run_on_executor()
    def thread(self) -> int:
        return threading.get_ident()

    @run_on_executor(executor="other")
    def fail(self) -> None:
        raise ValueError("failed")


async def test_run_on_executor() -> None:
    worker = Worker(dummy_executor)
    future = worker.add(1, y=2)
    assert isinstance(future, asyncio.Future)
    assert await future == 3
    with pytest.raises(ValueError, match="failed"):
        await worker.fail()
    assert Worker.add.__doc__ == "Add two numbers."


async def test_run_on_executor_in_a_thread(loop_kind: str) -> None:
    with futures.ThreadPoolExecutor(1) as pool:
        worker = Worker(pool)
        assert await worker.thread() != threading.get_ident()
        assert await asyncio.gather(*[worker.add(number) for number in range(5)]) == [1, 2, 3, 4, 5]
        with pytest.raises(ValueError, match="failed"):
            await worker.fail()


@pytest.mark.parametrize(
    ("args", "kwargs"), [((len, len), {}), ((), {"pool": "x"}), ((len,), {"executor": "x"})]
)
def test_run_on_executor_with_wrong_arguments(args: Any, kwargs: Any) -> None:
    with pytest.raises(ValueError, match="run_on_executor expects a method or the keyword argument"):
        run_on_executor(*args, **kwargs)


# ---- chain_future


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("kind", [asyncio.Future, futures.Future])
async def test_chained_future_gets_the_outcome(kind: Any, early: bool, loop_kind: str) -> None:
    async def settled(settle: Callable[[Any], Any]) -> asyncio.Future[Any]:
        a, b = kind(), Future()
        if early:
            settle(a)
        chain_future(a, b)
        assert b.done() == (early and kind is asyncio.Future)
        if not early:
            settle(a)
        await asyncio.wait([b])
        return b

    assert (await settled(lambda a: a.set_result(3))).result() == 3
    assert isinstance((await settled(lambda a: a.set_exception(KeyError()))).exception(), KeyError)
    assert (await settled(lambda a: a.cancel())).cancelled() or kind is futures.Future


async def test_chain_copies_cancellation() -> None:
    a, b = Future(), Future()
    chain_future(a, b)
    a.cancel()
    with pytest.raises(asyncio.CancelledError):
        await b


async def test_chain_does_not_change_a_completed_target() -> None:
    a, b, c = Future(), Future(), Future()
    chain_future(a, b)
    chain_future(a, c)
    b.set_result("own")
    c.cancel()
    a.set_result("other")
    await asyncio.sleep(0)
    assert b.result() == "own"
    assert c.cancelled()


async def test_chain_does_not_cancel_its_source() -> None:
    a, b = Future(), Future()
    chain_future(a, b)
    b.cancel()
    await asyncio.sleep(0)
    assert not a.done()
    a.set_result(None)


async def test_chain_from_a_thread_settles_in_the_loop() -> None:
    seen = []
    with futures.ThreadPoolExecutor(1) as pool:
        answer: asyncio.Future[int] = Future()
        answer.add_done_callback(lambda _: seen.append(threading.get_ident()))
        chain_future(pool.submit(int, "7"), answer)
        assert await answer == 7
    assert seen == [threading.get_ident()]


def test_chain_to_a_closed_loop() -> None:
    source: futures.Future[int] = futures.Future()
    loop = asyncio.new_event_loop()
    chain_future(source, loop.create_future())
    loop.close()
    source.set_result(1)


async def test_chain_to_an_executors_future() -> None:
    a: asyncio.Future[int] = Future()
    b: futures.Future[int] = futures.Future()
    chain_future(a, b)
    a.set_result(5)
    await asyncio.sleep(0)
    assert b.result(timeout=0) == 5


def test_chain_between_executors_futures() -> None:
    a: futures.Future[int] = futures.Future()
    b: futures.Future[int] = futures.Future()
    chain_future(a, b)
    a.set_result(5)
    assert b.result(timeout=0) == 5


# ---- Settling


async def test_set_unless_cancelled() -> None:
    future: asyncio.Future[int] = Future()
    future_set_result_unless_cancelled(future, 1)
    assert future.result() == 1
    with pytest.raises(asyncio.InvalidStateError):
        future_set_result_unless_cancelled(future, 2)
    failing: asyncio.Future[int] = Future()
    future_set_exception_unless_cancelled(failing, KeyError("k"))
    assert isinstance(failing.exception(), KeyError)


async def test_set_when_cancelled(expect_log: Any) -> None:
    future: asyncio.Future[int] = Future()
    future.cancel()
    future_set_result_unless_cancelled(future, 1)
    with expect_log("tornado.application", "^Exception after Future was cancelled$") as found:
        future_set_exception_unless_cancelled(future, KeyError("late"))
    assert found.records[0].exc_info[0] is KeyError
    assert future.cancelled()


async def test_set_exc_info() -> None:
    future: asyncio.Future[int] = Future()
    try:
        raise KeyError("k")
    except KeyError:
        future_set_exc_info(future, sys.exc_info())
    assert isinstance(future.exception(), KeyError)
    with pytest.raises(ValueError, match="without an exception"):
        future_set_exc_info(Future(), sys.exc_info())


async def test_add_done_callback() -> None:
    seen: list[Any] = []
    done: asyncio.Future[int] = Future()
    done.set_result(1)
    future_add_done_callback(done, seen.append)
    assert seen == [done]
    later: asyncio.Future[int] = Future()
    future_add_done_callback(later, seen.append)
    later.set_result(2)
    assert seen == [done]
    await asyncio.sleep(0)
    assert seen == [done, later]


def test_run_on_executor_leaves_no_cycle() -> None:
    def make() -> None:
        @run_on_executor
        def method(self: Any) -> None:
            pass

    with gc_disabled():
        make()
        assert not find_garbage()
