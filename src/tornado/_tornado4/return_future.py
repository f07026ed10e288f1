"""``concurrent.return_future``: make a function with a ``callback`` argument return a Future."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated
from tornado._tornado4.stack_contexts import UnwarnedExceptionStackContext, call, wrapped
from tornado.concurrent import Future, ReturnValueIgnoredError
from tornado.ioloop import IOLoop
from tornado.util import ArgReplacer

__all__ = ["return_future"]

_NOTHING: Any = object()


def return_future(f: Callable[..., Any]) -> Callable[..., asyncio.Future[Any]]:
    """Decorate a function that passes its result to a ``callback`` argument, so that it returns a Future.

    If the caller passes a callback, the callback is also called with the result. An exception of the
    function, or of a callback that it started, becomes the exception of the Future.

    :param f: a function that calls its ``callback`` argument with the result, or without arguments if the
        result is None. It must return None.

    Deprecated: write a coroutine, or create a Future in the function.
    """
    deprecated("concurrent.return_future", "write an async def function")
    replacer = ArgReplacer(f, "callback")

    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = Future()
        values = []

        def set_result(value: Any = _NOTHING) -> None:
            values.append(value)
            if not future.done():
                future.set_result(None if value is _NOTHING else value)

        callback, new_args, new_kwargs = replacer.replace(set_result, args, kwargs)
        returned = None
        with UnwarnedExceptionStackContext(functools.partial(_set_exception, future)):
            returned = f(*new_args, **new_kwargs)
        if returned is not None:
            raise ReturnValueIgnoredError(
                f"{f.__qualname__} returned a value; with return_future, pass the result to the callback"
            )
        if callback is not None:
            _run_callback(future, wrapped(callback), values)
        return future

    return wrapper


def _set_exception(
    future: asyncio.Future[Any], kind: type[BaseException], error: BaseException, trace: Any
) -> bool:
    if future.done():
        return False
    future.set_exception(error)
    return True


def _run_callback(future: asyncio.Future[Any], callback: Callable[..., Any], values: list[Any]) -> None:
    def done(future: asyncio.Future[Any]) -> None:
        result = future.result()
        if values and values[0] is _NOTHING:
            callback()
        else:
            callback(result)

    if not future.done():
        IOLoop.current().add_future(future, done)
    elif future.exception() is not None:
        future.result()  # raises the exception in the caller
    else:
        call(functools.partial(done, future))


export(globals(), module="tornado.concurrent")
