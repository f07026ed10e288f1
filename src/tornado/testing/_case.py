"""Test cases with an event loop."""

from __future__ import annotations

import asyncio
import inspect
import sys
import unittest
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Any, TypeVar

from tornado._tornado4.legacy_arguments import stack_contexts
from tornado.ioloop import IOLoop
from tornado.log import app_log
from tornado.testing._gen_test import gen_test
from tornado.testing._timeout import get_async_test_timeout

_T = TypeVar("_T")


def setup_with_context_manager(testcase: unittest.TestCase, cm: AbstractContextManager[_T]) -> _T:
    """Enter a context manager, usually in ``setUp``, and exit it after the test.

    This function is equivalent to `unittest.TestCase.enterContext`.

    :returns: the result of entering ``cm``.
    """
    return testcase.enterContext(cm)


class AsyncTestCase(unittest.TestCase):
    """A test case that creates an event loop for each test, in ``self.io_loop``.

    An asynchronous test method is a coroutine with the decorator `gen_test`. In the older style, a method
    starts an operation and calls `wait`, and a callback calls `stop` to end the wait::

        def test_old_style(self):
            self.io_loop.call_later(0.01, self.stop, "result")
            self.assertEqual(self.wait(), "result")

    A test method that returns a generator, a coroutine or another value fails, because such a test would
    never run. If a class or one of its bases sets ``run_coroutines = True``, coroutines are run::

        class ModernTest(AsyncHTTPTestCase):
            run_coroutines = True

            async def asyncSetUp(self):
                self.database = await connect()

            async def test_front_page(self):
                response = await self.http_client.fetch(self.get_url("/"))
    """

    #: Whether to run test methods that are coroutines, as if decorated with `gen_test`, and to call
    #: `asyncSetUp` and `asyncTearDown`, each with a timeout of `get_async_test_timeout` seconds. It is false
    #: by default, because in Tornado such a test is an error, and a program may have methods called
    #: `asyncSetUp` and `asyncTearDown`.
    run_coroutines: bool = False

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)
        self._stopped = False
        self._waiting = False
        self._stop_value: Any = None
        self._failure: BaseException | None = None
        self._callback_errors: list[BaseException] = []

    def setUp(self) -> None:
        """Create the loop, and make it the current loop."""
        super().setUp()
        #: The loop of this test.
        self.io_loop: IOLoop = self.get_new_ioloop()
        asyncio.set_event_loop(_asyncio_loop(self.io_loop))

    def tearDown(self) -> None:
        """Cancel the remaining tasks, and close the loop and all file descriptors that it watches."""
        loop = _asyncio_loop(self.io_loop)
        if not loop.is_closed():
            _cancel_tasks(loop)
        asyncio.set_event_loop(None)
        self.io_loop.close(all_fds=True)
        super().tearDown()
        self._raise_failure()

    def get_new_ioloop(self) -> IOLoop:
        """Create the loop for a test, which is closed after the test. A subclass may override this method."""
        loop: IOLoop = IOLoop(make_current=False)
        return loop

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test, and raise the exception stored by ``_handle_exception``, unless `wait` has raised it.

        In a program that uses `tornado.stack_context`, exceptions of callbacks that the test started are
        reported in the same way.
        """
        contexts = stack_contexts()
        handle = self._handle_exception
        with nullcontext() if contexts is None else contexts.UnwarnedExceptionStackContext(handle):
            outcome = super().run(result)
        self._raise_failure()
        return outcome

    async def asyncSetUp(self) -> None:
        """Prepare a test. This method is called in its loop, after `setUp`, if ``run_coroutines`` is true."""

    async def asyncTearDown(self) -> None:
        """Clean up after a test. This method is called in its loop, before `tearDown`, if ``run_coroutines``
        is true.
        """

    def _callSetUp(self) -> None:
        super()._callSetUp()  # type: ignore[misc]
        if self.run_coroutines:
            self._run_coroutine(self.asyncSetUp())

    def _callTearDown(self) -> None:
        try:
            if self.run_coroutines:
                self._run_coroutine(self.asyncTearDown())
        finally:
            super()._callTearDown()  # type: ignore[misc]

    def _run_coroutine(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        @gen_test
        async def finish(_: AsyncTestCase) -> Any:
            return await coroutine

        return finish(self)

    def _callTestMethod(self, method: Callable[[], Any]) -> None:
        value = method()
        if self.run_coroutines and inspect.iscoroutine(value):
            value = self._run_coroutine(value)
        if value is None:
            return
        if inspect.iscoroutine(value):
            value.close()  # prevents the warning that the coroutine was never awaited
        if inspect.iscoroutine(value) or isinstance(value, Generator):
            raise TypeError(
                "Generator and coroutine test methods should be decorated with tornado.testing.gen_test "
                f"(or set run_coroutines = True in their class): {self.id()} was called but has not run"
            )
        raise ValueError(f"Return value from test method ignored: {self.id()} returned {value!r}")

    def _handle_exception(
        self, typ: type[BaseException], value: BaseException, tb: TracebackType | None
    ) -> bool:
        """Store an exception, which is raised when the current `wait` or the test ends."""
        if self._failure is None:
            self._failure = value.with_traceback(tb)
        else:
            app_log.error("multiple unhandled exceptions in test", exc_info=(typ, value, tb))
        self.stop()
        return True

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def stop(self, _arg: Any = None, **kwargs: Any) -> None:
        """End the current `wait`, or the next one.

        :param _arg: the return value of `wait`.
        :param kwargs: the items of a dict that is the return value of `wait`, instead of `_arg`.
        """
        if _arg is not None and kwargs:
            raise TypeError("stop() takes one positional argument or keyword arguments, not both")
        self._stop_value = kwargs or _arg
        self._stopped = True
        if self._waiting:
            self._waiting = False
            self.io_loop.stop()

    def wait(self, condition: Callable[[], bool] | None = None, timeout: float | None = None) -> Any:
        """Run the loop until `stop` is called.

        :param condition: a function. If it returns false when `stop` is called, the loop continues.
        :param timeout: the maximum time, in seconds; by default `get_async_test_timeout`, 0 for no limit.
        :returns: the argument of `stop`.
        :raises AssertionError: if the timeout expires. If a callback has raised an exception, which is the
            likely cause, that exception is raised instead.
        """
        if timeout is None:
            timeout = get_async_test_timeout()
        if not self._stopped:
            timer = self.io_loop.call_later(timeout, self._wait_expired, timeout) if timeout else None
            try:
                with self._collecting_callback_errors():
                    self._run_until_stopped(condition)
            finally:
                if timer is not None:
                    self.io_loop.remove_timeout(timer)
        self._stopped = False
        self._raise_failure()
        value, self._stop_value = self._stop_value, None
        return value

    def _run_until_stopped(self, condition: Callable[[], bool] | None) -> None:
        while True:
            self._waiting = True
            self.io_loop.start()
            if self._failure is not None or condition is None or condition():
                return

    def _wait_expired(self, timeout: float) -> None:
        message = f"Async operation timed out after {timeout} seconds"
        if not self._callback_errors:
            self._failure = self.failureException(message)
        for error in self._callback_errors:
            error.add_note(message)
            self._handle_exception(type(error), error, error.__traceback__)
        self.stop()

    @contextmanager
    def _collecting_callback_errors(self) -> Iterator[None]:
        """Collect the exceptions of the loop's callbacks, which are also logged."""
        attributes = vars(self.io_loop)
        name, log = "handle_callback_exception", self.io_loop.handle_callback_exception
        replaced = name in attributes

        def note(callback: Callable[[], Any]) -> None:
            error = sys.exc_info()[1]
            if error is not None:
                self._callback_errors.append(error)
            log(callback)

        attributes[name] = note
        try:
            yield
        finally:
            if replaced:
                attributes[name] = log
            else:
                del attributes[name]
            self._callback_errors.clear()


def _asyncio_loop(io_loop: IOLoop) -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = io_loop.asyncio_loop
    return loop


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    remaining = asyncio.all_tasks(loop)
    for task in remaining:
        task.cancel()
    if remaining:
        # Exceptions caused by the cancellation are not failures of the test.
        loop.run_until_complete(asyncio.wait(remaining))
        for task in remaining:
            if not task.cancelled():
                task.exception()
