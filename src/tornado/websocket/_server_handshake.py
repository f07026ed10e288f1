"""The server side of the opening handshake: open a connection for a request, or respond with an error (RFC
6455 section 4.2).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from tornado._wire import ws_handshake
from tornado._wire.ws_errors import HandshakeError
from tornado.http1connection import HTTP1Connection
from tornado.log import gen_log
from tornado.web._errors import HTTPError
from tornado.web._execute import FastPathAwaitable, Rest
from tornado.web._xsrf import check_origin
from tornado.websocket._protocol import WebSocketProtocol13

if TYPE_CHECKING:
    from tornado.websocket._handler import WebSocketHandler

_ACCEPT = WebSocketProtocol13.accept_connection
#: The write buffer and the transforms of a handler that cannot write a response any more.
_EMPTY: list[Any] = []


class ServerHandshake(FastPathAwaitable):
    """The result of `WebSocketHandler.get`.

    If a program awaits it, it completes when the connection is closed, as in Tornado. The framework does not
    await it, so an open connection does not need a task.
    """

    __slots__ = ("_handler",)

    def __init__(self, handler: WebSocketHandler) -> None:
        self._handler = handler

    def respond_now(self) -> bool:
        """Open the connection or reject the handshake.

        :returns: False if ``accept_connection`` of a program's own protocol class must be awaited instead.
        """
        handler = self._handler
        offer = _read_offer_or_respond(handler)
        if offer is not None and _is_origin_allowed(handler):
            protocol = _create_protocol(handler)
            if protocol is not None:
                if type(protocol).accept_connection is not _ACCEPT:
                    handler.ws_connection = protocol
                    return False
                accept(handler, protocol, offer)
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


def read_offer(handler: WebSocketHandler) -> ws_handshake.Offer:
    """Return the options that the request of a handler offers.

    :raises HandshakeError: if the request is not a valid handshake.
    """
    request = handler.request
    assert request.method is not None
    return ws_handshake.check_request(request.method, request.version, request.headers)


def _read_offer_or_respond(handler: WebSocketHandler) -> ws_handshake.Offer | None:
    """Return the options that the request offers. If it is not a valid handshake, respond with an error."""
    try:
        return read_offer(handler)
    except HandshakeError as error:
        gen_log.debug("WebSocket handshake rejected: %s", error)
        handler.set_status(error.status_code)
        for name, value in error.headers:
            handler.set_header(name, value)
        handler.set_header("Content-Type", "text/plain; charset=UTF-8")
        _ = handler.finish(f"{error}\n")
        return None


def _is_origin_allowed(handler: WebSocketHandler) -> bool:
    """Whether the origin of the request is allowed. If it is not, respond with an error."""
    try:
        request = handler.request
        # Clients with version 8, a draft of RFC 6455, use another field name.
        field = "Origin" if "Origin" in request.headers else "Sec-WebSocket-Origin"
        check_origin(request, handler.check_origin, field)
    except HTTPError as error:
        text = f"WebSocket handshake rejected: {error.log_message} (see check_origin and trusted_origins)"
        gen_log.debug(text, *error.args)
        handler.set_status(403)
        handler.set_header("Content-Type", "text/plain; charset=UTF-8")
        _ = handler.finish("Cross origin websockets not allowed\n")
        return False
    return True


def _create_protocol(handler: WebSocketHandler) -> Any:
    """Return the protocol that the handler creates. If the result is None, respond with 426."""
    protocol = handler.get_websocket_protocol()
    if protocol is None:
        handler.set_status(426)
        handler.set_header("Sec-WebSocket-Version", ", ".join(ws_handshake.VERSIONS))
        _ = handler.finish()
    return protocol


def accept(handler: WebSocketHandler, protocol: WebSocketProtocol13, offer: ws_handshake.Offer) -> None:
    """Send the 101 response, take over the stream and call ``open``.

    :raises ValueError: if `WebSocketHandler.select_subprotocol` returned a subprotocol that was not offered.
    """
    agreed = offer.deflate(protocol.params.policy)
    parameters, extension = (None, None) if agreed is None else agreed
    subprotocol = handler.select_subprotocol(list(offer.subprotocols)) or None
    fields = ws_handshake.response_headers(offer, subprotocol, extension)
    handler.ws_connection = protocol
    handler._transforms = _EMPTY
    handler.clear_header("Content-Type")
    handler.set_status(101)
    for name, value in fields:
        handler.set_header(name, value)
    _ = handler.flush()
    handler._finished = True
    connection: Any = handler.request.connection
    try:
        handler._log()
        handler._upgraded = True
        handler.on_finish()
    except BaseException:
        # The client has received the 101 response, but the connection would never be served: close it.
        handler._upgraded = False
        handler.detach().close()
        raise
    stream = handler.detach()
    _release_request(handler, connection)
    opening = functools.partial(handler.open, *handler.open_args, **handler.open_kwargs)
    protocol.begin(stream, parameters, subprotocol, opening)


def _release_request(handler: WebSocketHandler, connection: Any) -> None:
    """Release memory that only a response needs, because there may be many open connections."""
    handler._response_headers = handler._new_cookie = None
    handler._write_buffer = _EMPTY
    if not handler.path_args:
        del handler.path_args  # the class attribute is an empty default
    if not handler.path_kwargs:
        del handler.path_kwargs
    request: Any = handler.request
    if isinstance(connection, HTTP1Connection):
        request.connection = connection._detached_connection()
        request._free_headers()


__all__ = ["ServerHandshake", "accept", "read_offer"]
