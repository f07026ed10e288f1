"""Traces of the requests of `.AsyncHTTPClient` through the API of OpenTelemetry."""

from __future__ import annotations

import functools
import threading
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import opentelemetry.propagate as propagate
from opentelemetry import trace

from tornado.concurrent import future_add_done_callback
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.web._observation._opentelemetry import scope
from tornado.web._observation._query_secrets import QuerySecrets

__all__ = ["trace_clients"]


#: The parameters of queries that client spans must not contain, for all applications of the process.
_secrets = QuerySecrets()
_wrapping = threading.Lock()


def trace_clients(secret_names: Any = ()) -> None:
    """Record a client span for each `.AsyncHTTPClient.fetch` of this process, and send its context.

    :param secret_names: further names of query parameters whose values spans must not contain.
    """
    _secrets.add(secret_names)
    with _wrapping:
        _wrap_fetch()


def _wrap_fetch() -> None:
    original = AsyncHTTPClient.fetch
    if getattr(original, "__wrapped__", None) is not None:
        return  # done before, or the program uses another instrumentation
    tracer = trace.get_tracer(*scope)

    @functools.wraps(original)
    def fetch(self: Any, request: Any, raise_error: Any = True, **kwargs: Any) -> Any:
        if "callback" in kwargs or callable(raise_error) or (isinstance(request, HTTPRequest) and kwargs):
            return original(self, request, raise_error, **kwargs)
        if not isinstance(request, HTTPRequest):
            request = HTTPRequest(request, **kwargs)
        span = tracer.start_span(
            request.method, kind=trace.SpanKind.CLIENT, attributes=_attributes(request.method, request.url)
        )
        headers = HTTPHeaders(request.headers)
        propagate.inject(headers, context=trace.set_span_in_context(span))
        request.headers = headers
        try:
            future = original(self, request, raise_error)
        except BaseException as error:
            _end(span, error, None)
            raise
        future_add_done_callback(future, functools.partial(_ended, span))
        return future

    AsyncHTTPClient.fetch = fetch  # type: ignore[method-assign]


def _attributes(method: str, url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    # The conventions forbid user names and passwords in the URL.
    netloc = parts.netloc.rpartition("@")[2]
    query, fragment = _secrets.scrub(parts.query), _secrets.scrub(parts.fragment)
    bare = urlunsplit((parts.scheme, netloc, parts.path, query, fragment))
    return {
        "http.request.method": method,
        "server.address": host,
        "server.port": port,
        "url.full": bare,
    }


def _ended(span: Any, future: Any) -> None:
    error = None if future.cancelled() else future.exception()
    has_response = error is None and not future.cancelled()
    _end(span, error, future.result().code if has_response else None)


def _end(span: Any, error: BaseException | None, status: int | None) -> None:
    if isinstance(error, HTTPClientError) and error.response is not None:
        status = error.code
    if status is not None:
        span.set_attribute("http.response.status_code", status)
        if status >= 400:
            span.set_attribute("error.type", str(status))
            span.set_status(trace.Status(trace.StatusCode.ERROR))
    elif error is not None:
        span.record_exception(error)
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(trace.Status(trace.StatusCode.ERROR))
    span.end()
