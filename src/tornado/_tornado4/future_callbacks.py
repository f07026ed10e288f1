"""Pass the results of Futures to callbacks, on the current loop and in the context of the caller.

An exception in a callback is passed to the handlers of the active stack contexts, or logged if none handles
it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from tornado._tornado4.deprecation import deprecated
from tornado.ioloop import IOLoop


def pass_result(future: asyncio.Future[Any], callback: Callable[[Any], Any]) -> None:
    """Call ``callback(result)`` when ``future`` is done.

    An exception of ``future`` is handled like an exception that a callback of the loop raises.
    """
    IOLoop.current().add_future(future, lambda done: callback(done.result()))


def start_for_callback(awaitable: Any, callback: Callable[[Any], Any]) -> asyncio.Future[Any]:
    """Schedule ``awaitable`` as a task, and pass its result to ``callback``.

    :returns: the Future of the result.
    """
    future: asyncio.Future[Any] = asyncio.ensure_future(awaitable)
    pass_result(future, callback)
    return future


def call_when_done(future: asyncio.Future[Any], callback: Callable[[], Any]) -> asyncio.Future[Any]:
    """Call ``callback()`` when ``future`` has succeeded.

    :returns: ``future``. Its exception is marked as retrieved, so it is not logged.
    """

    def done(future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            callback()

    IOLoop.current().add_future(future, done)
    return future


def call_with_callback(
    func: Callable[..., Any], run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> asyncio.Future[Any] | None:
    """Repeat a failed call ``run(*args, **kwargs)`` without its ``callback``, if this argument caused the
    error.

    :param func: the function that ``run`` calls.
    :param run: a function that returns a Future of the result of ``func``.
    :returns: the Future, whose result will be passed to the callback; None if the call failed for another
        reason, or if ``func`` has a parameter named ``callback``.
    """
    other_kwargs = {name: value for name, value in kwargs.items() if name != "callback"}
    try:
        signature = inspect.signature(func)
    except ValueError:  # a C function without a signature
        return None
    if _accepts(signature, args, kwargs) or not _accepts(signature, args, other_kwargs):
        return None
    name = getattr(func, "__qualname__", repr(func))
    callback = kwargs["callback"]
    if callback is not None:
        deprecated(f"{name}(callback=...)", "await the Future that it returns")
    future: asyncio.Future[Any] = run(*args, **other_kwargs)
    if callback is not None:
        pass_result(future, callback)
    return future


def _accepts(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def pass_response(
    future: asyncio.Future[Any], callback: Callable[[Any], Any], make_response: Callable[[BaseException], Any]
) -> None:
    """Call ``callback(response)`` when a fetch is done, whether it succeeded or failed.

    :param make_response: creates a response from an exception.
    """

    def done(future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            response = future.result()
        else:
            response = getattr(error, "response", None)
            if response is None:
                response = make_response(error)
        callback(response)

    IOLoop.current().add_future(future, done)
