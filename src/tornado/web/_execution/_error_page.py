"""The default error page, as HTML or JSON.

Log messages are internal to the program and are not shown. The ``public_message`` of an exception is shown:
errors of arguments and JSON bodies have such a message, and programs may pass one to `HTTPError`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tornado import httputil
from tornado._wire.quality_values import MEDIA_RANGE, weights
from tornado.escape import xhtml_escape
from tornado.web._execution import _response, _response_fields

if TYPE_CHECKING:
    from tornado.web._execution._response import ResponseOwner

_MINIMAL_PAGE = (
    b"<html><title>500: Internal Server Error</title><body>500: Internal Server Error</body></html>"
)
_MAX_ACCEPT_LENGTH = 4096
# Media types that take precedence over a page if the Accept field lists them first or with a higher weight.
_TEXTS = re.compile(r"text/plain|application/(?:[a-z0-9.-]+\+)?json")


def write(handler: ResponseOwner, status_code: int, reason: str, exc_info: Any) -> None:
    """Finish the response with the default page of a status code.

    :param exc_info: the exception, as a triple like that of `sys.exc_info`, or None.
    """
    message = _public_message(exc_info)
    # Accept selects the form of the body (RFC 9110 section 12.5.5).
    handler.add_header("Vary", "Accept")
    if prefers_json(handler, exc_info):
        _finish_json(handler, {"status": status_code, "message": reason if message is None else message})
        return
    title = xhtml_escape(f"{status_code}: {reason}")
    paragraph = "" if message is None else f"<p>{xhtml_escape(message)}</p>"
    _ = handler.finish(f"<html><title>{title}</title><body>{title}{paragraph}</body></html>")


def write_json(handler: ResponseOwner, status_code: int, reason: str, exc_info: Any, traceback: str) -> None:
    """Finish the response with the JSON form of the default page, including a traceback."""
    message = _public_message(exc_info)
    handler.add_header("Vary", "Accept")
    shown = {"status": status_code, "message": reason if message is None else message, "traceback": traceback}
    _finish_json(handler, shown)


def _finish_json(handler: ResponseOwner, error: dict[str, Any]) -> None:
    handler.set_header("Content-Type", _response.JSON)
    _ = handler.finish(json.dumps({"error": error}))


def _public_message(exc_info: Any) -> str | None:
    message = None if exc_info is None else getattr(exc_info[1], "public_message", None)
    return message if isinstance(message, str) else None


def prefers_json(handler: ResponseOwner, exc_info: Any) -> bool:
    """Whether the client prefers JSON: its weight in ``Accept`` is greater than that of HTML (RFC 9110
    section 12.5.1), or the weights are equal and only JSON is listed by name: ``application/json, */*``.

    A public message is also sent as JSON if the body of the request was JSON.
    """
    accept = _response_fields.request_field(handler.request, "Accept") or ""
    if _public_message(exc_info) is not None:
        kind = _response_fields.request_field(handler.request, "Content-Type") or ""
        if "json" in kind.partition(";")[0].lower():
            return True
    if "json" not in accept.lower():
        return False
    found = dict(weights(accept, MEDIA_RANGE))
    as_json = max((weight for kind, weight in found.items() if "json" in kind), default=0)
    named = found.get("text/html")
    if named is not None:
        return as_json > named
    return as_json > 0 and as_json >= found.get("text/*", found.get("*/*", 0))


def wants_page(request: Any) -> bool:
    """Whether the Accept field lists HTML, and neither plain text nor JSON takes precedence over it.

    This is the case if a browser opens an address, but not if a script calls fetch() (RFC 9110 section
    12.5.1).
    """
    headers = request.headers
    if headers.get("X-Requested-With", "").lower() == "xmlhttprequest":
        return False
    page = text = 0
    for media_type, weight in weights(headers.get("Accept", "")[:_MAX_ACCEPT_LENGTH], MEDIA_RANGE):
        if media_type in ("text/html", "application/xhtml+xml"):
            page = max(page, weight)
        elif _TEXTS.fullmatch(media_type) and not (page and weight <= page):
            # If the weights are equal, the media type that is listed first takes precedence.
            text = max(text, weight)
    return page > text


def send_minimal(request: httputil.HTTPServerRequest) -> httputil.HTTPHeaders:
    """Send a constant page if the handler's own error page could not be sent.

    :returns: the headers that were sent.
    """
    connection: Any = request.connection
    headers = _response.default_headers()
    headers["Content-Length"] = str(len(_MINIMAL_PAGE))
    start_line = httputil.ResponseStartLine("", 500, "Internal Server Error")
    connection.write_headers(start_line, headers, None if request.method == "HEAD" else _MINIMAL_PAGE)
    connection.finish()
    return headers


__all__ = ["prefers_json", "send_minimal", "wants_page", "write", "write_json"]
