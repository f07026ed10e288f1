"""Error responses that a server's connection sends without the application.

Such a response has a short plain-text body, and the connection is closed after it. If a handler has begun its
own response, the connection is closed without an error response.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any

from tornado._log_rate_limit import LogRateLimit
from tornado._wire import h1
from tornado._wire.dates import format_http_date
from tornado._wire.errors import (
    BodyTooLarge,
    ExpectationFailed,
    HeadTooLarge,
    MisdirectedRequest,
    RequestTargetTooLong,
)
from tornado.http1connection._interfaces import Exchange, ServerConnection
from tornado.http1connection._states import ConnectionState
from tornado.httputil import HTTPInputError, HTTPServerRequest, RequestStartLine, responses
from tornado.log import app_log, escape_controls, gen_log

# The number of bytes of a malformed head that are searched for a method and a target to log.
_MAX_LOGGED_HEAD = 400
_FIRST_LINE = re.compile(rb"([A-Za-z-]{1,20}) (\S{1,200})(\s)?")
_OVERSIZED = (BodyTooLarge, HeadTooLarge, RequestTargetTooLong)


def check_head(connection: ServerConnection, head: h1.RequestHead) -> None:
    """Reject a well-formed request that the server cannot fulfil, before the application sees it.

    RFC 9110 section 7.4 requires that a request for an ``https`` target is rejected if it arrives without
    TLS, unless a trusted gateway sent it. A gateway is trusted if ``xheaders`` or ``protocol="https"`` is
    set. An application that forwards requests would otherwise treat the target as ``http``. The reverse, an
    ``http`` target over TLS, is accepted: no rule forbids it, RFC 8164 permits it, and clients send such
    targets to a forward proxy over TLS.

    :raises ExpectationFailed: if the Expect field has a value other than ``100-continue``.
    :raises MisdirectedRequest: if the target is ``https`` and the connection does not use TLS.
    """
    if head.expect_unknown:
        raise ExpectationFailed("unsupported Expect header: only 100-continue is accepted")
    if (
        head.raw_target[:6].lower() == "https:"
        and getattr(connection.context, "protocol", None) == "http"
        and not getattr(connection.delegate, "xheaders", False)
    ):
        raise MisdirectedRequest(
            "https target without TLS: set protocol='https' or xheaders=True behind a TLS proxy"
        )


def reject(connection: ServerConnection, error: HTTPInputError) -> None:
    """Respond to a malformed or oversized request, unless a response has begun, and close the connection."""
    if gen_log.isEnabledFor(logging.INFO):  # reading `connection.context` creates it
        kind = "Unsatisfiable read, oversized" if isinstance(error, _OVERSIZED) else "Malformed HTTP"
        text = kind + " message from %s: %s"
        connection.params.log_limit.log(kind, logging.INFO, text, connection.context, error)
    if isinstance(error, BodyTooLarge) and _handler_responds(connection, connection.exchange):
        return
    respond_and_close(connection, error.status_code)


def respond_and_close(connection: ServerConnection, code: int) -> None:
    """End the exchange and the connection; send an error response if no response has begun."""
    exchange, stream = connection.exchange, connection.stream
    begun, head = False, None
    context = connection.context
    if exchange is not None:
        begun, head, context = exchange.head_sent, exchange.head, exchange.context
    body_remaining = connection.body_remaining()
    connection.end_exchange(ConnectionState.CLOSING)
    if stream.closed():
        return
    if not begun:
        log = getattr(connection.delegate, "log_refusal", None)
        if log is not None and _is_admitted(connection.params.refusals, code):
            start = connection.peek(_MAX_LOGGED_HEAD) if head is None else b""
            _log(log, _refused_request(_ConnectionForLog(context), head, start), code)
        _ = stream.write(_error_response(code, head is not None and head.method == "HEAD"))
    connection.close_after_output(True, body_remaining)


class _ConnectionForLog:
    """Stands in for the connection when a rejected request is logged; it has only a context."""

    def __init__(self, context: Any) -> None:
        self.context = context


def _is_admitted(refusals: LogRateLimit, code: int) -> bool:
    """Whether another rejected request may be logged within the current second."""
    suppressed = refusals.admit(str(code))
    if suppressed:
        gen_log.warning("%d requests rejected with status %d were not logged (rate limit)", suppressed, code)
    return suppressed is not None


def _log(log: Callable[..., object], request: HTTPServerRequest, code: int) -> None:
    """Call `log`, the server's method that writes a rejected request to the access log."""
    try:
        log(request, code)
    except Exception:
        app_log.error("Uncaught exception while logging a rejected request", exc_info=True)


def _refused_request(source: Any, head: h1.RequestHead | None, start: bytes) -> HTTPServerRequest:
    """Return a request object for the access log.

    :param head: the head; None if it is malformed.
    :param start: the first bytes of a malformed head.
    """
    # The constructor raises an exception for an invalid head, so it is called with valid placeholders.
    request = HTTPServerRequest(start_line=RequestStartLine("GET", "/", "HTTP/1.0"), connection=source)
    if head is None:
        request.method, request.uri = _first_line(start)
        request.path, _, request.query = request.uri.partition("?")
    else:
        request.method, request.uri, request.version = head.method, head.target, head.version
        request.headers, request.path = head.headers, head.path
        request.host = request.headers.get("Host", request.host)
    return request


def _first_line(data: bytes) -> tuple[str, str]:
    """Return the method and the target that a malformed head seems to begin with, or ``-`` for both."""
    match = _FIRST_LINE.match(data.lstrip(b"\r\n"))
    if match is None:
        return "-", "-"
    method, target, end = (part.decode("latin-1") for part in match.groups(b""))
    return method, escape_controls(target) + ("" if end else "...")


def _error_response(code: int, is_head: bool) -> bytes:
    reason = responses.get(code, "Bad Request")
    body = f"{code} {reason}\n".encode()
    head = (
        f"Date: {format_http_date(time.time())}\r\n"  # RFC 9110 section 6.6.1: required except in 1xx and 5xx
        "Content-Type: text/plain; charset=UTF-8\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return h1.status_line("HTTP/1.1", code, reason) + head.encode() + (b"" if is_head else body)


def _handler_responds(connection: ServerConnection, exchange: Exchange | None) -> bool:
    """Call the handler's function that responds to a body that is too large, if a response is still possible.

    :returns: whether the handler has been called.
    """
    if (
        exchange is None
        or exchange.on_body_too_large is None
        or exchange.head_sent
        or connection.stream.closed()
    ):
        return False
    respond, exchange.on_body_too_large = exchange.on_body_too_large, None
    exchange.input.stop()
    assert exchange.run_context is not None
    try:
        exchange.run_context.run(respond)
    except (Exception, asyncio.CancelledError) as error:
        connection.failed(exchange, error)
    return True
