"""Traces of requests through the API of OpenTelemetry (the extra ``opentelemetry``).

Only the API is used: the program chooses an SDK and its exporter. Names and attributes follow the semantic
conventions for HTTP, version 1.
"""

from __future__ import annotations

import sys
from typing import Any
from weakref import WeakKeyDictionary

from tornado._version import waterspout_version
from tornado.routing import pattern_of_route
from tornado.web._execution._response_fields import request_field
from tornado.web._observation._followers import RequestFollower
from tornado.web._observation._histogram import DURATION_BOUNDS
from tornado.web._observation._query_secrets import QuerySecrets

try:
    import opentelemetry.propagate as propagate
    from opentelemetry import context, metrics, trace
    from opentelemetry.propagators.textmap import Getter
except ImportError:
    raise ImportError(
        "the setting opentelemetry requires the package opentelemetry-api: pip install opentelemetry-api"
    ) from None

__all__ = ["Telemetry", "scope"]

#: The name and version of the instrumentation scope.
scope = ("tornado.web", waterspout_version)
_METHODS = frozenset("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split())


class _FieldGetter(Getter[Any]):
    """Reads header fields for the propagation of a context."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        """Return the values of a field."""
        value = request_field(carrier, key)
        return None if value is None else [value]

    def keys(self, carrier: Any) -> list[str]:
        """Return the names of all fields."""
        return list(carrier.headers)


_getter = _FieldGetter()


class Telemetry(RequestFollower):
    """Records a server span, its duration and its body size for each request.

    The span is the current one while the handler runs, also in the tasks that the handler starts.

    :param secrets: the parameters of queries that spans must not contain.
    """

    def __init__(self, secrets: QuerySecrets) -> None:
        self._secrets = secrets
        self._tracer = trace.get_tracer(*scope)
        self._spans: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        meter = metrics.get_meter(*scope)
        self._durations = meter.create_histogram(
            "http.server.request.duration",
            unit="s",
            description="Durations of requests.",
            explicit_bucket_boundaries_advisory=list(DURATION_BOUNDS),
        )
        self._sizes = meter.create_histogram(
            "http.server.response.body.size", unit="By", description="Sizes of response bodies."
        )
        self._active = meter.create_up_down_counter(
            "http.server.active_requests", unit="{request}", description="Requests in flight."
        )

    def request_started(self, request: Any) -> None:
        """Start the span of a request in the context of its caller, and make it the current one."""
        route = pattern_of_route(request.matched_rule)
        method = _method(request)
        attributes: dict[str, Any] = {
            "http.request.method": method,
            "url.scheme": request.protocol,
            "url.path": request.path,
            "server.address": request.host_name,
            "network.protocol.version": request.version.rpartition("/")[2],
        }
        optional = {
            "http.route": route,
            "url.query": self._secrets.scrub(request.query) or None,
            "client.address": request.remote_ip,
            "user_agent.original": request_field(request, "User-Agent"),
            "http.request.method_original": request.method if method == "_OTHER" else None,
        }
        attributes.update({name: value for name, value in optional.items() if value is not None})
        verb = "HTTP" if method == "_OTHER" else method
        span = self._tracer.start_span(
            f"{verb} {route}" if route else verb,
            context=propagate.extract(request, getter=_getter),
            kind=trace.SpanKind.SERVER,
            attributes=attributes,
        )
        self._spans[request] = span
        # Not detached: the context of this request ends with it.
        context.attach(trace.set_span_in_context(span))
        self._active.add(1, _active_attributes(request))

    def request_finished(self, handler: Any, status: int, duration: float, size: int) -> None:
        """End the span of a request, with its status and its exception, if any."""
        request = handler.request
        span = self._spans.pop(request, None)
        attributes: dict[str, Any] = {
            **_active_attributes(request),
            "http.response.status_code": status,
            "network.protocol.version": request.version.rpartition("/")[2],
        }
        route = pattern_of_route(request.matched_rule)
        if route is not None:
            attributes["http.route"] = route
        if status >= 500:
            attributes["error.type"] = str(status)
        self._durations.record(duration, attributes)
        self._sizes.record(size, attributes)
        if span is None:
            return  # the server has refused the request
        self._active.add(-1, _active_attributes(request))
        if status >= 500:
            # The error page of a handler is sent while the exception is being handled.
            error = getattr(handler, "error", None) or sys.exc_info()[1]
            if isinstance(error, Exception):
                span.record_exception(error)
                attributes["error.type"] = f"{type(error).__module__}.{type(error).__qualname__}"
            span.set_attribute("error.type", attributes["error.type"])
            span.set_status(trace.Status(trace.StatusCode.ERROR))
        span.set_attribute("http.response.status_code", status)
        span.set_attribute("http.response.body.size", size)
        span.end()


def _method(request: Any) -> str:
    return request.method if request.method in _METHODS else "_OTHER"


def _active_attributes(request: Any) -> dict[str, Any]:
    return {"http.request.method": _method(request), "url.scheme": request.protocol}
