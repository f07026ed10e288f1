"""Coroutines as test methods."""

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
    """Decorate a coroutine, native or a generator, to be a test method of an `AsyncTestCase`.

    :arg func: the method.
    :arg timeout: seconds it may take; `get_async_test_timeout` where it is left out.
    :raises TimeoutError: from the test method, with a traceback that leads to where it was waiting.

    ``@gen_test``, or ``@gen_test(timeout=10)``.
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
            _raise_where_it_waits(error, waiting)
            raise

    return run


def _native_start(method: Callable[..., Any]) -> Callable[..., Any]:
    async def start(waiting: list[Any], /, *args: Any, **kwargs: Any) -> Any:
        try:
            return await method(*args, **kwargs)
        except asyncio.CancelledError as interruption:
            waiting.append(interruption)  # its traceback leads to the line
            raise

    return start


def _generator_start(method: Callable[..., Any]) -> Callable[..., Any]:
    @gen.coroutine
    def start(waiting: list[Any], /, *args: Any, **kwargs: Any) -> Any:
        made = method(*args, **kwargs)
        if isinstance(made, Generator):
            waiting.append(made)
        return made

    return start


def _raise_where_it_waits(error: TimeoutError, waiting: list[Any]) -> None:
    """Raise a test's timeout so that its traceback names the line where the test waits."""
    for each in waiting:
        if isinstance(each, asyncio.CancelledError):
            raise error from each
        # A generator that has ended has raised this error itself; it was not for the test as a whole.
        if getattr(each, "gi_frame", None) is not None:
            try:
                each.throw(error)
            except StopIteration:
                pass
