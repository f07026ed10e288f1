"""What a server's connection answers by itself, in place of its program.

The page is bare, the connection ends with it, and where a handler has begun to answer there is none.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado._wire import h1
from tornado._wire.dates import format_http_date
from tornado._wire.errors import (
    BodyTooLarge,
    ExpectationFailed,
    HeadTooLarge,
    MisdirectedRequest,
    RequestTargetTooLong,
)
from tornado.concurrent import Future
from tornado.http1connection import _lingering_close
from tornado.http1connection._state import State
from tornado.httputil import HTTPInputError, HTTPServerRequest, RequestStartLine, responses
from tornado.log import app_log, escape_controls, gen_log

if TYPE_CHECKING:
    from tornado._log_rate_limit import LogRateLimit
    from tornado.http1connection._exchange import HTTP1Connection
    from tornado.http1connection._server import HTTP1ServerConnection

# Octets of a head that could not be read, and of its target, that are logged.
_LONGEST_LINE = 400
_FIRST_LINE = re.compile(rb"([A-Za-z-]{1,20}) (\S{1,200})(\s)?")
_OVERSIZED = (BodyTooLarge, HeadTooLarge, RequestTargetTooLong)


def check(connection: HTTP1ServerConnection, head: h1.RequestHead) -> None:
    """Look for what no program is to be troubled with in a request that is well formed.

    RFC 9110 section 7.4 has an ``https`` target rejected that came in the clear, unless by a trusted gateway:
    one whose ``xheaders`` are believed, or that ``protocol="https"`` speaks of. To a program that forwards
    requests it would look like ``http``. The reverse, ``http`` under TLS, is served: no rule forbids it
    (RFC 8164 even offers it), and so writes every client of a forward proxy that is reached by TLS.

    :raises ExpectationFailed: if more is expected than ``100-continue``.
    :raises MisdirectedRequest: if the target is not to be had over this connection.
    """
    if head.expect_unknown:
        raise ExpectationFailed("the Expect field asks for something else than 100-continue")
    if (
        head.raw_target[:6].lower() == "https:"
        and getattr(connection.context, "protocol", None) == "http"
        and not getattr(connection._delegate, "xheaders", False)
    ):
        raise MisdirectedRequest("an https target on a connection without TLS (see protocol= and xheaders=)")


def refuse(connection: HTTP1ServerConnection, error: HTTPInputError) -> None:
    """Answer what cannot be understood or taken, where no answer has begun, and close."""
    if gen_log.isEnabledFor(logging.INFO):  # else the context need not be made
        kind = "Unsatisfiable read, oversized" if isinstance(error, _OVERSIZED) else "Malformed HTTP"
        text = kind + " message from %s: %s"
        connection.params._reports.log(kind, logging.INFO, text, connection.context, error)
    if isinstance(error, BodyTooLarge) and _has_answered(connection, connection._exchange):
        return
    answer_and_close(connection, error.status_code)


def answer_and_close(connection: HTTP1ServerConnection, code: int) -> None:
    """End the exchange, with a bare page where no answer has begun."""
    exchange, stream = connection._exchange, connection.stream
    reader, delegate = connection._reader, connection._delegate
    begun, head, coming = False, None, 0
    context = connection.context
    if exchange is not None:
        begun, head, context = exchange._head_sent, exchange._head, exchange.context
        coming = _lingering_close.body_left(exchange, reader)
    connection._abandon(State.CLOSING)
    if stream.closed():
        return
    if not begun:
        log = getattr(delegate, "log_refusal", None)
        if log is not None and _is_admitted(connection.params.refusals, code):
            _log(log, _refused_request(_Source(context), head, reader), code)
        _ = stream.write(_page(code, head is not None and head.method == "HEAD"))
    _lingering_close.close(connection, True, coming)


class _Source:
    """Where a refused request came from, in place of the exchange that it would have had."""

    def __init__(self, context: Any) -> None:
        self.context = context


def _is_admitted(refusals: LogRateLimit, code: int) -> bool:
    """Whether one more refused request may be logged within this second."""
    held_back = refusals.admit(str(code))
    if held_back:
        gen_log.warning("%d requests that were refused with %d are not in the access log", held_back, code)
    return held_back is not None


def _log(log: Callable[..., object], request: HTTPServerRequest, code: int) -> None:
    """Have the server write a refused request to the access log."""
    try:
        log(request, code)
    except Exception:
        app_log.error("Uncaught exception while a refused request was logged", exc_info=True)


def _refused_request(source: Any, head: h1.RequestHead | None, reader: h1.Reader) -> HTTPServerRequest:
    """Return what is known of a request that is refused: its head, or the beginning of its first line."""
    # Of an empty request of HTTP/1.0 nothing is checked; the real one may have been refused for its query.
    request = HTTPServerRequest(start_line=RequestStartLine("GET", "/", "HTTP/1.0"), connection=source)
    if head is None:
        request.method, request.uri = _first_line(reader.peek(_LONGEST_LINE))
        request.path, _, request.query = request.uri.partition("?")
    else:
        request.method, request.uri, request.version = head.method, head.target, head.version
        request.headers, request.path = head.headers, head.path
        request.host = request.headers.get("Host", request.host)
    return request


def _first_line(data: bytes) -> tuple[str, str]:
    """Return the method and the target that a malformed head seems to begin with, else ``-`` twice."""
    match = _FIRST_LINE.match(data.lstrip(b"\r\n"))
    if match is None:
        return "-", "-"
    method, target, end = (part.decode("latin-1") for part in match.groups(b""))
    return method, escape_controls(target) + ("" if end else "...")


def _page(code: int, is_head: bool) -> bytes:
    reason = responses.get(code, "Bad Request")
    body = f"{code} {reason}\n".encode()
    head = (
        f"Date: {format_http_date(time.time())}\r\n"  # RFC 9110 section 6.6.1: in each answer but 1xx and 5xx
        "Content-Type: text/plain; charset=UTF-8\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return h1.status_line("HTTP/1.1", code, reason) + head.encode() + (b"" if is_head else body)


def _has_answered(connection: HTTP1ServerConnection, exchange: HTTP1Connection | None) -> bool:
    """Whether the request's own handler answers, at once or soon, that its body is too large."""
    if exchange is None or exchange._oversized is None or exchange._head_sent or connection.stream.closed():
        return False
    answer, exchange._oversized = exchange._oversized, None
    exchange._waiting = Future()  # for good: nothing more is read
    assert exchange._run_context is not None
    try:
        exchange._run_context.run(answer)
    except (Exception, asyncio.CancelledError) as error:
        connection.failed(exchange, error)
    return True
