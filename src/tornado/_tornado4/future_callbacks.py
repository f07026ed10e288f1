"""Results of Futures, handed to callbacks on the loop and in the context of whoever asked.

What a callback raises goes to the handlers of stack contexts, or to the log.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from tornado._tornado4.deprecation import deprecated
from tornado.ioloop import IOLoop


def pass_result(future: asyncio.Future[Any], callback: Callable[[Any], Any]) -> None:
    """Call ``callback(result)`` when ``future`` is done; its exception is raised on the loop, like any
    callback's.
    """
    IOLoop.current().add_future(future, lambda done: callback(done.result()))


def start_for_callback(awaitable: Any, callback: Callable[[Any], Any]) -> asyncio.Future[Any]:
    """Have ``awaitable`` run though nobody awaits it, and `pass_result`.

    :returns: its Future.
    """
    future: asyncio.Future[Any] = asyncio.ensure_future(awaitable)
    pass_result(future, callback)
    return future


def tell_done(future: asyncio.Future[Any], callback: Callable[[], Any]) -> asyncio.Future[Any]:
    """Call ``callback()`` when ``future`` has succeeded.

    :returns: ``future``, whose exception nobody is told of if it is not looked at.
    """

    def done(future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            callback()

    IOLoop.current().add_future(future, done)
    return future


def call_with_callback(
    func: Callable[..., Any], run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> asyncio.Future[Any] | None:
    """Do what ``run(*args, **kwargs)`` refused to, if the fault was a ``callback`` argument.

    :arg run: gives a Future of what ``func`` returns.
    :returns: that Future, its result on the way to the callback; None if the call is wrong in another way, or
        ``func`` has a ``callback`` of its own.
    """
    rest = {name: value for name, value in kwargs.items() if name != "callback"}
    try:
        signature = inspect.signature(func)
    except ValueError:  # a function of C that does not tell
        return None
    if _fits(signature, args, kwargs) or not _fits(signature, args, rest):
        return None
    name = getattr(func, "__qualname__", repr(func))
    callback = kwargs["callback"]
    if callback is not None:
        deprecated(f"{name}(callback=...)", "await the Future that it returns")
    future: asyncio.Future[Any] = run(*args, **rest)
    if callback is not None:
        pass_result(future, callback)
    return future


def _fits(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def report_response(
    future: asyncio.Future[Any], callback: Callable[[Any], Any], failed: Callable[[BaseException], Any]
) -> None:
    """Call ``callback(response)`` when a fetch is over, whatever came of it.

    :arg failed: makes a response of an exception.
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
                response = failed(error)
        callback(response)

    IOLoop.current().add_future(future, done)
