"""The values that handler methods return.

A response is what a handler has written. Returning the body instead is a common mistake, since other
frameworks work that way; the client then gets an empty 200. Tornado ignores the value of an ``async def``
silently. Here it is a `TypeError` with ``debug=True``, and a warning otherwise, so that programs which return
something by habit keep working.
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
    from tornado.web._handler import RequestHandler

_FUTURES = (concurrent.futures.Future, type(gen.moment))


def name_of(handler: RequestHandler, name: str | None) -> str:
    """Return ``Class.method()`` for messages.

    :param name: of the method; None for the one named after the request's.
    """
    return f"{type(handler).__name__}.{name or handler.request.method.lower()}()"


def problem(handler: RequestHandler, name: str | None, value: Any) -> str:
    """Return what is wrong with returning `value`, and what to write instead."""
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


def check(handler: RequestHandler, name: str | None, awaited: Any, value: Any) -> None:
    """Report a value, not None, that an asynchronous method has returned.

    Futures are ignored, so that ``return self.finish(...)`` stays right. A method that returns a Future of
    something else, such as ``return client.fetch(...)``, is not responsible for the result: then only text
    and dicts are reported, which were meant as the body.

    :param name: of the method; None for the one named after the request's.
    :param awaited: what the method returned; `value` is its result.
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
    """Whether nothing is lost with `value`: it is None, a Future, or a sequence of these, which is what
    `asyncio.gather` returns for coroutines without results.
    """
    if value is None or asyncio.isfuture(value) or isinstance(value, _FUTURES):
        return True
    return isinstance(value, (list, tuple)) and bool(value) and all(map(_is_void, value))


def _is_coroutine(handler: RequestHandler, name: str | None, awaited: Any) -> bool:
    """Whether the method is a coroutine, whose result is the value that its ``return`` statement names."""
    if isinstance(awaited, types.CoroutineType):
        return True
    method = getattr(type(handler), name or handler.request.method.lower(), None)
    return gen.is_coroutine_function(method)


__all__ = ["check", "name_of", "problem"]
