"""``gen.engine`` and ``gen.Task``: generators among functions that call back."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from tornado import gen
from tornado._export import export
from tornado._tornado4.deprecation import deprecated
from tornado._tornado4.stack_contexts import Handling
from tornado._tornado4.yield_points import single
from tornado.concurrent import Future
from tornado.ioloop import IOLoop

__all__ = ["Task", "engine"]


def engine(func: Callable[..., Any]) -> Callable[..., None]:
    """Decorate a generator that runs by itself: its caller gets nothing.

    ::

        @gen.engine
        def load(key, callback):
            row = yield gen.Task(database.get, key)
            callback(row["text"])

    An exception goes to the handlers of stack contexts, or to the log.

    Deprecated: `coroutine` gives a Future to its caller, and ``async def`` needs no decorator.
    """
    deprecated("gen.engine", "write an async def function")
    start = gen.coroutine(func)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        future = start(*args, **kwargs)
        if future.done():
            _check(func, future)
        else:
            IOLoop.current().add_future(future, functools.partial(_check, func))

    return wrapper


def _check(func: Callable[..., Any], future: asyncio.Future[Any]) -> None:
    if future.result() is not None:
        raise gen.ReturnValueIgnoredError(
            f"{func.__qualname__} returned a value, which nobody can receive under gen.engine"
        )


def Task(func: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Future[Any]:
    """Call ``func(*args, callback=..., **kwargs)`` and give a Future of what the callback is called with.

    :returns: its result is the callback's argument, None without one, an ``Arguments`` tuple for several.
        What ``func``, or a callback that it has started, raises is the Future's exception.

    Deprecated: a function that gives a Future can be awaited as it is.
    """
    deprecated("gen.Task", "await the Future that the function returns")
    future: asyncio.Future[Any] = Future()

    def failed(kind: type[BaseException], error: BaseException, trace: Any) -> bool:
        if future.done():
            return False
        future.set_exception(error)
        return True

    def settle(value: Any) -> None:
        if not future.done():
            future.set_result(value)

    with Handling(failed):
        func(*args, callback=single(settle), **kwargs)
    return future


export(globals(), module="tornado.gen")
