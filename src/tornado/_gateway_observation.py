"""Observation of the requests of WSGI and ASGI applications: access log, metrics, identifiers, traces.

The observer (`tornado.web`) is that of the `.Application` with a route to the container, or that of the
container itself, if it is the whole server. A container without one does no additional work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tornado._gateway_access_log import log_gateway_request
from tornado.httputil import (
    HTTPConnection,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
)
from tornado.routing import PathMatches, Rule

#: The status of a request whose client disconnected before the response, as in the log of nginx.
CLIENT_CLOSED_REQUEST = 499


class ObservedRequest:
    """One request of a WSGI or ASGI application, as an observer follows it.

    :param observer: the observer.
    :param request: the request. Its body is not read, because the application reads it.
    :param target: the class that is shown as the handler.
    :ivar request: the request.
    :ivar thread: the identifier of the thread that runs the application; 0 while the request waits for a
        thread; None if a task runs it.
    :ivar error: the exception that the application has raised, or None.
    """

    __slots__ = ("_ended", "_observer", "_target", "error", "request", "thread")

    def __init__(self, observer: Any, request: HTTPServerRequest, target: type[Any]) -> None:
        self._observer = observer
        self._target = target
        self._ended = False
        self.request: HTTPServerRequest = request
        self.thread: int | None = None
        self.error: BaseException | None = None
        request.gateway = self

    def begin(self) -> None:
        """Register the request. Call this in the context in which the application runs."""
        self._observer.request_started(self.request, self._target)

    def response_id(self) -> str | None:
        """Return the value of the response header field X-Request-Id; None to omit the field."""
        return self.request.id if self._observer.sends_ids else None

    def asgi_fields(self, fields: Any) -> Any:
        """Return the response header fields of an ASGI application, with the identifier if required.

        A field that the application has set takes precedence.
        """
        value = self.response_id()
        if value is None:
            return fields
        fields = list(fields)  # it may be an iterator
        if any(name.lower() == b"x-request-id" for name, _ in fields):
            return fields
        return [*fields, (b"x-request-id", value.encode("latin-1", "replace"))]

    def end(self, status: int, size: int | None = None) -> None:
        """Count and log the finished request, only once.

        :param status: the status code of the response.
        :param size: the size of the response body in bytes; None if the connection has counted it.
        """
        if self._ended:
            return
        self._ended = True
        request = self.request
        if size is None:
            size = getattr(getattr(request.connection, "output", None), "body_size", 0)
        self._observer.gateway_finished(self, status, size)
        if self._observer.access_log is None:
            method, target = str(request.method), str(request.uri)
            log_gateway_request(status, method, target, request.remote_ip, request.request_time())
        request.gateway = None  # ends the reference cycle


class ObservedGateway(HTTPServerConnectionDelegate):
    """The base class of the containers, which an observer can follow.

    It has the members of an `.Application` that an observer uses.
    """

    #: The settings of an application; a container has none.
    settings: Mapping[str, Any] = {}
    _observer: Any = None
    _rule: Any = None

    @property
    def observer(self) -> Any:
        """The object that follows each request if this container is the whole server, or None."""
        return self._observer

    def observe(self, observer: Any, fields: Any = None) -> None:
        """Let `observer` follow each request from now on.

        :param fields: ignored; the observer determines whether responses have the request identifier.
        """
        self._observer = observer
        mount = getattr(self, "mount", "")
        self._rule = Rule(PathMatches(f"{mount}(?:/.*)?" if mount else "/.*"), self)

    def start_observed(self, request: HTTPServerRequest, observer: Any) -> HTTPMessageDelegate:
        """Return the delegate for a request that the observer of an `.Application` follows.

        Routers call it in place of ``start_request``.
        """
        raise NotImplementedError

    def observed(self, connection: HTTPConnection, head: Any) -> ObservedRequest | None:
        """Return the observation of a request if this container is the whole server; None without an
        observer.

        :param head: has the attributes ``method``, ``target``, ``version`` and ``headers``.
        """
        if self._observer is None:
            return None
        request = _make_request(connection, head)
        if self._rule.matcher.match(request) is not None:
            request.matched_rule = self._rule
        return ObservedRequest(self._observer, request, type(self))

    def log_refusal(self, request: HTTPServerRequest, status_code: int) -> None:
        """Log a request that the server has rejected without calling the application."""
        if self._observer is None:
            duration = request.request_time()
            method, target = str(request.method), str(request.uri)
            log_gateway_request(status_code, method, target, request.remote_ip, duration)
        else:
            ObservedRequest(self._observer, request, type(self)).end(status_code, 0)


def _make_request(connection: HTTPConnection, head: Any) -> HTTPServerRequest:
    start_line = RequestStartLine(head.method, head.target, head.version)
    try:
        return HTTPServerRequest(start_line=start_line, headers=head.headers, connection=connection)
    except HTTPInputError:  # a query with too many arguments for a handler, which this application may accept
        start_line = RequestStartLine(head.method, head.target.partition("?")[0], head.version)
        request = HTTPServerRequest(start_line=start_line, headers=head.headers, connection=connection)
        request.uri = head.target
        return request


__all__ = ["CLIENT_CLOSED_REQUEST", "ObservedGateway", "ObservedRequest"]
