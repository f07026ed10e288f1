"""Checks of the values that handler methods return.

The response consists of the handler's output. Returning the body instead is a common mistake, because other
frameworks work that way; the client then receives an empty 200. Tornado silently ignores the return value of
an ``async def``. Here, a `TypeError` is raised with ``debug=True``; otherwise a warning is logged, so that
programs which unintentionally return values continue to work.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import types
from typing import TYPE_CHECKING, Any

from tornado import gen
from tornado.web._warn_once import is_debugging, warn_once

if TYPE_CHECKING:
    from tornado.web._execution._response import ResponseOwner

_FUTURES = (concurrent.futures.Future, type(gen.moment))


def name_of(handler: ResponseOwner, name: str | None) -> str:
    """Return ``Class.method()`` for messages.

    :param name: the method's name; None for the method named after the request's HTTP method.
    """
    return f"{type(handler).__name__}.{name or handler.request.method.lower()}()"


def problem(handler: ResponseOwner, name: str | None, value: Any) -> str:
    """Return a message about the invalid return value `value`, with a correction."""
    method = name_of(handler, name)
    if isinstance(value, types.GeneratorType):
        return f"{method} is a generator: add @gen.coroutine, or use async def and await"
    return f"{method} should return None, got {type(value).__name__}; {_advice(value)}"


def _advice(value: Any) -> str:
    if isinstance(value, (str, bytes, dict)):
        return "write it with self.write(...)"
    if inspect.isawaitable(value):
        return "await it"
    if isinstance(value, tuple):
        return "set the status with self.set_status(...) and write the body with self.write(...)"
    if isinstance(value, list):
        return 'write it in a dict, with self.write({"items": [...]})'
    return "write the response with self.write(...)"


def check(handler: ResponseOwner, name: str | None, awaited: Any, value: Any) -> None:
    """Report a value, other than None, that an asynchronous method has returned.

    Futures are ignored, so that ``return self.finish(...)`` is accepted. A method that returns a Future of
    another object, such as ``return client.fetch(...)``, does not determine the type of the result. In this
    case only text and dicts are reported, which were probably intended as the body.

    :param name: the method's name; None for the method named after the request's HTTP method.
    :param awaited: the awaitable that the method returned; `value` is its result.
    :raises TypeError: with ``debug=True``.
    """
    if _is_void(value):
        return
    if not isinstance(value, (str, bytes, dict)) and not _is_coroutine(handler, name, awaited):
        return
    text = problem(handler, name, value)
    if is_debugging(handler):
        raise TypeError(text)
    warn_once(handler, f"return value of {name}", "%s. The value was ignored", text)


def _is_void(value: Any) -> bool:
    """Whether `value` can be ignored: it is None, a Future, or a sequence of these, such as the result of
    `asyncio.gather` for coroutines without results.
    """
    if value is None or asyncio.isfuture(value) or isinstance(value, _FUTURES):
        return True
    return isinstance(value, (list, tuple)) and bool(value) and all(map(_is_void, value))


def _is_coroutine(handler: ResponseOwner, name: str | None, awaited: Any) -> bool:
    """Whether the method is a coroutine function, so that the value is from its ``return`` statement."""
    if isinstance(awaited, types.CoroutineType):
        return True
    method = getattr(type(handler), name or handler.request.method.lower(), None)
    return gen.is_coroutine_function(method)


__all__ = ["check", "name_of", "problem"]
