"""The handler that serves an exchange, found by the coroutine that runs it.

An exchange does not refer to its handler, because such a reference would cost time in each request. A handler
that waits is a local variable of a suspended coroutine, where it is found when the log must name it.
"""

from __future__ import annotations

from typing import Any

from tornado.log import escape_controls
from tornado.web._execution._response import ResponseOwner


def describe(exchange: Any) -> str:
    """Return a description of the request of an exchange: its method and target and, if its handler is
    waiting, the class of the handler and the age of the request.
    """
    handler = _handler_of(exchange.task) or _handler_of(exchange.input.waiting)
    if handler is not None:
        return describe_handler(handler)
    return f"{exchange.head.method} {escape_controls(exchange.head.target)}"


def describe_handler(handler: Any) -> str:
    """Return the method and target of a handler's request, the class of the handler, and the time since the
    beginning of the request.
    """
    request = handler.request
    name, age = type(handler).__name__, request.request_time()
    return f"{request.method} {escape_controls(request.uri)} {name}, {age:.1f} s"


def _handler_of(future: Any) -> ResponseOwner | None:
    """Return the handler that a task runs, or None if it is unknown."""
    coroutine = future.get_coro() if hasattr(future, "get_coro") else None
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        variables = {} if frame is None else frame.f_locals
        for name in ("handler", "self"):
            if isinstance(variables.get(name), ResponseOwner):
                return variables[name]  # type: ignore[no-any-return]
        coroutine = getattr(coroutine, "cr_await", None)
    return None


__all__ = ["describe", "describe_handler"]
