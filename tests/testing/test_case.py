"""The test case with an event loop, tested by running small test cases."""

from __future__ import annotations

import asyncio
import sys
import unittest

import pytest

from tests.testing.cases import faults, passes, run
from tornado import testing
from tornado.ioloop import IOLoop
from tornado.testing import AsyncTestCase, gen_test


def test_each_test_has_a_separate_loop():
    loops = []

    class Case(AsyncTestCase):
        def test(self):
            assert IOLoop.current() is self.io_loop
            loops.append(self.io_loop)

    passes(Case)
    passes(Case)
    assert loops[0] is not loops[1]
    assert all(loop.asyncio_loop.is_closed() for loop in loops)


def test_wait_and_stop():
    class Case(AsyncTestCase):
        def test(self):
            self.io_loop.add_callback(self.stop, 1)
            assert self.wait() == 1
            self.io_loop.add_callback(self.stop, a=1, b=2)
            assert self.wait() == {"a": 1, "b": 2}
            self.stop("before")
            assert self.wait() == "before"
            self.io_loop.add_callback(self.stop)
            assert self.wait(timeout=0) is None
            with pytest.raises(TypeError, match="not both"):
                self.stop(1, a=2)

    passes(Case)


def test_wait_for_a_condition():
    class Case(AsyncTestCase):
        def test(self):
            seen = []

            def step():
                seen.append(1)
                self.stop()
                if len(seen) < 3:
                    self.io_loop.add_callback(step)

            self.io_loop.add_callback(step)
            self.wait(condition=lambda: len(seen) == 3)
            assert len(seen) == 3

    passes(Case)


def test_wait_timeout():
    class Case(AsyncTestCase):
        def test(self):
            with pytest.raises(self.failureException, match=r"timed out after 0\.001 seconds"):
                self.wait(timeout=0.001)
            self.io_loop.call_later(0.01, self.stop, "second")
            assert self.wait(timeout=5) == "second"

    passes(Case)


def test_handled_exception_is_raised_by_wait():
    class Case(AsyncTestCase):
        def fail_later(self):
            try:
                raise ValueError("reported")
            except ValueError:
                self._handle_exception(*sys.exc_info())

        def test(self):
            self.io_loop.add_callback(self.fail_later)
            with pytest.raises(ValueError, match="reported"):
                self.wait()

        def test_without_wait(self):
            self.fail_later()

    passes(Case)
    assert "ValueError: reported" in faults(run(Case, "test_without_wait"))


def test_second_handled_exception_is_logged(expect_log):
    class Case(AsyncTestCase):
        def test(self):
            for each in (ValueError("first"), KeyError("second")):
                self._handle_exception(type(each), each, None)

    with expect_log("tornado.application", "multiple unhandled exceptions"):
        assert "ValueError: first" in faults(run(Case))


def test_remaining_tasks_are_cancelled():
    ended = []

    class Case(AsyncTestCase):
        async def forever(self):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cleaned up")

        async def stubborn(self):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError from None

        @gen_test
        async def test(self):
            self.tasks = [asyncio.ensure_future(self.forever()), asyncio.ensure_future(self.stubborn())]
            await asyncio.sleep(0)

    passes(Case)
    assert ended == ["cleaned up"]


def test_undecorated_generator_or_coroutine_fails():
    class Case(AsyncTestCase):
        def test_generator(self):
            yield

        async def test_coroutine(self):
            pass

        def test_value(self):
            return 42

        @unittest.skip("reason")
        def test_skipped(self):
            yield

    for name in ("test_generator", "test_coroutine"):
        assert "should be decorated with tornado.testing.gen_test" in faults(run(Case, name))
    assert "Return value from test method ignored" in faults(run(Case, "test_value"))
    assert len(run(Case, "test_skipped").skipped) == 1


def test_get_new_ioloop_override():
    class Case(AsyncTestCase):
        def get_new_ioloop(self):
            self.made = IOLoop(make_current=False)
            return self.made

        def test(self):
            assert self.io_loop is self.made

    passes(Case)


def test_setup_with_context_manager():
    order = []

    class Manager:
        def __enter__(self):
            order.append("enter")
            return 7

        def __exit__(self, *exc_info):
            order.append("exit")

    class Case(unittest.TestCase):
        def setUp(self):
            self.value = testing.setup_with_context_manager(self, Manager())

        def test(self):
            order.append(self.value)

    passes(Case)
    assert order == ["enter", 7, "exit"]


# run_coroutines


