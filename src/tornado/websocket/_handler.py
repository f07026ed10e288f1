"""`WebSocketHandler`: the handler of a WebSocket on a server.

`_protocol` implements the connection, `_server_handshake` the opening handshake.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tornado._original_methods import OriginalMethods
from tornado._wire import ws_handshake
from tornado._wire.ws_errors import HandshakeError
from tornado._wire.ws_state import WebSocketState, WebSocketStep
from tornado.concurrent import Future
from tornado.escape import json_encode, utf8
from tornado.http1connection import HTTP1Connection
from tornado.web._execution._response import release, response_of
from tornado.web._execution._upgrade_response import send_upgrade
from tornado.web._handler import RequestHandler
from tornado.websocket._errors import closed_error
from tornado.websocket._interface import WebSocketProtocol
from tornado.websocket._parameters import MAX_MESSAGE_SIZE, WRITE_LIMIT, WebSocketParams, params_of
from tornado.websocket._protocol import WebSocketProtocol13
from tornado.websocket._server_handshake import (
    ServerHandshake,
    offered_websocket,
    read_offer,
    release_request,
)

# See `tornado._wire.state_machine` for the reason for these constants.
_OPENED = WebSocketStep.OPENED
_LOST = WebSocketStep.LOST
_CONNECTING = WebSocketState.CONNECTING
_CLOSED = WebSocketState.CLOSED

_OPEN = WebSocketState.OPEN
#: The transforms of a handler that has sent a 101 response, which has no content.
_NO_TRANSFORMS: list[Any] = []


class WebSocketHandler(RequestHandler):
    """The base class of WebSocket handlers. Each connection has a handler object.

    Override `on_message`, and `open` and `on_close` if needed; call `write_message` to send messages::

        class Echo(WebSocketHandler):
            def open(self):
                print("opened")

            def on_message(self, message):
                self.write_message("You said: " + message)

            def on_close(self):
                print("closed", self.close_code, self.close_reason)

    A route for a WebSocketHandler looks like any other; the groups of its pattern are passed to `open`.
    Before the handshake, the request is handled like any other: ``prepare`` is called, and may set header
    fields and cookies of the response or reject the request. An overridden `get` may call
    ``await super().get(*args, **kwargs)``.
    After the handshake, ``self.request`` can still be read, but `write`, `finish`, `set_header` and similar
    methods raise RuntimeError.

    `open`, `on_message`, `on_ping` and `on_pong` may be coroutines: the next message is delivered after the
    coroutine has finished. Exceptions are passed to `log_exception`, and the connection is closed (1011).

    A script in a browser may open a WebSocket to any host, and the browser sends the cookies of that host.
    `check_origin` decides which pages may connect.

    The settings ``websocket_ping_interval``, ``websocket_ping_timeout``, ``websocket_max_message_size`` and
    ``websocket_write_limit`` of the application are the defaults of the properties of the same names, which a
    class may override.

    :ivar ws_connection: the connection; None before the handshake and after the end.
    :ivar close_code: the close code that the peer sent (RFC 6455 section 7.4); None if it sent none or closed
        the connection without a close frame.
    :ivar close_reason: the close reason that the peer sent; None if it sent none.
    :ivar close_error: the reason why this side has ended the connection: the rule or limit that the peer
        violated, a ping that it did not answer, or a broadcast that it read too slowly; None otherwise.
    :ivar open_args: the unnamed groups of the route's pattern.
    :ivar open_kwargs: the named groups of the route's pattern.
    """

    # Class attributes are the defaults of attributes that are not set yet.
    ws_connection: WebSocketProtocol | None = None
    close_code: int | None = None
    close_reason: str | None = None
    close_error: str | None = None
    open_args: tuple[str, ...] = ()
    open_kwargs: dict[str, str] = {}  # noqa: RUF012 - replaced for each connection with named groups
    head_from_get: bool | None = False  # RFC 6455 section 4.1: the handshake is a GET
    #: `WebSocketState.OPEN` after the handshake, `WebSocketState.CLOSED` when `on_close` has been called.
    _ws_state = WebSocketState.CONNECTING

    # -- methods to override --

    def _open(self, *args: str, **kwargs: str) -> Awaitable[None] | None:
        pass

    open: Callable[..., Awaitable[None] | None] = _open
    """Called with the groups of the route's pattern when the connection is open; may be ``async``.

    This method may already send messages. The peer's messages are delivered, and `on_close` is called, only
    after this method has finished, so it must not wait for anything that `on_close` does.
    """

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Called with each message; may be ``async``.

        :param message: a str, or bytes for a binary message.
        """
        raise NotImplementedError(f"{type(self).__name__} must define on_message()")

    def on_close(self) -> Awaitable[None] | None:
        """Called once when an open connection is closed by either side; may be ``async``. See `close_code`.

        This method is called as soon as the peer has disconnected, even while a coroutine of another callback
        is running. Only `open` always ends before this call, with or without an exception.
        """

    def on_drain(self) -> Awaitable[None] | None:
        """Called when the server begins to drain (`.HTTPServer.drain`), before it closes the connection with
        1012; may be ``async``. The close frame follows the messages that this method sends.
        """

    def on_ping(self, data: bytes) -> Awaitable[None] | None:
        """Called with the payload of each ping. The pong is sent automatically."""

    def on_pong(self, data: bytes) -> Awaitable[None] | None:
        """Called with the payload of each pong, the reply to a `ping`."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Choose among the subprotocols that the client offers, in its order of preference.

        :returns: one of them, or None. If the result is None, a client that requires a subprotocol closes the
            connection.
        """
        return None

    def check_origin(self, origin: str) -> bool:
        """Whether pages of another `origin` may open a WebSocket. Otherwise the response has status 403.

        By default, the origins that `check_trusted_origin` accepts are allowed. This method is not called for
        pages of the same origin, as determined by ``Sec-Fetch-Site`` or by the requested host and port, or
        for requests without an Origin, which do not come from a browser.

        To allow a whole domain::

            def check_origin(self, origin):
                host = urllib.parse.urlsplit(origin).hostname or ""
                return host == "example.com" or host.endswith(".example.com")

        If this method returns True for every origin, any page can open a WebSocket with the cookies of its
        visitor. Do not do this if cookies authenticate users.
        """
        return self.check_trusted_origin(origin)

    def get_compression_options(self) -> dict[str, Any] | None:
        """Override this method to enable compression (permessage-deflate, RFC 7692) for clients that offer
        it.

        :returns: None for no compression, or a dictionary, possibly empty: ``compression_level`` (-1 to 9)
            and ``mem_level`` (1 to 9), which are passed to zlib. **Additions of Waterspout** are
            ``server_max_window_bits`` and ``client_max_window_bits`` (8 to 15),
            ``server_no_context_takeover`` and ``client_no_context_takeover`` (whether each message is
            compressed separately), and ``threshold`` (the minimum size of a message to compress, in bytes).

        After a compressed message, a connection uses about 260 KB of memory with zlib's defaults, or 52 KB
        with a window of 11 bits and memory level 4. The memory is released when no message has been sent for
        one to two minutes.
        """
        return None

    # A program may override these properties with properties or plain attributes.
    if TYPE_CHECKING:
        ping_interval: float | None
        ping_timeout: float | None
        max_message_size: int
        write_limit: int
    else:

        @property
        def ping_interval(self) -> float | None:
            """The interval between pings, in seconds; None or 0 for no pings. Pings detect a peer that has
            disappeared without closing the connection.
            """
            return self.application.settings.get("websocket_ping_interval")

        @property
        def ping_timeout(self) -> float | None:
            """The timeout for the reply to a ping, in seconds; None for `ping_interval`, which is also the
            maximum.
            """
            return self.application.settings.get("websocket_ping_timeout")

        @property
        def max_message_size(self) -> int:
            """The maximum size of a message after decompression, in bytes. A longer message closes the
            connection (1009).
            """
            size: int = self.application.settings.get("websocket_max_message_size", MAX_MESSAGE_SIZE)
            return size

        @property
        def write_limit(self) -> int:
            """The high-water mark of the output that waits to be sent, in bytes. Above it, the Futures of
            `write_message` are not done until at most half of the limit remains. If the output was sent by
            callbacks, no messages of the peer are delivered during that time either.
            """
            limit: int = self.application.settings.get("websocket_write_limit", WRITE_LIMIT)
            return limit

    # -- methods to call --

    def write_message(self, message: str | bytes | dict[str, Any], binary: bool = False) -> Future[None]:
        """Send a message.

        :param message: text, or its UTF-8 encoding as bytes; a dict is sent as JSON.
        :param binary: whether to send a binary message, which the peer receives as bytes. Any bytes are valid
            then.
        :returns: a Future to await if messages may be sent faster than the peer reads. It is already done
            unless more than `write_limit` bytes wait to be sent; otherwise it is done when at most half of
            the limit remains. It raises `WebSocketClosedError` if the connection is closed before that.
        :raises WebSocketClosedError: if the connection is closed or closing.
        :raises TypeError: if the message has another type.
        :raises ValueError: if `binary` is false and the message is not valid UTF-8.
        :raises RuntimeError: if called outside the event loop of the connection.
        """
        connection = self.ws_connection
        if connection is None or (
            # The common case does not need a call of `is_closing`.
            (type(connection) is not WebSocketProtocol13 or connection.state is not _OPEN)
            and connection.is_closing()
        ):
            raise closed_error(self if connection is None else connection)
        if isinstance(message, dict):
            message = json_encode(message)
        return connection.write_message(message, binary)

    def ping(self, data: str | bytes = b"") -> None:
        """Send a ping; `on_pong` is called with the payload of the reply.

        :param data: the payload, at most 125 bytes, which the reply repeats.
        :raises WebSocketClosedError: if the connection is closed or closing.
        :raises ValueError: if `data` is longer.
        """
        connection = self.ws_connection
        if connection is None or connection.is_closing():
            raise closed_error(self if connection is None else connection)
        connection.write_ping(utf8(data))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Start the closing handshake. The peer has five seconds to reply; after that, `on_close` is called.

        :param code: the close code (RFC 6455 section 7.4), such as 1000 for a normal closure; 3000 to 4999
            are available to applications. 1005, 1006 and 1015, which represent a missing code, are treated as
            None.
        :param reason: a description for logs, cut to 123 bytes.
        :raises ValueError: if the code must not be sent.
        """
        connection = self.ws_connection
        if connection is not None:
            connection.close(code, reason)
            self.ws_connection = None

    @property
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that `select_subprotocol` returned.

        :raises AssertionError: if the connection is not open.
        """
        assert self.ws_connection is not None, "the WebSocket is not open"
        return self.ws_connection.selected_subprotocol

    def set_nodelay(self, value: bool) -> None:
        """Set TCP_NODELAY: whether small messages are sent immediately (True, the default) or delayed by
        Nagle's algorithm.

        :raises AssertionError: if the connection is not open.
        """
        assert self.ws_connection is not None, "the WebSocket is not open"
        self.ws_connection.set_nodelay(value)

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Create the protocol object of the connection.

        :returns: the object, or None if the version of the request is not supported. The response then has
            status 426.
        """
        request = self.request
        websocket = offered_websocket(request)
        if websocket is not None:
            return websocket.make_protocol(self, self._params())  # type: ignore[no-any-return]
        version = request.headers.get("Sec-WebSocket-Version")
        if version != "13" and version not in ("7", "8"):
            return None
        return WebSocketProtocol13(self, False, self._params())

    def _params(self) -> WebSocketParams:
        return params_of(
            self.ping_interval,
            self.ping_timeout,
            self.max_message_size,
            self.get_compression_options(),
            self.write_limit,
            self._max_inflation_ratio,
        )

    @property
    def _max_inflation_ratio(self) -> float | None:
        """The ``max_inflation_ratio`` of the server, which also applies to messages; None for no limit."""
        connection: Any = self.request.connection
        # The attribute `params` of the exchange of a server is slow to read.
        server = connection.driver if type(connection) is HTTP1Connection else connection
        protection = getattr(getattr(server, "params", None), "protection", None)
        return None if protection is None else protection.max_inflation_ratio

    # -- the opening handshake --

    # With `Any`, subclasses may declare the groups of their routes as parameters.
    def get(self, *args: Any, **kwargs: Any) -> Awaitable[None]:
        """Perform the opening handshake. An overriding method may await ``super().get(*args, **kwargs)``,
        which returns when the connection is closed.
        """
        if args:
            self.open_args = args
        if kwargs:
            self.open_kwargs = kwargs
        return ServerHandshake(self)

    def on_ws_connection_accept(
        self, protocol: WebSocketProtocol13, offer: ws_handshake.Offer | None = None
    ) -> None:
        """Called by the protocol to respond to the handshake: sends the 101 response, passes the stream to
        the protocol, which calls `open`.

        :param offer: the options that the request offers; None to read them from the request.
        :raises ValueError: if the request is not a valid handshake, or `select_subprotocol` returned a
            subprotocol that was not offered.
        """
        if offer is None:
            try:
                offer = read_offer(self)
            except HandshakeError as error:
                raise ValueError(str(error)) from error
        policy = protocol.params.policy
        agreed = None if policy is None else offer.deflate(policy)
        parameters, extension = (None, None) if agreed is None else agreed
        subprotocol = self.select_subprotocol(list(offer.subprotocols)) or None
        block = ws_handshake.response_block(offer, subprotocol, extension)
        self.ws_connection = protocol
        response = response_of(self)
        response.transforms = _NO_TRANSFORMS
        if not (_may_send_upgrade(type(self)) and send_upgrade(self, response, block)):
            self._send_upgrade_slowly(ws_handshake.response_headers(offer, subprotocol, extension))
        self._switch_protocols()
        stream = self.detach()
        self._release_memory()
        opening = self.open
        if self.open_args or self.open_kwargs:
            opening = functools.partial(opening, *self.open_args, **self.open_kwargs)
        protocol.begin(stream, parameters, subprotocol, opening)

    def _send_upgrade_slowly(self, fields: list[tuple[str, str]]) -> None:
        """Send the 101 response by calling the methods that a program may override."""
        self.clear_header("Content-Type")
        self.set_status(101)
        for name, value in fields:
            self.set_header(name, value)
        _ = self.flush()

    def _switch_protocols(self) -> None:
        """End the request, whose 101 response has been sent."""
        response = response_of(self)
        response.detach()
        try:
            self._log()
            self._ws_state = self._ws_state.after[_OPENED]
            self.on_finish()
        except BaseException:
            # The client has received the 101 response, but the connection would never be served: close it.
            self._ws_state = _CONNECTING
            self.detach().close()
            raise

    def _release_memory(self) -> None:
        """Release memory that only a response needs, because there may be many open connections."""
        release(self)
        if not self.path_args:
            del self.path_args  # the class attribute is an empty default
        if not self.path_kwargs:
            del self.path_kwargs
        release_request(self.request)

    def on_ws_connection_close(
        self, close_code: int | None = None, close_reason: str | None = None
    ) -> Awaitable[None] | None:
        """Called by the protocol when the connection is closed."""
        self.close_code, self.close_reason = close_code, close_reason
        return self.on_connection_close()

    @property
    def _on_close_called(self) -> bool:
        """Whether `on_close` has been called, under Tornado's name. Programs also assign it."""
        return self._ws_state is _CLOSED

    @_on_close_called.setter
    def _on_close_called(self, called: bool) -> None:
        if called:
            self._ws_state = _CLOSED
        elif self._ws_state is _CLOSED:
            self._ws_state = _OPEN

    def on_connection_close(self) -> Awaitable[None] | None:  # type: ignore[override]
        """Called when the connection is closed, or when the client disconnects during the handshake."""
        connection, self.ws_connection = self.ws_connection, None
        if connection is not None:
            connection.on_connection_close()
        if self._ws_state is _OPEN:
            self._ws_state = self._ws_state.after[_LOST]
            self._break_cycles()
            return self.on_close()
        return None


