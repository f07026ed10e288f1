"""The internals of `tornado.httputil` that tests access."""

from __future__ import annotations

from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest


def header_block(headers: HTTPHeaders) -> str:
    """Return the header section as it is sent."""
    return headers._serialize().decode("latin-1")


def request_from_head(connection: Any, head: Any) -> HTTPServerRequest:
    """Return the request that a server creates from a parsed head."""
    return HTTPServerRequest._from_head(connection, head)


def set_times(request: HTTPServerRequest, start: float, finish: float) -> None:
    """Set the times at which the request started and finished, in seconds."""
    request._start_time, request._finish_time = start, finish
