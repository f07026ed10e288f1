"""Errors in the body of a request, which the handler turns into an error response.

If a body exceeds the limit of the handler's class, a handler of that class sends the error response, with its
own error page and headers, and the request is logged. Likewise, an exception raised by ``data_received`` of a
handler that streams its body leads to an error response by that handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from tornado.gen import convert_yielded
from tornado.web._errors import HTTPError
from tornado.web._execution._execution_state import cancellation_of, execution_of, handle_error
from tornado.web._execution._response import response_of
from tornado.web._input import _body_limits


def limit(delegate: Any) -> None:
    """Set the limits of a handler's class on the connection, which calls `respond` if a limit is exceeded."""
    connection = delegate.connection
    _body_limits.apply(delegate.handler_class, connection)
    if getattr(connection, "max_body_size", None) is not None:
        connection.on_body_too_large = lambda: respond(delegate)


def limit_own(handler: Any) -> None:
    """Set on the connection the limits that ``prepare`` of a streaming handler has set on ``self``."""
    attributes = handler.__dict__
    if "max_body_size" in attributes or "max_form_size" in attributes or "body_timeout" in attributes:
        connection = handler.request.connection
        _body_limits.apply(handler, connection)
        if "max_body_size" in attributes and getattr(connection, "max_body_size", None) is not None:
            connection.on_body_too_large = lambda: fail(handler, too_large(handler, handler.request))


def too_large(owner: Any, request: Any) -> HTTPError:
    """Return an error that names the exceeded limit and the class that defines it."""
    cls = owner if isinstance(owner, type) else type(owner)
    length = request.headers.get("Content-Length")
    description = "the body" if length is None else f"a body of {length} bytes"
    name = f"{cls.__name__}.max_body_size"
    return HTTPError(
        413, "%s is larger than %s (%s bytes)", description, name, request.connection.max_body_size
    )


def respond(delegate: Any) -> None:
    """Respond to a body that exceeds the limit of the handler's class."""
    error = too_large(delegate.handler_class, delegate.request)
    if delegate.stream_request_body:
        fail(delegate.handler, error)
    else:
        delegate.send_error_response(error)


def fail(handler: Any, error: BaseException) -> None:
    """Raise `error` in a handler that is waiting for the end of its body, so that it sends an error page.

    If the handler has finished, the error is only logged.
    """
    if not execution_of(handler).fail_body(error) and response_of(handler).state.ended:
        handle_error(handler, error)


async def feed_data(handler: Any, part: Awaitable[None]) -> None:
    """Await the result of ``data_received``; the body is not read in the meantime."""
    cancellation = cancellation_of(handler)
    if cancellation is not None and asyncio.iscoroutine(part):
        part = cancellation.run_additional(part)
    try:
        await (part if asyncio.iscoroutine(part) else convert_yielded(part))
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        fail(handler, error)
