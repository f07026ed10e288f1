"""The server side of the opening handshake: open a connection for a request, or respond with an error (RFC
6455 section 4.2).
"""

from __future__ import annotations

from typing import Any, Protocol

from tornado._original_methods import OriginalMethods
from tornado._wire import ws_handshake
from tornado._wire.headers import FieldNames
from tornado._wire.ws_errors import HandshakeError
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest
from tornado.httputil._server_exchange import ServerExchange
from tornado.log import gen_log
from tornado.web._errors import HTTPError
from tornado.web._execution._execute import FastPathAwaitable, Rest
from tornado.web._security._xsrf import check_origin
from tornado.websocket._interface import WebSocketProtocol
from tornado.websocket._protocol import WebSocketProtocol13

_origin_fields = FieldNames("Sec-Fetch-Site", "Origin", "Sec-WebSocket-Origin")
#: The values of these fields if all of them are absent. An empty value is checked like any other.
_NO_ORIGIN = [None, None, None]
_ACCEPT = OriginalMethods(WebSocketProtocol13, "accept_connection")


class HandshakeHandler(Protocol):
    """The methods of a `.WebSocketHandler` that the handshake uses."""

    request: HTTPServerRequest
    ws_connection: WebSocketProtocol | None

    def check_origin(self, origin: str) -> bool:
        """Whether pages of another origin may open a WebSocket."""

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Set the status code of the response."""

    def set_header(self, name: str, value: Any) -> None:
        """Set a header field of the response."""

    def finish(self, chunk: Any = None) -> Any:
        """Send the response."""

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Create the protocol object of the connection."""

    def on_ws_connection_accept(
        self, protocol: WebSocketProtocol13, offer: ws_handshake.Offer | None = None
    ) -> None:
        """Send the 101 response and start the protocol."""


class ServerHandshake(FastPathAwaitable):
    """The result of `WebSocketHandler.get`.

    If a program awaits it, it completes when the connection is closed, as in Tornado. The framework does not
    await it, so an open connection does not need a task.
    """

    __slots__ = ("_handler",)

    def __init__(self, handler: HandshakeHandler) -> None:
        self._handler = handler

    def respond_now(self) -> bool:
        """Open the connection or reject the handshake.

        :returns: False if ``accept_connection`` of a protocol class that the program defines must be awaited
            instead.
        """
        handler = self._handler
        try:
            offer = read_offer(handler)
        except HandshakeError as error:
            _reject(handler, error)
            return True
        if not _is_origin_allowed(handler):
            return True
        protocol: Any = handler.get_websocket_protocol()
        if protocol is None:
            _reject_version(handler)
            return True
        if not _ACCEPT.are_original(type(protocol)):
            handler.ws_connection = protocol
            return False
        handler.on_ws_connection_accept(protocol, offer)
        return True

    def coroutine(self) -> Rest:
        """Return a coroutine that opens the connection and waits until it is closed."""
        return self._open_and_wait()

    async def _open_and_wait(self) -> None:
        handler = self._handler
        protocol: Any = handler.ws_connection
        if protocol is None and self.respond_now():
            protocol = handler.ws_connection
            if protocol is not None:
                await protocol.wait_closed()
        elif handler.ws_connection is not None:
            await handler.ws_connection.accept_connection(handler)


def read_offer(handler: HandshakeHandler) -> ws_handshake.Offer:
    """Return the options that the request of a handler offers.

    :raises HandshakeError: if the request is not a valid handshake.
    """
    request = handler.request
    websocket = offered_websocket(request)
    if websocket is not None:
        return websocket.offer  # type: ignore[no-any-return]
    assert request.method is not None
    return ws_handshake.check_request(request.method, request.version, request.headers)


def offered_websocket(request: HTTPServerRequest) -> Any:
    """Return the ``websocket`` of an exchange whose server performs the handshake itself, otherwise None."""
    connection = request.connection
    return connection.websocket if isinstance(connection, ServerExchange) else None


def _reject(handler: HandshakeHandler, error: HandshakeError) -> None:
    """Respond to a request that is not a valid handshake."""
    gen_log.debug("WebSocket handshake rejected: %s", error)
    handler.set_status(error.status_code)
    for name, value in error.headers:
        handler.set_header(name, value)
    handler.set_header("Content-Type", "text/plain; charset=UTF-8")
    _ = handler.finish(f"{error}\n")


def _is_origin_allowed(handler: HandshakeHandler) -> bool:
    """Whether the origin of the request is allowed. If it is not, respond with an error."""
    request = handler.request
    if _origin_fields.values_in(request.headers) == _NO_ORIGIN:
        return True  # not a browser, or a very old one
    # Clients with version 8, a draft of RFC 6455, use another field name.
    field = "Origin" if "Origin" in request.headers else "Sec-WebSocket-Origin"
    try:
        check_origin(request, handler.check_origin, field)
    except HTTPError as error:
        text = f"WebSocket handshake rejected: {error.log_message} (see check_origin and trusted_origins)"
        gen_log.debug(text, *error.args)
        handler.set_status(403)
        handler.set_header("Content-Type", "text/plain; charset=UTF-8")
        _ = handler.finish("Cross origin websockets not allowed\n")
        return False
    return True


def _reject_version(handler: HandshakeHandler) -> None:
    """Respond to a request whose version of the protocol the handler does not support."""
    handler.set_status(426)
    handler.set_header("Sec-WebSocket-Version", ", ".join(ws_handshake.VERSIONS))
    _ = handler.finish()


def release_request(request: Any) -> None:
    """Release the memory of a request that an open connection does not need."""
    connection = request.connection
    if isinstance(connection, HTTP1Connection):
        request.connection = connection.detached_connection()
        request.release_head()


__all__ = ["HandshakeHandler", "ServerHandshake", "offered_websocket", "read_offer", "release_request"]
