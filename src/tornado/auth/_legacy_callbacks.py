"""Login methods in the style of Tornado 4: with a callback, or started without being awaited."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from tornado._tornado4.deprecation import deprecated
from tornado._tornado4.legacy_arguments import mark_coroutine
from tornado.auth._errors import AuthError
from tornado.httpclient import HTTPClientError
from tornado.ioloop import IOLoop
from tornado.log import gen_log

_P = ParamSpec("_P")
_T = TypeVar("_T")


def login_step(position: int) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Decorate an ``async def`` method of a mixin to accept a callback, as in Tornado 4.

    The callback is called with the result. If the provider rejects the request, the error is logged and the
    callback is called with None. Without a callback, the method is a coroutine function. In a handler that
    uses ``web.asynchronous``, the method starts when it is called, because such handlers do not always await
    it.

    :param position: the index of the callback in the positional arguments of Tornado 4.
    """

    def decorate(method: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(method)
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            callback = None
            # A `callback` that is not callable is an argument of a request to the provider.
            if callable(kwargs.get("callback")):
                callback = kwargs.pop("callback")
            elif len(args) > position and callable(args[position]):
                callback = args[position]
                args = args[:position] + args[position + 1 :]
            result: Any = cast(Any, method)(self, *args, **kwargs)
            if callback is not None:
                deprecated(f"{method.__qualname__}(callback=...)", "await the method instead")
                return _report(asyncio.ensure_future(result), callback)
            if not getattr(self, "_auto_finish", True):
                return asyncio.ensure_future(result)
            return result

        mark_coroutine(wrapper)
        return cast("Callable[_P, _T]", wrapper)

    return decorate


def _report(future: asyncio.Future[Any], callback: Callable[[Any], Any]) -> asyncio.Future[Any]:
    def done(future: asyncio.Future[Any]) -> None:
        try:
            result = future.result()
        except AuthError as error:
            gen_log.warning("Login failed, calling the callback with None: %s", error)
            result = None
        except HTTPClientError as error:
            gen_log.warning("Error response %s, calling the callback with None", error)
            result = None
        callback(result)

    IOLoop.current().add_future(future, done)
    return future
