"""`ASGIContainer`: runs an ASGI application on a server or as the target of a route."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tornado._gateway_observation import ObservedGateway, ObservedRequest
from tornado._mount_path import MountPath
from tornado._wire import ws_handshake
from tornado._wire.ws_errors import HandshakeError
from tornado.asgi._http_invocation import HTTPInvocation
from tornado.asgi._lifespan import Lifespan
from tornado.asgi._scope import ForeignHead, make_scope, root_path_of
from tornado.asgi._websocket_handshake import rejection_of, wants_websocket
from tornado.asgi._websocket_invocation import WebSocketInvocation
from tornado.http1connection import HTTP1Connection
from tornado.http1connection._interfaces import register_opener
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.websocket._parameters import params_of

#: The type of an ASGI 3 application.
ASGIAppType = Callable[[dict[str, Any], Callable[..., Any], Callable[..., Any]], Awaitable[None]]


class ASGIContainer(ObservedGateway):
    """An adapter that runs an ASGI application on a Waterspout server.

    ::

        HTTPServer(ASGIContainer(app)).listen(8888)

    It may be the application of an `.HTTPServer`, the target of a route, or the ``fallback`` of a
    `.FallbackHandler`, which receives the whole body first. The size of request bodies is
    limited by the server's ``max_body_size``.

    :param asgi_application: an ASGI 3 application: a callable that accepts ``scope``, ``receive`` and
        ``send`` and returns an awaitable.
    :param mount: the path under which the application is mounted, such as ``"/api"``: the beginning of the
        path of its requests, which becomes the ``root_path``. Other requests get 404.
    :param root_path: a path that a proxy has removed from the path of each request. It is added again, and
        becomes the beginning of the ``root_path``.
    :param lifespan: ``"auto"`` if the application may not support the lifespan protocol; ``"on"`` if an
        exception in it ends the start; ``"off"`` not to use it.
    :param websocket_ping_interval: as the setting of an `.Application`, and likewise the following arguments.
    :param compression_options: as the result of `.WebSocketHandler.get_compression_options`. By default,
        messages are not compressed.
    :raises TypeError: if the application is not callable.
    :raises ValueError: if a path, `lifespan` or a number is invalid.
    """

    def __init__(
        self,
        asgi_application: ASGIAppType,
        *,
        mount: str = "",
        root_path: str = "",
        lifespan: str = "auto",
        websocket_ping_interval: float | None = None,
        websocket_ping_timeout: float | None = None,
        websocket_max_message_size: int | None = None,
        websocket_write_limit: int | None = None,
        compression_options: Mapping[str, Any] | None = None,
    ) -> None:
        if not callable(asgi_application):
            raise TypeError(f"an ASGI application must be callable, got {asgi_application!r:.100}")
        self.asgi_application = asgi_application
        self._path = path = MountPath(mount, root_path)
        self.mount: str = path.mount
        self.root_path: str = path.prefix
        #: The state of the lifespan, which each request receives a copy of.
        self.state: dict[str, Any] = {}
        self._lifespan = Lifespan(asgi_application, self.state, lifespan)
        self._websocket_options: dict[str, Any] = {
            "ping_interval": websocket_ping_interval,
            "ping_timeout": websocket_ping_timeout,
            "max_message_size": websocket_max_message_size,
            "write_limit": websocket_write_limit,
            "compression_options": compression_options,
        }
        params_of(**self._websocket_options)  # invalid options are rejected now

    def run_lifespan(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Return a context manager in which the application can be served::

            async with container.run_lifespan():
                server = HTTPServer(container)
                server.listen(8888)
                await stopping.wait()
                await server.drain()

        ``python -m tornado serve`` and `tornado.testing` use it, also for containers that are targets of an
        `.Application`.

        :raises RuntimeError: when the context manager is entered, if the application reports that its startup
            has failed; when it is exited, likewise for the shutdown.
        """
        return self._lifespan.run()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return the delegate that receives a request and its body from a server or a router."""
        head = getattr(request_conn, "head", None)
        if head is not None:
            return self._invocation(request_conn, head, self.observed(request_conn, head))
        return _Receiver(self, request_conn)

    def start_observed(self, request: HTTPServerRequest, observer: Any) -> HTTPMessageDelegate:
        """Return the delegate for a request that the observer of an `.Application` follows."""
        assert request.connection is not None
        observed = ObservedRequest(observer, request, type(self))
        head = getattr(request.connection, "head", None)
        if head is not None:
            return self._invocation(request.connection, head, observed)
        return _Receiver(self, request.connection, observed)

    def __call__(self, request: HTTPServerRequest) -> None:
        """Handle a complete request, for `.FallbackHandler`."""
        connection: Any = request.connection
        head = getattr(connection, "head", None)
        if head is None:
            head = ForeignHead(
                RequestStartLine(request.method, request.uri, request.version), request.headers
            )
        invocation: Any = self._invocation(connection, head, request.gateway)
        connection.set_close_callback(invocation.on_connection_close)
        if request.body:
            _ = invocation.data_received(request.body)
        invocation.begin_complete()

    def _invocation(
        self, connection: Any, head: Any, observed: ObservedRequest | None
    ) -> HTTPMessageDelegate:
        """Return the call of the application for a request, which has not begun."""
        application: Any = self.asgi_application
        mount, prefix = self.mount, self.root_path
        if mount and not self._path.contains(head.path):
            application = _not_found
        if type(connection) is HTTP1Connection:
            if head.upgrade and wants_websocket(head):
                return self._websocket_invocation(application, connection, head, prefix, observed)
        else:
            prefix = root_path_of(connection) + prefix
            if getattr(connection, "websocket", None) is not None:
                return self._websocket_invocation(application, connection, head, prefix, observed)
        extensions: dict[str, Any] = {
            "http.response.early_hint": {},
            "http.response.pathsend": {},
            "http.response.trailers": {},
        }
        root_path = prefix + mount
        scope = make_scope("http", connection, head, prefix, root_path, self.state, extensions)
        scope["method"] = head.method.upper()
        return HTTPInvocation(application, scope, connection, head, observed)

    def _websocket_invocation(
        self, application: Any, exchange: Any, head: Any, prefix: str, observed: ObservedRequest | None
    ) -> HTTPMessageDelegate:
        """Return the call of the application for a handshake, or a delegate that rejects it."""
        extensions: dict[str, Any] = {"websocket.http.response": {}}
        root_path = prefix + self.mount
        scope = make_scope("websocket", exchange, head, prefix, root_path, self.state, extensions)
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        try:
            if exchange.websocket is not None:
                offer = exchange.websocket.offer
            else:
                offer = ws_handshake.check_request(head.method, head.version, head.headers)
        except HandshakeError as error:
            return HTTPInvocation(rejection_of(error), scope, exchange, head, observed)
        scope["subprotocols"] = list(offer.subprotocols)
        protection = exchange.params.protection
        params = params_of(**self._websocket_options, max_inflation_ratio=protection.max_inflation_ratio)
        return WebSocketInvocation(application, scope, exchange, head, offer, params, observed)

    def _open_exchange(self, exchange: Any, head: Any) -> Any:
        """Start the application for a request; the server's dispatcher calls it if this object is the whole
        server.
        """
        if type(self).start_request is not _START_REQUEST:
            return NotImplemented
        observed = None if self._observer is None else self.observed(exchange, head)
        invocation: Any = self._invocation(exchange, head, observed)
        if not head.has_body:
            exchange.close_callback = invocation.on_connection_close
            return invocation.finish()
        exchange.message_delegate = invocation
        return invocation.begin()


_START_REQUEST = ASGIContainer.start_request
register_opener(ASGIContainer, ASGIContainer._open_exchange)


class _Receiver(HTTPMessageDelegate):
    """A message delegate for a connection whose request's head is not known before `headers_received`."""

    def __init__(
        self, container: ASGIContainer, connection: HTTPConnection, observed: ObservedRequest | None = None
    ) -> None:
        self._container = container
        self._observed = observed
        self._connection = connection
        self._target: HTTPMessageDelegate | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, RequestStartLine)
        head = ForeignHead(start_line, headers)
        observed = self._observed or self._container.observed(self._connection, head)
        target = self._target = self._container._invocation(self._connection, head, observed)
        return target.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return None if self._target is None else self._target.data_received(chunk)

    def finish(self) -> None:
        return None if self._target is None else self._target.finish()

    def on_connection_close(self) -> None:
        if self._target is not None:
            self._target.on_connection_close()


async def _not_found(scope: Any, receive: Any, send: Any) -> None:
    """Respond with 404: the application for requests outside of ``mount``."""
    prefix = "websocket." if scope["type"] == "websocket" else ""
    fields = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": f"{prefix}http.response.start", "status": 404, "headers": fields})
    await send({"type": f"{prefix}http.response.body", "body": b"Not Found"})


__all__ = ["ASGIAppType", "ASGIContainer"]
