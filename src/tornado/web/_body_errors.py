"""What happens when a request's body fails on its way to its handler: the handler answers.

A body that is larger than the handler's class allows is answered by a handler of that class, so that it gets
its own error page, its headers and its line in the access log. Likewise a handler that streams its body
answers what its ``data_received`` raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from tornado.gen import convert_yielded
from tornado.web import _body_limits
from tornado.web._errors import HTTPError


def limit(delegate: Any) -> None:
    """Hand the limits of a handler's class to the connection; what passes them comes back to `answer`."""
    connection = delegate.connection
    _body_limits.apply(delegate.handler_class, connection)
    if getattr(connection, "_max_body_size", None) is not None:
        connection._oversized = lambda: answer(delegate)


def limit_own(handler: Any) -> None:
    """The same for what ``prepare`` of a streaming handler has set on the object."""
    own = handler.__dict__
    if "max_body_size" in own or "max_form_size" in own or "body_timeout" in own:
        connection = handler.request.connection
        _body_limits.apply(handler, connection)
        if "max_body_size" in own and getattr(connection, "_max_body_size", None) is not None:
            connection._oversized = lambda: fail(handler, too_large(handler, handler.request))


def too_large(owner: Any, request: Any) -> HTTPError:
    """The error that names the limit which a body has passed, and the class that sets it."""
    cls = owner if isinstance(owner, type) else type(owner)
    length = request.headers.get("Content-Length")
    what = "the body" if length is None else f"a body of {length} bytes"
    name = f"{cls.__name__}.max_body_size"
    return HTTPError(413, "%s is over %s (%s bytes)", what, name, request.connection._max_body_size)


def answer(delegate: Any) -> None:
    """The body that `delegate` is taking is over the limit of its handler's class: have a handler say so."""
    error = too_large(delegate.handler_class, delegate.request)
    if delegate.stream_request_body:
        fail(delegate.handler, error)
    else:
        delegate.answer_error(error)


def fail(handler: Any, error: BaseException) -> None:
    """The handler, which waits for the end of its body, gets `error` instead, and answers it."""
    future = handler.request._body_future
    if not future.done():
        if isinstance(error, StopIteration):  # a Future takes any exception but this one
            error = RuntimeError("data_received() raised StopIteration").with_traceback(error.__traceback__)
        future.set_exception(error)
        future.exception()  # the handler may have finished without waiting for the body
    elif handler._finished:
        handler._handle_request_exception(error)  # logged, and that is all


async def fed(handler: Any, part: Awaitable[None]) -> None:
    """Await what ``data_received`` has returned; no more of the body is read before."""
    if handler._cancellation is not None and asyncio.iscoroutine(part):
        part = handler._cancellation.run_beside(part)
    try:
        await (part if asyncio.iscoroutine(part) else convert_yielded(part))
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        fail(handler, error)