def _unavailable_after_handshake(name: str) -> Any:
    """Return a method of `RequestHandler` that raises RuntimeError after the handshake."""

    @functools.wraps(getattr(RequestHandler, name))
    def method(self: WebSocketHandler, *args: Any, **kwargs: Any) -> Any:
        if self._ws_state is not _CONNECTING:
            raise RuntimeError(f"{name}(): Method not supported for Web Sockets; use write_message()")
        return getattr(super(WebSocketHandler, self), name)(*args, **kwargs)

    return method


for _name in ("write", "redirect", "set_header", "set_cookie", "set_status", "flush", "finish"):
    setattr(WebSocketHandler, _name, _unavailable_after_handshake(_name))

#: The methods that the fast path of the 101 response bypasses, here and in the base class.
_HEAD_METHODS = OriginalMethods(WebSocketHandler, "clear_header", "set_status", "set_header")
_BASE_METHODS = OriginalMethods(RequestHandler, "clear_header", "set_status", "set_header", "flush")
_flush, _base_flush = WebSocketHandler.flush, RequestHandler.flush


def _may_send_upgrade(cls: type[WebSocketHandler]) -> bool:
    """Whether a handler class has the original methods that the fast path of the 101 response bypasses."""
    flush = cls.flush
    return (
        (flush is _flush or flush is _base_flush)
        and _HEAD_METHODS.are_original(cls)
        and _BASE_METHODS.are_original(RequestHandler)
    )


__all__ = ["WebSocketHandler"]
