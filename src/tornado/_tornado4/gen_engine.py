"""``gen.engine`` and ``gen.Task``: generators that call functions with a ``callback`` argument."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from tornado import gen
from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated
from tornado._tornado4.stack_contexts import UnwarnedExceptionStackContext
from tornado._tornado4.yield_points import single_argument_callback
from tornado.concurrent import Future
from tornado.ioloop import IOLoop

__all__ = ["Task", "engine"]


def engine(func: Callable[..., Any]) -> Callable[..., None]:
    """Decorate a generator function so that a call runs it as a coroutine but returns None.

    ::

        @gen.engine
        def load(key, callback):
            row = yield gen.Task(database.get, key)
            callback(row["text"])

    An exception is passed to the handlers of the active stack contexts, or logged if none handles it.

    Deprecated: `coroutine` returns a Future, and ``async def`` needs no decorator.
    """
    deprecated("gen.engine", "write an async def function")
    start = gen.coroutine(func)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        future = start(*args, **kwargs)
        if future.done():
            _check_result(func, future)
        else:
            IOLoop.current().add_future(future, functools.partial(_check_result, func))

    return wrapper


def _check_result(func: Callable[..., Any], future: asyncio.Future[Any]) -> None:
    if future.result() is not None:
        raise gen.ReturnValueIgnoredError(
            f"{func.__qualname__} returned a value, but the caller of a gen.engine function receives None"
        )


def Task(func: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Future[Any]:
    """Call ``func(*args, callback=..., **kwargs)`` and return a Future of the argument of the callback.

    :returns: a Future. Its result is the callback's argument, or None if the callback is called without one,
        or an ``Arguments`` tuple for several. An exception of ``func``, or of a callback that it started,
        becomes the exception of the Future.

    Deprecated: a function that returns a Future can be awaited directly.
    """
    deprecated("gen.Task", "await the Future that the function returns")
    future: asyncio.Future[Any] = Future()

    def handle_error(kind: type[BaseException], error: BaseException, trace: Any) -> bool:
        if future.done():
            return False
        future.set_exception(error)
        return True

    def set_result(value: Any) -> None:
        if not future.done():
            future.set_result(value)

    with UnwarnedExceptionStackContext(handle_error):
        func(*args, callback=single_argument_callback(set_result), **kwargs)
    return future


export(globals(), module="tornado.gen")
