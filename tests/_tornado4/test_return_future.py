"""``concurrent.return_future``."""

from __future__ import annotations

import asyncio

import pytest

from tornado import concurrent
from tornado.ioloop import IOLoop
from tornado.stack_context import ExceptionStackContext

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


async def run_loop_iterations(count: int = 4) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _double(number, callback):
    """Double a number."""
    IOLoop.current().add_callback(callback, number * 2)


def _silent(callback):
    callback()


with pytest.warns(DeprecationWarning, match="return_future"):
    double, silent = concurrent.return_future(_double), concurrent.return_future(_silent)


async def test_future_result_is_callback_argument():
    assert await double(4) == 8
    assert await silent() is None
    assert double.__doc__ == "Double a number."


@pytest.mark.parametrize("position", ["keyword", "positional"])
async def test_callback_of_caller_is_also_called(position):
    seen = []
    future = double(4, seen.append) if position == "positional" else double(4, callback=seen.append)
    assert await future == 8
    await run_loop_iterations()
    assert seen == [8]


async def test_callback_is_called_with_same_number_of_arguments():
    seen = []
    silent(lambda *args: seen.append(args))
    assert seen == [()]


async def test_exception_is_set_on_future():
    @concurrent.return_future
    def fail(late, callback):
        if late:
            IOLoop.current().add_callback(lambda: [].pop())
        else:
            raise KeyError("at once")

    with pytest.raises(KeyError, match="at once"):
        await fail(False)
    with pytest.raises(IndexError):
        await fail(True)


async def test_exception_with_callback_is_logged(expect_log):
    @concurrent.return_future
    def fail(callback):
        IOLoop.current().add_callback(lambda: [].pop())

    fail(print)
    with expect_log("tornado.application", "Exception in callback"):
        await run_loop_iterations()
    seen = []
    with ExceptionStackContext(lambda kind, error, trace: seen.append(kind) or True):
        fail(print)
    await run_loop_iterations()
    assert seen == [IndexError]


async def test_an_exception_after_the_result_is_logged(expect_log):
    @concurrent.return_future
    def fail(callback):
        callback(1)
        callback(2)
        IOLoop.current().add_callback(lambda: [].pop())

    assert await fail() == 1
    with expect_log("tornado.application", "Exception in callback"):
        await run_loop_iterations()


async def test_function_with_return_value_raises():
    @concurrent.return_future
    def wrong(callback):
        callback(1)
        return 1

    with pytest.raises(concurrent.ReturnValueIgnoredError, match="pass the result to the callback"):
        wrong()

    @concurrent.return_future
    def wrong_and_waiting(callback):
        return 1

    with pytest.raises(concurrent.ReturnValueIgnoredError):
        await wrong_and_waiting()


def test_old_names_exist_and_warn():
    assert concurrent.TracebackFuture is asyncio.Future
    assert concurrent.return_future.__module__ == "tornado.concurrent"
    with pytest.warns(
        DeprecationWarning,
        match="concurrent.return_future is in the deprecated style of Tornado 4; write an async",
    ):
        concurrent.return_future(lambda callback: None)


async def test_exception_of_immediate_callback_is_passed_to_exception_handler():
    seen = []
    with ExceptionStackContext(lambda kind, error, trace: seen.append(kind) or True):
        silent(lambda: 1 / 0)
    assert seen == [ZeroDivisionError]


async def test_immediate_failure_is_raised_to_a_caller_with_a_callback():
    @concurrent.return_future
    def fail(callback):
        raise KeyError("at once")

    seen = []
    with pytest.raises(KeyError, match="at once"):
        fail(callback=seen.append)
    await run_loop_iterations()
    assert seen == []
