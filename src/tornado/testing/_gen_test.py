"""The decorator for test methods that are coroutines."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any, ParamSpec, overload

from tornado import gen
from tornado.testing._timeout import get_async_test_timeout

_P = ParamSpec("_P")


@overload
def gen_test(
    func: None = None, timeout: float | None = None
) -> Callable[[Callable[_P, object]], Callable[_P, None]]: ...
@overload
def gen_test(func: Callable[_P, object], timeout: float | None = None) -> Callable[_P, None]: ...
def gen_test(func: Callable[..., Any] | None = None, timeout: float | None = None) -> Any:
    """Decorate a test method of an `AsyncTestCase` that is a native or generator-based coroutine.

    Use it as ``@gen_test`` or ``@gen_test(timeout=10)``.

    :param func: the method.
    :param timeout: the maximum time, in seconds; by default `get_async_test_timeout`.
    :raises TimeoutError: if the test times out; the traceback contains the line where the test was waiting.
    """
    if func is None:
        return functools.partial(gen_test, timeout=timeout)
    start = _native_start(func) if inspect.iscoroutinefunction(func) else _generator_start(func)

    @functools.wraps(func)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        limit = get_async_test_timeout() if timeout is None else timeout
        waiting: list[Any] = []
        try:
            return self.io_loop.run_sync(
                functools.partial(start, waiting, self, *args, **kwargs), timeout=limit
            )
        except TimeoutError as error:
            _raise_at_waiting_line(error, waiting)
            raise

    return run


def _native_start(method: Callable[..., Any]) -> Callable[..., Any]:
    async def start(waiting: list[Any], /, *args: Any, **kwargs: Any) -> Any:
        try:
            return await method(*args, **kwargs)
        except asyncio.CancelledError as cancellation:
            waiting.append(cancellation)  # the traceback of `cancellation` contains the line that was waiting
            raise

    return start


def _generator_start(method: Callable[..., Any]) -> Callable[..., Any]:
    @gen.coroutine
    def start(waiting: list[Any], /, *args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        if isinstance(result, Generator):
            waiting.append(result)
        return result

    return start


def _raise_at_waiting_line(error: TimeoutError, waiting: list[Any]) -> None:
    """Raise the timeout of a test with a traceback that contains the line where the test is waiting."""
    for each in waiting:
        if isinstance(each, asyncio.CancelledError):
            raise error from each
        # If the generator has ended, it raised this TimeoutError, and the test did not time out.
        if getattr(each, "gi_frame", None) is not None:
            try:
                each.throw(error)
            except StopIteration:
                pass
