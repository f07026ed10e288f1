"""What is answered where a handler could not be made: wrong arguments of its route, an error in
``initialize``, in ``set_default_headers`` or in the constructor.

A handler that was made by half is not asked for anything more; its hooks may count on what is not there. An
object of our own stands in for it: it logs the error, with a note that names class and route, and sends a
plain page.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tornado import httputil
from tornado.template._errors import note_once
from tornado.web._errors import Finish, HTTPError
from tornado.web._handler import RequestHandler

if TYPE_CHECKING:
    from tornado.web._application import Application


class _PlaceholderHandler(RequestHandler):
    """Answers in place of a handler that could not be made."""


def answer(
    application: Application,
    request: httputil.HTTPServerRequest,
    handler_class: type[RequestHandler],
    handler_kwargs: Any,
    error: Exception,
) -> RequestHandler:
    """Log `error`, which making a `handler_class` has raised, and send the page for it: 500, or what an
    `HTTPError` says.

    :returns: the handler that has answered.
    :raises Exception: `error` itself, where there is nothing to answer any more (the half-made handler has
        sent its head), or where it is about the request (`HTTPInputError`), which the connection answers.
    """
    connection: Any = request.connection
    if isinstance(error, httputil.HTTPInputError) or getattr(connection, "head_sent", False):
        raise error
    if not isinstance(error, HTTPError):
        note_once(error, _explanation(error, application, request, handler_class, handler_kwargs))
    handler = _PlaceholderHandler(application, request)
    if connection is not None:
        connection.set_close_callback(None)  # the half-made handler's own
    if isinstance(error, Finish):
        error = RuntimeError("Finish was raised before the handler was made").with_traceback(
            error.__traceback__
        )
    handler._handle_request_exception(error)
    return handler


def _is_about_arguments(error: Exception) -> bool:
    """Whether an error may have come of the route's arguments: not if it came of the first headers."""
    return all(frame.f_code.co_name != "clear" for frame, _ in traceback.walk_tb(error.__traceback__))


def _explanation(
    error: Exception,
    application: Application,
    request: httputil.HTTPServerRequest,
    handler_class: type[RequestHandler],
    handler_kwargs: Any,
) -> str:
    name = f"{handler_class.__module__}.{handler_class.__qualname__}"
    text = f"This was raised while a {name} was being made{_route_of(application, request, handler_class)}."
    if not _is_about_arguments(error):
        return text
    if isinstance(handler_kwargs, Mapping):
        shown = ", ".join(map(repr, handler_kwargs)) or "it is empty"
        text += (
            f" The route's third element is passed to its initialize() as keyword arguments (here: {shown})."
        )
    else:
        text += (
            " The route's third element must be a dict of keyword arguments for its initialize(), not "
            f"{handler_kwargs!r}."
        )
    return text


def _route_of(
    application: Application, request: httputil.HTTPServerRequest, handler_class: type[RequestHandler]
) -> str:
    """Name the route that has led to `handler_class`, where it is among the application's own."""
    try:
        rule = application.wildcard_router.first_rule(request)
    except Exception:  # a matcher of the program's
        return ""
    if rule is None or rule.target is not handler_class:
        return ""
    regex = getattr(rule.matcher, "regex", None)
    shown = repr(regex.pattern) if regex is not None else repr(rule)
    return f" for the route {shown}" + (f" (named {rule.name!r})" if rule.name else "")


__all__ = ["answer"]
