"""``gen.engine``, ``gen.Task``, and coroutines called with a callback."""

from __future__ import annotations

import asyncio

import pytest

from tornado import gen
from tornado.concurrent import DummyExecutor, run_on_executor
from tornado.ioloop import IOLoop
from tornado.stack_context import ExceptionStackContext

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


def later(value, callback):
    IOLoop.current().add_callback(callback, value)


async def run_loop_iterations(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# -- Task


async def test_task_result_is_callback_argument():
    def silent(callback):
        IOLoop.current().add_callback(callback)

    def several(callback):
        IOLoop.current().add_callback(callback, 1, 2, three=3)

    assert await gen.Task(later, 7) == 7
    assert await gen.Task(silent) is None
    found = await gen.Task(several)
    assert found == gen.Arguments((1, 2), {"three": 3})
    assert (found.args, found.kwargs) == ((1, 2), {"three": 3})


async def test_task_ignores_second_call_of_callback():
    def twice(callback):
        callback(1)
        callback(2)

    assert await gen.Task(twice) == 1


async def test_task_fails_with_exception_of_function():
    def fail(callback):
        raise KeyError("at once")

    with pytest.raises(KeyError, match="at once"):
        await gen.Task(fail)


async def test_task_fails_with_exception_of_callback():
    def fail(callback):
        IOLoop.current().add_callback(lambda: [].pop())

    with pytest.raises(IndexError):
        await gen.Task(fail)


async def test_exception_after_task_result_is_logged(expect_log):
    def fail(callback):
        callback(1)
        IOLoop.current().add_callback(lambda: [].pop())

    assert await gen.Task(fail) == 1
    with expect_log("tornado.application", "Exception in callback"):
        await run_loop_iterations()


async def test_yield_list_and_dict_of_tasks():
    @gen.coroutine
    def work():
        first = yield [gen.Task(later, 1), gen.Task(later, 2)]
        second = yield {"a": gen.Task(later, 3)}
        return first, second

    assert await work() == ([1, 2], {"a": 3})


# -- engine


async def test_engine_returns_none_and_calls_callback():
    @gen.engine
    def load(number, callback):
        """Load."""
        found = yield gen.Task(later, number)
        callback(found * 2)

    seen = []
    assert load(4, callback=seen.append) is None
    await run_loop_iterations()
    assert seen == [8]
    assert await gen.Task(load, 5) == 10
    assert load.__doc__ == "Load."


async def test_engine_without_yield():
    @gen.engine
    def at_once():
        seen.append(1)

    seen = []
    at_once()
    assert seen == [1]


async def test_exception_of_engine_is_logged(expect_log):
    @gen.engine
    def fail(early):
        if early:
            raise KeyError("early")
        yield gen.moment
        raise KeyError("late")

    with pytest.raises(KeyError, match="early"):
        fail(True)
    fail(False)
    with expect_log("tornado.application", "Exception in callback"):
        await run_loop_iterations()
    seen = []
    for early in (True, False):
        with ExceptionStackContext(lambda kind, error, trace: seen.append(error.args) or True):
            fail(early)
    await run_loop_iterations()
    assert seen == [("early",), ("late",)]


async def test_engine_with_return_value_raises(expect_log):
    @gen.engine
    def wrong(wait):
        if wait:
            yield gen.moment
        return 7

    with pytest.raises(gen.ReturnValueIgnoredError, match=r"wrong returned a value"):
        wrong(False)
    wrong(True)
    with expect_log("tornado.application", "Exception in callback"):
        await run_loop_iterations()


# -- callback= of coroutines


@gen.coroutine
def double(number):
    yield gen.moment
    return number * 2


@gen.coroutine
def own_callback(number, callback):
    yield gen.moment
    callback(number)


@gen.coroutine
def any_keywords(**kwargs):
    return sorted(kwargs)


async def test_coroutine_calls_callback():
    seen = []
    future = double(4, callback=seen.append)
    assert await future == 8
    await run_loop_iterations()
    assert seen == [8]
    assert await double(4, callback=None) == 8
    assert await gen.Task(double, 5) == 10


async def test_exception_of_coroutine_with_callback_is_logged(expect_log):
    @gen.coroutine
    def fail():
        yield gen.moment
        raise KeyError("late")

    fail(callback=print)
    with expect_log("tornado.application", "Exception in callback"):
        await run_loop_iterations()


async def test_coroutine_with_callback_parameter_receives_it():
    seen = []
    assert await own_callback(4, callback=seen.append) is None
    assert seen == [4]
    assert await any_keywords(callback=1, other=2) == ["callback", "other"]


async def test_call_with_other_wrong_arguments_raises():
    with pytest.raises(TypeError, match="callback"):
        await double(callback=print)
    with pytest.raises(TypeError, match="unexpected"):
        await double(1, callback=print, other=2)
    with pytest.raises(TypeError, match="unexpected"):
        await double(1, other=2)


async def test_coroutine_that_raises_type_error_is_called_once():
    calls = []

    @gen.coroutine
    def odd(callback=None):
        calls.append(callback)
        raise TypeError("its own")

    with pytest.raises(TypeError, match="its own"):
        await odd(callback=print)
    assert calls == [print]


async def test_run_on_executor_calls_callback():
    class Worker:
        executor = DummyExecutor()

        @run_on_executor
        def double(self, number):
            return number * 2

        @run_on_executor
        def own(self, callback=None):
            return callback

    seen = []
    assert await Worker().double(4, callback=seen.append) == 8
    await run_loop_iterations()
    assert seen == [8]
    assert await Worker().own(callback=5) == 5


@pytest.mark.filterwarnings("default")
async def test_engine_and_task_warn():
    with pytest.warns(
        DeprecationWarning, match=r"gen.engine is in the deprecated style of Tornado 4; write an async def"
    ):
        gen.engine(double)
    with pytest.warns(
        DeprecationWarning, match=r"gen.Task is in the deprecated style of Tornado 4; await"
    ) as caught:
        await gen.Task(later, 1)
    assert caught[0].filename == __file__
    with pytest.warns(
        DeprecationWarning, match=r"double\(callback=...\) is in the deprecated style of Tornado 4"
    ) as caught:
        await double(1, callback=lambda _: None)
    assert caught[0].filename == __file__