class ModernCase(AsyncTestCase):
    run_coroutines = True

    def setUp(self):
        super().setUp()
        self.calls = ["setUp"]

    async def asyncSetUp(self):
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is self.io_loop.asyncio_loop
        self.calls.append("asyncSetUp")

    async def asyncTearDown(self):
        await asyncio.sleep(0)
        self.calls.append("asyncTearDown")

    def tearDown(self):
        self.calls.append("tearDown")
        super().tearDown()


def result_and_calls(case, name="test"):
    made, result = case(name), unittest.TestResult()
    made.run(result)
    return faults(result), made.calls


def test_run_coroutines():
    class Case(ModernCase):
        async def test(self):
            await asyncio.sleep(0)
            self.calls.append("test")

        def test_plain(self):
            self.calls.append("test")

    for name in ("test", "test_plain"):
        assert result_and_calls(Case, name) == (
            "",
            ["setUp", "asyncSetUp", "test", "asyncTearDown", "tearDown"],
        )


def test_failures_with_run_coroutines(monkeypatch):
    class Case(ModernCase):
        async def test(self):
            await asyncio.sleep(0)
            raise KeyError("inside")

        async def test_late(self):
            await asyncio.Future()  # here

        async def test_value(self):
            return 42

        def test_generator(self):
            yield

    for name, text in [
        ("test", "KeyError: 'inside'"),
        ("test_late", "# here"),
        ("test_value", "Return value from test method ignored"),
        ("test_generator", "should be decorated with tornado.testing.gen_test"),
    ]:
        monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "0.001" if name == "test_late" else "30")
        seen, calls = result_and_calls(Case, name)
        assert text in seen
        assert calls == ["setUp", "asyncSetUp", "asyncTearDown", "tearDown"]


def test_loop_is_closed_when_async_teardown_fails():
    class Case(ModernCase):
        async def asyncTearDown(self):
            raise KeyError("inside")

        async def test(self):
            pass

    seen, calls = result_and_calls(Case)
    assert "KeyError: 'inside'" in seen
    assert calls == ["setUp", "asyncSetUp", "tearDown"]


def test_async_setup_is_not_called_without_run_coroutines():
    """Some programs define such methods on test cases for Tornado, and call them."""

    class Case(ModernCase):
        run_coroutines = False

        def test(self):
            self.io_loop.run_sync(self.asyncSetUp)

    assert result_and_calls(Case) == ("", ["setUp", "asyncSetUp", "tearDown"])


def test_timeout_after_a_failed_callback_raises_its_exception(monkeypatch, expect_log):
    monkeypatch.delitem(sys.modules, "tornado._tornado4.stack_contexts", raising=False)

    class Case(AsyncTestCase):
        def test(self):
            self.io_loop.add_callback(lambda: {}["first"])
            self.io_loop.add_callback(lambda: {}["second"])
            with (
                expect_log("tornado.application", "multiple unhandled exceptions in test"),
                expect_log("tornado.application", "Exception in callback"),
                pytest.raises(KeyError, match="first") as caught,
            ):
                self.wait(timeout=0.001)
            assert caught.value.__notes__ == ["Async operation timed out after 0.001 seconds"]
            with pytest.raises(self.failureException, match="timed out"):
                self.wait(timeout=0.001)

    passes(Case)


def test_failed_callback_does_not_end_a_wait_that_is_stopped(monkeypatch, expect_log):
    monkeypatch.delitem(sys.modules, "tornado._tornado4.stack_contexts", raising=False)

    class Case(AsyncTestCase):
        def test(self):
            reported = []
            self.io_loop.handle_callback_exception = reported.append
            self.io_loop.add_callback(lambda: 1 / 0)
            self.io_loop.add_callback(self.stop, "stopped")
            assert self.wait() == "stopped"
            assert len(reported) == 1
            assert self.io_loop.handle_callback_exception == reported.append

    passes(Case)


@pytest.mark.filterwarnings("ignore:.*style of Tornado 4")
def test_failed_callback_ends_the_wait_of_a_program_with_stack_contexts():
    from tornado.stack_context import NullContext, wrap

    class Case(AsyncTestCase):
        def test(self):
            self.io_loop.add_callback(lambda: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                self.wait(timeout=0)
            self.io_loop.asyncio_loop.call_soon(wrap(lambda: [].pop()))
            with pytest.raises(IndexError):
                self.wait(timeout=0)
            with NullContext():
                self.io_loop.add_callback(self.stop, "stopped")
            assert self.wait(timeout=0) == "stopped"

    passes(Case)
