"""Error responses for handlers that could not be created: wrong arguments of the route, or an exception in
``initialize``, ``set_default_headers`` or the constructor.

The hooks of a partially constructed handler are not called, because they may depend on missing attributes. A
placeholder handler logs the error, with a note about the class and the route, and sends the default error
page.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from tornado import httputil
from tornado.template._errors import note_once
from tornado.web._errors import Finish, HTTPError
from tornado.web._execution._execution_state import handle_error
from tornado.web._handler import RequestHandler


class _PlaceholderHandler(RequestHandler):
    """Sends the error page in place of a handler that could not be created."""


def respond(
    application: Any,
    request: httputil.HTTPServerRequest,
    handler_class: type[RequestHandler],
    handler_kwargs: Any,
    error: Exception,
) -> RequestHandler:
    """Log `error`, raised by the construction of a `handler_class`, and send its error page: 500, or the
    status of an `HTTPError`.

    :returns: the placeholder handler.
    :raises Exception: `error` itself, if a response is impossible because the partially constructed handler
        has sent its head, or if the connection handles it (`HTTPInputError`).
    """
    connection: Any = request.connection
    if isinstance(error, httputil.HTTPInputError) or getattr(connection, "head_sent", False):
        raise error
    if not isinstance(error, HTTPError):
        note_once(error, _explanation(error, application, request, handler_class, handler_kwargs))
    handler = _PlaceholderHandler(application, request)
    if connection is not None:
        connection.set_close_callback(None)  # remove the callback of the partially constructed handler
    if isinstance(error, Finish):
        error = RuntimeError("Finish was raised before the handler was created").with_traceback(
            error.__traceback__
        )
    handle_error(handler, error)
    return handler


def _is_about_arguments(error: Exception, handler_class: type[RequestHandler]) -> bool:
    """Whether the route's arguments may have caused an error: not if ``set_default_headers`` raised it."""
    hooks = {
        getattr(hook, "__code__", None) for hook in (handler_class.clear, handler_class.set_default_headers)
    }
    return all(frame.f_code not in hooks for frame, _ in traceback.walk_tb(error.__traceback__))


def _explanation(
    error: Exception,
    application: Any,
    request: httputil.HTTPServerRequest,
    handler_class: type[RequestHandler],
    handler_kwargs: Any,
) -> str:
    name = f"{handler_class.__module__}.{handler_class.__qualname__}"
    text = (
        f"This was raised while a {name} was being created{_route_of(application, request, handler_class)}."
    )
    if not _is_about_arguments(error, handler_class):
        return text
    if isinstance(handler_kwargs, Mapping):
        shown = ", ".join(map(repr, handler_kwargs)) or "none"
        text += (
            f" The route's third element is passed to its initialize() as keyword arguments (here: {shown})."
        )
    else:
        text += (
            " The route's third element must be a dict of keyword arguments for its initialize(), got "
            f"{handler_kwargs!r}."
        )
    return text


def _route_of(
    application: Any, request: httputil.HTTPServerRequest, handler_class: type[RequestHandler]
) -> str:
    """Return a phrase for the message about the route that led to `handler_class`, or "" if it is unknown."""
    try:
        rule = application.wildcard_router.first_rule(request)
    except Exception:  # raised by a matcher of the program
        return ""
    if rule is None or rule.target is not handler_class:
        return ""
    regex = getattr(rule.matcher, "regex", None)
    shown = repr(regex.pattern) if regex is not None else repr(rule)
    return f" for the route {shown}" + (f" (named {rule.name!r})" if rule.name else "")


__all__ = ["respond"]
