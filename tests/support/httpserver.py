"""The internals of `tornado.httpserver` that tests access."""

from __future__ import annotations

from typing import Any

import pytest

from tornado import httpserver, tcpserver
from tornado._log_rate_limit import LogRateLimit
from tornado.httpserver import HTTPServer
from tornado.log import gen_log


def connections(server: HTTPServer) -> set[Any]:
    """Return the open connections."""
    return server._connections


def timeouts(params: Any) -> tuple[float | None, float | None, float | None]:
    """Return the timeouts for a head, an idle connection and a TLS handshake, in seconds."""
    return params.head_timeout, params.idle_timeout, params.handshake_timeout


def max_header_count(params: Any) -> int:
    """Return the maximum number of header fields of a request."""
    count: int = params.limits.max_header_count
    return count


def reset_log_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset the rate limits of the log lines of servers."""
    for module in (httpserver, tcpserver):
        monkeypatch.setattr(module, "_log_limit", LogRateLimit(gen_log))


def address_of_socket(context: Any) -> str:
    """Return the address of the socket's peer, regardless of the header fields of a proxy."""
    address: str = context._orig_remote_ip
    return address
