"""Generator coroutines, the Runner, and functions that wait for Futures."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import gc
import inspect
import threading
import weakref
from concurrent import futures

import pytest

from tests.support.gen import runner_of
from tests.support.references import find_garbage, gc_disabled
from tornado import gen
from tornado.ioloop import IOLoop

variable = contextvars.ContextVar("variable", default="unset")


@gen.coroutine
def plain(value):
    return value


@gen.coroutine
def turn(value=None):
    yield gen.moment
    return value


# Coroutines


async def test_coroutine_without_wait_returns_completed_future(monkeypatch):
    monkeypatch.setattr(gen, "Runner", None)  # to make the creation of a Runner fail
    assert plain(1).result() == 1

    @gen.coroutine
    def finishes_without_a_yield():
        return 2
        yield

    assert finishes_without_a_yield().result() == 2


async def test_coroutine_waiting_for_completed_futures_returns_completed_future():
    @gen.coroutine
    def outer():
        return (yield plain(1)) + (yield [plain(2), plain(3)])[1]

    assert outer().result() == 4


async def test_coroutine_runs_synchronously_until_first_wait(loop_kind):
    order = []

    @gen.coroutine
    def writes():
        order.append("first step")
        yield gen.moment
        order.append("second step")
        return "value"

    future = writes()
    order.append("caller")
    assert not future.done()
    assert await future == "value"
    assert order == ["first step", "caller", "second step"]


async def test_gen_return_exception():
    @gen.coroutine
    def early():
        raise gen.Return(1)

    @gen.coroutine
    def late():
        yield gen.moment
        raise gen.Return(2)

    @gen.coroutine
    def nothing():
        yield gen.moment
        raise gen.Return

    assert await gen.multi([early(), late(), nothing()]) == [1, 2, None]
    assert gen.Return(3).value == 3
    assert gen.Return(3).args == (3,)


async def test_exceptions_are_stored_in_the_future():
    @gen.coroutine
    def early():
        raise ValueError("early")

    @gen.coroutine
    def early_in_generator():
        raise ValueError("early")
        yield

    @gen.coroutine
    def late():
        yield gen.moment
        raise ValueError("late")

    for make, text in ((early, "early"), (early_in_generator, "early"), (late, "late")):
        future = make()
        with pytest.raises(ValueError, match=text):
            await future


async def test_exceptions_are_thrown_into_the_generator():
    @gen.coroutine
    def fails():
        yield gen.moment
        raise ValueError

    @gen.coroutine
    def survives():
        try:
            yield fails()
        except ValueError:
            yield gen.moment
        return "survived"

    @gen.coroutine
    def replaces():
        try:
            yield fails()
        except ValueError:
            raise KeyError from None

    assert await survives() == "survived"
    with pytest.raises(KeyError):
        await replaces()


async def test_exception_after_caught_one_has_no_context():
    @gen.coroutine
    def fails():
        yield gen.moment
        raise ValueError

    @gen.coroutine
    def catches():
        try:
            yield fails()
        except ValueError:
            pass
        raise KeyError

    with pytest.raises(KeyError) as caught:
        await catches()
    assert caught.value.__context__ is None


async def test_bad_yield_raises_inside_the_generator():
    @gen.coroutine
    def bad():
        with pytest.raises(gen.BadYieldError, match="'text'"):
            yield "text"
        yield gen.moment
        with pytest.raises(gen.BadYieldError, match="42"):
            yield 42
        return "caught both"

    assert await bad() == "caught both"


async def test_yielding_native_coroutines(loop_kind):
    async def native(value):
        await asyncio.sleep(0)
        return value

    @gen.coroutine
    def outer():
        one = yield native(1)
        two = yield from native(2)
        three = yield asyncio.create_task(native(3))
        yield from asyncio.sleep(0)
        yield None
        four, five = yield [native(4), turn(5)]
        return [one, two, three, four, five]

    assert await outer() == [1, 2, 3, 4, 5]


async def test_decorating_a_native_coroutine(loop_kind):
    @gen.coroutine
    async def native(value):
        before = asyncio.current_task()
        await asyncio.sleep(0)
        assert asyncio.current_task() is before
        return value

    assert gen.is_coroutine_function(native)
    assert await native(1) == 1


def test_decorated_native_coroutine_called_before_the_loop_runs():
    @gen.coroutine
    async def native():
        return variable.get()

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        assert loop.run_until_complete(native()) == "unset"
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def test_yielding_executor_future():
    first = futures.Future()
    threads = []

    @gen.coroutine
    def outer():
        value = yield first
        threads.append(threading.current_thread())
        return value

    waiting = outer()
    await asyncio.get_running_loop().run_in_executor(None, first.set_result, 7)
    assert await waiting == 7
    assert threads == [threading.current_thread()]


def test_executor_future_completed_after_loop_closed():
    late = futures.Future()

    @gen.coroutine
    def outer():
        yield late

    async def begin():
        return outer()

    with asyncio.Runner() as runner:
        abandoned = runner.run(begin())
    late.set_result(None)
    assert not abandoned.done()


async def test_attributes_of_decorated_function():
    def function(a, b=2):
        """Text."""
        yield

    decorated = gen.coroutine(function)
    assert decorated.__wrapped__ is function
    assert (decorated.__name__, decorated.__doc__) == ("function", "Text.")
    assert list(inspect.signature(decorated).parameters) == ["a", "b"]
    assert gen.is_coroutine_function(decorated)
    for other in (function, test_attributes_of_decorated_function, None):
        assert not gen.is_coroutine_function(other)


# Cancellation


async def test_cancelled_wait_cancels_the_coroutine():
    inner = asyncio.Future()
    seen = []

    @gen.coroutine
    def outer():
        try:
            yield inner
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    future = outer()
    inner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await future
    assert future.cancelled()
    assert seen == ["cancelled"]


async def test_cancellation_can_be_caught():
    inner = asyncio.Future()

    @gen.coroutine
    def outer():
        try:
            yield inner
        except asyncio.CancelledError:
            return "caught"

    future = outer()
    inner.cancel()
    assert await future == "caught"


async def test_cancelled_error_before_the_first_wait():
    @gen.coroutine
    def outer():
        raise asyncio.CancelledError("why")

    with pytest.raises(asyncio.CancelledError, match="why"):
        await outer()


async def test_cancelling_the_result_does_not_stop_the_coroutine():
    inner = asyncio.Future()
    seen = []

    @gen.coroutine
    def outer():
        yield inner
        seen.append("went on")
        return 1

    future = outer()
    future.cancel()
    inner.set_result(None)
    await asyncio.sleep(0)
    assert seen == ["went on"]


async def test_exception_after_cancellation_is_logged(expect_log):
    inner = asyncio.Future()

    @gen.coroutine
    def outer():
        yield inner
        raise ValueError

    outer().cancel()
    with expect_log("tornado.application", "Exception after Future was cancelled"):
        inner.set_result(None)
        await asyncio.sleep(0)


# Context variables


async def test_coroutine_runs_in_a_copy_of_the_callers_context():
    @gen.coroutine
    def child(value, wait):
        assert variable.get() == "caller"
        variable.set(value)
        yield wait
        assert variable.get() == value
        yield gen.moment
        assert variable.get() == value

    variable.set("caller")
    yielded = asyncio.Future()
    both = gen.multi([child("a", yielded), child("b", gen.moment)])
    asyncio.get_running_loop().call_soon(yielded.set_result, None)
    await both
    assert variable.get() == "caller"


async def test_context_token_is_valid_in_a_later_step():
    @gen.coroutine
    def child():
        token = variable.set("inside")
        yield gen.moment
        variable.reset(token)
        return variable.get()

    variable.set("caller")
    assert await child() == "caller"


async def test_yielded_coroutine_sees_context_variables():
    async def native():
        return variable.get()

    @gen.coroutine
    def child():
        variable.set("inside")
        first = yield native()
        second = yield native()
        third = yield [native(), turn(1)]
        return first, second, third[0]

    assert await child() == ("inside", "inside", "inside")


# Lifetime


async def test_result_future_keeps_coroutine_alive():
    inner = []

    @gen.coroutine
    def outer():
        future = asyncio.Future()
        inner.append(weakref.ref(future))
        return (yield future)

    result = outer()
    gc.collect()
    inner[0]().set_result("alive")
    assert await result == "alive"


async def test_unreachable_coroutine_is_collected():
    class Witness:
        pass

    @gen.coroutine
    def forever():
        witness = Witness()
        witnesses.append(weakref.ref(witness))
        yield asyncio.Future()

    witnesses = []
    forever()
    gc.collect()
    assert witnesses[0]() is None


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("waits", [False, True])
async def test_finished_coroutine_leaves_no_cycle(waits, fails):
    class Witness:
        pass

    @gen.coroutine
    def work(witness):
        if waits:
            yield gen.moment
            yield [turn(1), turn(2)]
        if fails:
            raise ValueError(witness)

    async def drive():
        witness = Witness()
        try:
            await work(witness)
        except ValueError as error:
            error.__traceback__ = None  # the exception refers to this frame
        return weakref.ref(witness)

    reference = await drive()
    await asyncio.sleep(0)
    assert reference() is None


@pytest.mark.usefixtures("no_collector")
async def test_timeout_leaves_no_cycle():
    def message():
        return "too late"

    with pytest.raises(TimeoutError, match="too late"):
        await gen.with_timeout(0, asyncio.Future(), message=message)
    reference = weakref.ref(message)
    del message
    await asyncio.sleep(0)
    assert reference() is None


class Marked(Exception):
    """An exception whose instances can be found among the objects that the garbage collector tracks."""


@gen.coroutine
def fails_when_called():
    raise Marked


@gen.coroutine
def fails_in_its_first_step():
    raise Marked
    yield


@gen.coroutine
def fails_after_completed_wait():
    yield plain(1)
    raise Marked


@gen.coroutine
def fails_late():
    yield asyncio.sleep(0)
    yield gen.moment
    raise Marked


@gen.coroutine
def reraises(inner):
    yield inner()


@gen.coroutine
def reraises_late(inner):
    yield gen.moment
    yield reraises(inner)


@gen.coroutine
def catches(inner):
    try:
        yield inner()
    except Marked:
        yield gen.moment


@gen.coroutine
def reraises_one_of_two(inner):
    yield gen.multi([inner(), inner()], quiet_exceptions=Marked)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "inner", [fails_when_called, fails_in_its_first_step, fails_after_completed_wait, fails_late]
)
@pytest.mark.parametrize("outer", [reraises, reraises_late, catches, reraises_one_of_two])
async def test_exception_leaves_no_cycle(outer, inner):
    # The Future must not be in a local variable here either, because the exception refers to this frame.
    (await asyncio.wait([outer(inner)]))[0].pop().exception()
    await asyncio.sleep(0)
    assert [each for each in gc.get_objects() if isinstance(each, Marked)] == []


# The Runner


async def test_runner_handle_exception():
    @gen.coroutine
    def waits():
        try:
            yield asyncio.Future()
        except ValueError as error:
            return f"got {error}"

    future = waits()
    runner = runner_of(future)
    assert runner.io_loop is IOLoop.current()
    assert not runner.finished
    error = ValueError("by hand")
    assert runner.handle_exception(ValueError, error, None)
    assert await future == "got by hand"
    assert runner.finished
    assert not runner.handle_exception(ValueError, error, None)
    runner.run()  # has no effect after the Runner has finished


async def test_runner_created_directly():
    def generator():
        number = yield plain(1)
        yield gen.moment
        return number

    made = generator()
    result = asyncio.Future()
    runner = gen.Runner(contextvars.copy_context().run, made, result, next(made))
    assert await result == 1
    assert runner.finished


def test_debug_mode_shows_the_caller():
    @gen.coroutine
    def waits():
        yield gen.moment

    async def begin():
        future = waits()
        text = repr(future)
        await future
        return text

    with asyncio.Runner(debug=True) as runner:
        assert f"created at {__file__}" in runner.run(begin())


# Waiting


async def test_maybe_future_wraps_other_values():
    future = asyncio.Future()
    assert gen.maybe_future(future) is future
    assert gen.maybe_future(3).result() == 3


async def test_sleep_ends_after_the_duration_and_can_be_cancelled(clock):
    before = clock()
    await gen.sleep(30)
    assert clock() - before == pytest.approx(30, abs=0.1)
    cancelled = gen.sleep(1)
    cancelled.cancel()
    await gen.sleep(2)


async def test_with_timeout_expires(clock):
    before = clock()
    with pytest.raises(TimeoutError, match="^Timeout$"):
        await gen.with_timeout(datetime.timedelta(seconds=10), asyncio.Future())
    assert clock() - before == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("message", ["too late", lambda: "too late"])
async def test_with_timeout_message(clock, message):
    with pytest.raises(TimeoutError, match="^too late$"):
        await gen.with_timeout(0, asyncio.Future(), message=message)


async def test_with_timeout_returns_result(clock):
    before = clock()
    limit = datetime.timedelta(seconds=10)
    called = []
    assert await gen.with_timeout(limit, gen.sleep(1), message=called.append) is None
    assert clock() - before == pytest.approx(1, abs=0.1)
    assert await gen.with_timeout(limit, turn("x")) == "x"
    with pytest.raises(gen.BadYieldError):
        gen.with_timeout(limit, 3)
    await gen.sleep(20)
    assert called == []


async def test_with_timeout_of_completed_future_starts_no_timer(monkeypatch):
    monkeypatch.setattr(IOLoop, "add_timeout", None)
    assert gen.with_timeout(0, plain(1)).result() == 1


async def test_with_timeout_raises_exception_of_future(clock):
    @gen.coroutine
    def fails():
        yield gen.sleep(1)
        raise ValueError

    with pytest.raises(ValueError):
        await gen.with_timeout(datetime.timedelta(seconds=2), fails())


async def test_with_timeout_of_cancelled_future(clock):
    inner = asyncio.Future()
    waiting = gen.with_timeout(datetime.timedelta(seconds=2), inner)
    inner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_exception_after_timeout_is_logged_unless_quiet(clock, expect_log):
    for quiet in ((), ValueError, (KeyError, ValueError)):
        inner = asyncio.Future()
        with pytest.raises(TimeoutError):
            await gen.with_timeout(0, inner, quiet_exceptions=quiet)
        inner.set_exception(ValueError("late"))
        with expect_log(
            "tornado.application", "Exception in Future .* after timeout", required=not quiet
        ) as log:
            await asyncio.sleep(0)
        assert len(log.records) == (0 if quiet else 1)


async def test_cancellation_after_timeout_is_not_logged(clock):
    inner = asyncio.Future()
    with pytest.raises(TimeoutError):
        await gen.with_timeout(0, inner)
    inner.cancel()
    await asyncio.sleep(0)


async def test_with_timeout_of_executor_future():
    waiting = futures.Future()
    with pytest.raises(TimeoutError):
        await gen.with_timeout(0, waiting)
    with futures.ThreadPoolExecutor(1) as pool:
        assert await gen.with_timeout(datetime.timedelta(seconds=20), pool.submit(int, "4")) == 4


def test_timeout_error_is_the_builtin():
    assert gen.TimeoutError is TimeoutError


# WaitIterator


async def test_wait_iterator_returns_results_in_completion_order():
    first, second = asyncio.Future(), asyncio.Future()
    iterator = gen.WaitIterator(first, second)
    second.set_result("b")
    assert await iterator.next() == "b"
    assert (iterator.current_index, iterator.current_future) == (1, second)
    first.set_exception(ValueError())
    with pytest.raises(ValueError):
        await iterator.next()
    assert iterator.current_index == 0
    assert iterator.done()
    assert iterator.current_index is None
    assert iterator.current_future is None


async def test_wait_iterator_with_names():
    iterator = gen.WaitIterator(late=turn(1), early=plain(2))
    seen = {}
    async for value in iterator:
        seen[iterator.current_index] = value
    assert list(seen.items()) == [("early", 2), ("late", 1)]


async def test_wait_iterator_without_futures():
    assert gen.WaitIterator().done()
    assert [value async for value in gen.WaitIterator()] == []


async def test_wait_iterator_rejects_names_and_positions_together():
    with pytest.raises(ValueError, match="not both"):
        gen.WaitIterator(plain(1), name=plain(2))


async def test_wait_iterator_with_the_same_future_twice():
    future = asyncio.Future()
    iterator = gen.WaitIterator(future, future)
    future.set_result(1)
    assert [(iterator.current_index, value) async for value in iterator] == [(0, 1), (1, 1)]


async def test_wait_iterator_with_cancelled_future():
    child = asyncio.Future()
    iterator = gen.WaitIterator(child)
    waiting = iterator.next()
    child.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert iterator.done()


async def test_wait_iterator_with_executor_futures():
    late = futures.Future()
    iterator = gen.WaitIterator(late)
    waiting = iterator.next()
    await asyncio.get_running_loop().run_in_executor(None, late.set_result, 7)
    assert await waiting == 7
    assert iterator.current_future is late
    with futures.ThreadPoolExecutor(3) as pool:
        iterator = gen.WaitIterator(*(pool.submit(int, each) for each in "123"))
        assert sorted([value async for value in iterator]) == [1, 2, 3]


def test_nested_coroutine_leaves_no_cycle() -> None:
    """Dask creates a coroutine in each client call; it refers to the data to send, which can be 200 MB."""

    class Large:
        pass

    def call():
        large = Large()

        @gen.coroutine
        def send():
            yield gen.moment
            return large

        return send()

    async def main() -> None:
        assert isinstance(await call(), Large)

    with gc_disabled():
        asyncio.run(main())
        assert not any(isinstance(each, Large) for each in find_garbage())
