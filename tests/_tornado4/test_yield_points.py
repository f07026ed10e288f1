"""``gen.Callback``, ``gen.Wait``, ``gen.WaitAll`` and custom yield points."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from tornado import gen
from tornado.ioloop import IOLoop

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


def later(value, callback):
    IOLoop.current().add_callback(callback, value)


async def test_wait_returns_result_of_key():
    @gen.coroutine
    def work():
        later("result", callback=(yield gen.Callback("key")))
        return (yield gen.Wait("key"))

    assert await work() == "result"


async def test_result_is_available_before_wait():
    @gen.coroutine
    def work():
        (yield gen.Callback(1))("at once")
        yield gen.sleep(0)
        return (yield gen.Wait(1))

    assert await work() == "at once"


async def test_callbacks_with_any_arguments():
    @gen.coroutine
    def work():
        (yield gen.Callback("none"))()
        (yield gen.Callback("many"))(1, two=2)
        return (yield gen.Wait("none")), (yield gen.Wait("many"))

    assert await work() == (None, gen.Arguments((1,), {"two": 2}))


async def test_wait_all_returns_results_in_the_order_of_its_keys():
    @gen.coroutine
    def work():
        callbacks = yield [gen.Callback("a"), gen.Callback("b")]
        later(2, callbacks[1])
        later(1, callbacks[0])
        both = yield gen.WaitAll(["b", "a"])
        named = yield {"c": gen.Callback("c"), "d": gen.Callback("d")}
        later(3, named["c"])
        later(4, named["d"])
        return both, (yield [gen.Wait("c"), gen.Wait("d"), gen.sleep(0)])

    assert await work() == ([2, 1], [3, 4, None])


async def test_coroutines_have_separate_keys():
    @gen.coroutine
    def inner():
        later("inner", callback=(yield gen.Callback("key")))
        return (yield gen.Wait("key"))

    @gen.coroutine
    def outer():
        later("outer", callback=(yield gen.Callback("key")))
        found = yield inner()
        return found, (yield gen.Wait("key"))

    assert await outer() == ("inner", "outer")


async def test_key_can_be_reused_after_wait():
    @gen.coroutine
    def work():
        found = []
        for number in range(3):
            later(number, callback=(yield gen.Callback("key")))
            found.append((yield gen.Wait("key")))
        return found

    assert await work() == [0, 1, 2]


async def test_pending_key_cannot_be_reused():
    @gen.coroutine
    def work():
        yield gen.Callback("key")
        try:
            yield gen.Callback("key")
        except gen.KeyReuseError as error:
            (yield gen.Callback("other"))()
            yield gen.Wait("other")
            seen.append(str(error))
        later(1, (yield gen.Callback("third")))
        yield gen.Wait("third")

    seen = []
    with pytest.raises(gen.LeakedCallbackError, match="'key'"):
        await work()
    assert "'key'" in seen[0]


async def test_unknown_key_raises():
    @gen.coroutine
    def work(point):
        yield point

    with pytest.raises(gen.UnknownKeyError, match="'key' is not pending"):
        await work(gen.Wait("key"))
    with pytest.raises(gen.UnknownKeyError, match="'a' is not pending"):
        await work(gen.WaitAll(["a", "b"]))


async def test_leaked_callback_raises():
    @gen.coroutine
    def work(caught):
        yield gen.Callback("key")
        try:
            yield gen.sleep(0)
            if caught:
                yield gen.maybe_future(None)
                raise KeyError
        except KeyError:
            pass

    for caught in (False, True):
        with pytest.raises(gen.LeakedCallbackError, match="finished without waiting for callbacks"):
            await work(caught)


async def test_exception_takes_precedence_over_leaked_callback():
    @gen.coroutine
    def work():
        yield gen.Callback("key")
        raise KeyError("more important")

    with pytest.raises(KeyError, match="more important"):
        await work()


async def test_exceptions_reach_a_generator_with_keys():
    @gen.coroutine
    def fail():
        yield gen.moment
        raise ValueError("inner")

    @gen.coroutine
    def work():
        callback = yield gen.Callback("key")
        try:
            yield fail()
        except ValueError as error:
            callback(str(error))
        return (yield gen.Wait("key"))

    assert await work() == "inner"


async def test_custom_yield_point():
    class Both(gen.YieldPoint):
        def __init__(self, first, second):
            self.keys = [first, second]

        def start(self, runner):
            self.runner = runner
            for key in self.keys:
                runner.register_callback(key)
                later(key.upper(), runner.result_callback(key))

        def is_ready(self):
            return all(self.runner.is_ready(key) for key in self.keys)

        def get_result(self):
            return [self.runner.pop_result(key) for key in self.keys]

    @gen.coroutine
    def work():
        return (yield Both("a", "b"))

    assert await work() == ["A", "B"]


@pytest.mark.parametrize("method", ["start", "is_ready", "get_result"])
async def test_yield_point_without_method_raises(method):
    methods = {
        "start": lambda self, runner: None,
        "is_ready": lambda self: True,
        "get_result": lambda self: 1,
    }
    del methods[method]
    point = type("Point", (gen.YieldPoint,), methods)()

    @gen.coroutine
    def work():
        yield point

    with pytest.raises(NotImplementedError, match=rf"Point does not define {method}\(\)"):
        await work()


async def test_other_values_are_rejected():
    @gen.coroutine
    def work(yielded):
        yield yielded

    gen.Callback("have the points loaded")
    for wrong in (object(), [object()], [gen.maybe_future(1), object()], {"a": object()}, (1,)):
        with pytest.raises(gen.BadYieldError):
            await work(wrong)


async def test_yield_point_next_to_rejected_value():
    @gen.coroutine
    def work():
        yield [gen.Callback("key"), object()]

    with pytest.raises(gen.BadYieldError):
        await work()


async def test_results_are_released():
    class Value:
        pass

    @gen.coroutine
    def work():
        value = Value()
        found.append(weakref.ref(value))
        later(value, (yield gen.Callback("key")))
        del value
        yield gen.Wait("key")

    found = []
    await work()
    await asyncio.sleep(0)
    gc.collect()
    assert found[0]() is None


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("name", "argument"), [("Callback", "k"), ("Wait", "k"), ("WaitAll", ["k"])])
def test_each_yield_point_warns(name, argument):
    with pytest.warns(
        DeprecationWarning, match=f"gen.{name} is in the deprecated style of Tornado 4; await a Future"
    ) as caught:
        getattr(gen, name)(argument)
    assert caught[0].filename == __file__
    assert getattr(gen, name).__module__ == "tornado.gen"


@pytest.mark.parametrize("wait", [gen.sleep, lambda seconds: gen.Task(IOLoop.current().call_later, seconds)])
async def test_exception_of_a_callback_reaches_a_coroutine_that_waits_for_a_yield_point(wait):
    @gen.coroutine
    def work():
        (yield gen.Callback(1))()
        yield gen.Wait(1)
        IOLoop.current().add_callback(lambda: 1 / 0)
        try:
            yield wait(3600)
        except ZeroDivisionError:
            return "caught"

    assert await work() == "caught"


async def test_exception_of_a_callback_after_the_end_of_its_coroutine_is_logged(expect_log):
    @gen.coroutine
    def work():
        (yield gen.Callback(1))()
        yield gen.Wait(1)
        IOLoop.current().add_callback(lambda: 1 / 0)

    with expect_log("tornado.application", "Exception in callback"):
        await work()
        await asyncio.sleep(0)


async def test_native_coroutine_next_to_a_yield_point():
    async def native():
        await asyncio.sleep(0)
        return "native"

    @gen.coroutine
    def work():
        later("point", callback=(yield gen.Callback("key")))
        return (yield [native(), gen.Wait("key")])

    assert await work() == ["native", "point"]
