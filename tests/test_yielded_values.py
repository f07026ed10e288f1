"""Values that can be awaited, and awaiting several of them together."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import OrderedDict
from concurrent import futures

import pytest

from tornado import gen
from tornado._yielded_values import convert_yielded, moment, multi
from tornado.ioloop import IOLoop


def done(value):
    future = asyncio.Future()
    future.set_result(value)
    return future


def failed(error):
    future = asyncio.Future()
    future.set_exception(error)
    return future


async def native(value):
    await asyncio.sleep(0)
    return value


async def test_future_is_returned_unchanged():
    for future in (asyncio.Future(), futures.Future()):
        assert convert_yielded(future) is future


async def test_none_is_moment():
    assert convert_yielded(None) is moment
    assert convert_yielded(moment) is moment
    assert repr(moment) == "<gen.moment>"


async def test_awaitable_becomes_a_task():
    class Late:
        def __await__(self):
            return native(3).__await__()

    assert await convert_yielded(native(2)) == 2
    assert await convert_yielded(Late()) == 3


@pytest.mark.parametrize(
    "start",
    [lambda function: convert_yielded(function()), lambda function: IOLoop.current().add_callback(function)],
    ids=["convert_yielded", "add_callback"],
)
async def test_background_task_is_not_garbage_collected(start):
    """A loop has only weak references to its Tasks, and only this Task refers to the awaited Future."""
    ends = []

    async def waits():
        mine = asyncio.Future()
        try:
            await mine
        finally:
            ends.append("it ended")

    start(waits)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    assert ends == []
    (task,) = asyncio.all_tasks() - {asyncio.current_task()}
    task.cancel()
    await asyncio.wait([task])
    reference = weakref.ref(task)
    del task
    await asyncio.sleep(0)
    assert ends == ["it ended"]
    assert reference() is None


async def test_awaiting_moment_lets_others_run():
    order = []
    asyncio.get_running_loop().call_soon(order.append, "other")
    await moment
    order.append("self")
    assert order == ["other", "self"]


@pytest.mark.parametrize("value", [1, "text", (1, 2), {1, 2}, object()])
async def test_unsupported_values_raise_bad_yield_error(value):
    with pytest.raises(gen.BadYieldError, match="cannot wait for"):
        convert_yielded(value)


async def test_registered_type_is_converted():
    class Deferred:
        pass

    @convert_yielded.register(Deferred)
    def _(deferred):
        return done("converted")

    assert await convert_yielded(Deferred()) == "converted"
    assert await multi([Deferred(), done(1)]) == ["converted", 1]


async def test_names_are_exported_by_gen():
    assert gen.multi is multi is gen.multi_future is gen.Multi
    assert {each.__module__ for each in (multi, convert_yielded, gen.BadYieldError)} == {"tornado.gen"}


async def test_results_keep_the_order_of_the_children():
    first, second = asyncio.Future(), asyncio.Future()
    both = multi([first, second, done(3)])
    second.set_result(2)
    await asyncio.sleep(0)
    assert not both.done()
    first.set_result(1)
    assert await both == [1, 2, 3]


async def test_completed_children_give_completed_future():
    assert multi([done(1), moment]).result() == [1, None]
    assert multi([]).result() == []
    assert multi({}).result() == {}


async def test_dicts_and_nested_lists():
    assert await multi(OrderedDict(b=native(1), a=done(2))) == {"b": 1, "a": 2}
    assert await multi([[native(1), done(2)], {"x": native(3)}]) == [[1, 2], {"x": 3}]
    assert await multi(native(n) for n in range(3)) == [0, 1, 2]


async def test_same_future_twice():
    future = asyncio.Future()
    both = multi([future, future])
    future.set_result(1)
    assert await both == [1, 1]


async def test_first_exception_in_order_is_raised_when_all_are_done(expect_log):
    late = asyncio.Future()
    both = multi([late, failed(ValueError("early"))])
    await asyncio.sleep(0)
    assert not both.done()
    late.set_exception(KeyError("late"))
    with expect_log("tornado.application", "Multiple exceptions in yield list") as log:
        with pytest.raises(KeyError, match="late"):
            await both
    assert str(log.records[0].exc_info[1]) == "early"


async def test_same_failed_future_twice_is_not_logged():
    future = failed(ValueError())
    with pytest.raises(ValueError):
        await multi([future, future])


async def test_quiet_exceptions_are_not_logged():
    with pytest.raises(OSError):
        await multi([failed(OSError()), failed(KeyError())], quiet_exceptions=(KeyError, IndexError))


async def test_cancelled_child_counts_as_failed():
    child = asyncio.Future()
    both = multi([child, native(1)])
    child.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
    assert not both.cancelled()


async def test_cancelling_does_not_cancel_the_children():
    child = asyncio.Future()
    both = multi([child])
    both.cancel()
    child.set_result(1)
    await asyncio.sleep(0)
    assert both.cancelled()
    assert child.result() == 1


async def test_multi_accepts_futures_of_executors():
    with futures.ThreadPoolExecutor(2) as pool:
        assert await multi([pool.submit(lambda: 1), pool.submit(lambda: 2)]) == [1, 2]
    finished = futures.Future()
    finished.set_result(3)
    assert multi([finished]).result() == [3]


async def test_ten_thousand_children():
    children = [asyncio.Future() for _ in range(10_000)]
    all_of_them = multi(children)
    for number, child in enumerate(children):
        child.set_result(number)
    assert await all_of_them == list(range(10_000))
