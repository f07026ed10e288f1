"""`WebSocketHandler`: the manual of what a server's WebSocket can do.

The connection itself is `_protocol`'s, the handshake `_server_handshake`'s.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tornado._wire.ws_errors import HandshakeError
from tornado.concurrent import Future
from tornado.escape import json_encode, utf8
from tornado.web._handler import RequestHandler
from tornado.websocket._errors import closed_error
from tornado.websocket._interface import WebSocketProtocol
from tornado.websocket._parameters import MAX_MESSAGE_SIZE, WRITE_LIMIT, WebSocketParams, params_of
from tornado.websocket._protocol import WebSocketProtocol13
from tornado.websocket._server_handshake import ServerHandshake, accept, read_offer


class WebSocketHandler(RequestHandler):
    """Base class of handlers that speak WebSocket: one object is one connection.

    Override `on_message`, and `open` and `on_close` as needed; send by `write_message`::

        class Echo(WebSocketHandler):
            def open(self):
                print("opened")

            def on_message(self, message):
                self.write_message("You said: " + message)

            def on_close(self):
                print("closed", self.close_code, self.close_reason)

    A route leads here as to any handler, and the groups of its pattern go to `open`. Until then the request
    is an ordinary one: ``prepare`` runs, may set headers and cookies of the answer, or refuse; overriding
    `get` and calling ``await super().get(*args, **kwargs)`` in it works too. Behind the handshake
    ``self.request`` can still be read, while `write`, `finish`, `set_header` and the like raise RuntimeError.

    `open`, `on_message`, `on_ping` and `on_pong` may be coroutines: no further message is delivered until one
    is done. What one raises goes to `log_exception`, and the connection is closed (1011).

    A script in a browser opens a WebSocket to any host, cookies included: `check_origin` decides which pages
    may.

    Settings of the application: ``websocket_ping_interval``, ``websocket_ping_timeout``,
    ``websocket_max_message_size``, ``websocket_write_limit``; each is the default of a property that a class
    may override.

    :ivar ws_connection: the connection; None before the handshake and behind the end.
    :ivar close_code: how the peer closed (RFC 6455 section 7.4); None if it just went, or gave no code.
    :ivar close_reason: its reason, likewise.
    :ivar close_error: why this side has ended the connection by itself: what rule or limit the peer broke,
        that it did not answer a ping, or was too slow for a broadcast; None if it has not.
    :ivar open_args: the groups of the route's pattern.
    :ivar open_kwargs: those with names.
    """

    # What is not set yet in an object shows these.
    ws_connection: WebSocketProtocol | None = None
    close_code: int | None = None
    close_reason: str | None = None
    close_error: str | None = None
    open_args: tuple[str, ...] = ()
    open_kwargs: dict[str, str] = {}  # noqa: RUF012 - replaced for each connection that has names
    head_from_get: bool | None = False  # RFC 6455 section 4.1: the handshake is a GET
    _upgraded = False
    _on_close_called = False

    # -- to be overridden --

    def _open(self, *args: str, **kwargs: str) -> Awaitable[None] | None:
        pass

    open: Callable[..., Awaitable[None] | None] = _open
    """Called when the connection is open, with the groups of the route's pattern; may be ``async``.

    Messages can be sent from here on. None is delivered before it is done, nor is `on_close` called: do not
    wait here for what that does.
    """

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Called with each message; may be ``async``.

        :param message: text, or bytes where it was sent as binary.
        """
        raise NotImplementedError(f"{type(self).__name__} has no on_message()")

    def on_close(self) -> Awaitable[None] | None:
        """Called once when an open connection is closed, by whomever; may be ``async``. See `close_code`.

        A peer that goes is noticed at once: coroutines of the other callbacks may be under way still. Only
        `open` is waited for, which may have failed.
        """

    def on_ping(self, data: bytes) -> Awaitable[None] | None:
        """Called with the payload of each ping; it is answered without this."""

    def on_pong(self, data: bytes) -> Awaitable[None] | None:
        """Called with the payload of each pong, the answer to a `ping`."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Choose among the subprotocols that the client offers, in the order of its preference.

        :returns: one of them, or None for none. A client that cannot do without will close.
        """
        return None

    def check_origin(self, origin: str) -> bool:
        """Whether pages of another `origin` may open a WebSocket here; they get 403 otherwise.

        By default those may that `check_trusted_origin` knows. Not asked about pages of the same origin, as
        the browser says itself (``Sec-Fetch-Site``) or the host and port that was asked for, nor of clients
        that send no Origin because they are no browsers.

        To allow a whole domain::

            def check_origin(self, origin):
                host = urllib.parse.urlsplit(origin).hostname or ""
                return host == "example.com" or host.endswith(".example.com")

        Returning True for every origin lets any page act with the cookies of whoever looks at it: never do so
        where cookies tell who somebody is.
        """
        return self.check_trusted_origin(origin)

    def get_compression_options(self) -> dict[str, Any] | None:
        """Override to have messages compressed (permessage-deflate, RFC 7692) for clients that offer it.

        :returns: None for no compression, or a dictionary, which may be empty: ``compression_level`` (-1 to
            9) and ``mem_level`` (1 to 9), as zlib has them; further, **Waterspout's own**,
            ``server_max_window_bits`` and ``client_max_window_bits`` (8 to 15),
            ``server_no_context_takeover`` and ``client_no_context_takeover`` (keep nothing between messages),
            ``threshold`` (bytes below which a message is sent as it is).

        A connection that has sent compressed messages holds some 260 KB at zlib's defaults, 52 KB with 11
        bits of window and a memory level of 4; it is given back after a minute or two without any.
        """
        return None

    # Properties, for which a program may have plain attributes or properties of its own.
    if TYPE_CHECKING:
        ping_interval: float | None
        ping_timeout: float | None
        max_message_size: int
        write_limit: int
    else:

        @property
        def ping_interval(self) -> float | None:
            """Seconds between two pings, by which a peer that is gone is noticed; None or 0 for none."""
            return self.settings.get("websocket_ping_interval")

        @property
        def ping_timeout(self) -> float | None:
            """Seconds that the answer to a ping may take; None for `ping_interval`, and never longer."""
            return self.settings.get("websocket_ping_timeout")

        @property
        def max_message_size(self) -> int:
            """Bytes that a message may have once it is decompressed; a longer one closes the connection
            (1009).
            """
            size: int = self.settings.get("websocket_max_message_size", MAX_MESSAGE_SIZE)
            return size

        @property
        def write_limit(self) -> int:
            """Bytes that may wait for the peer before the Futures of `write_message` wait too, and, where
            callbacks have sent them, its messages, until no more than half of that wait.
            """
            limit: int = self.settings.get("websocket_write_limit", WRITE_LIMIT)
            return limit

    # -- for the program --

    def write_message(self, message: str | bytes | dict[str, Any], binary: bool = False) -> Future[None]:
        """Send a message.

        :param message: text, or its UTF-8 as bytes; a dict is sent as JSON.
        :param binary: send it as binary, so that the peer gets bytes; any bytes will do then.
        :returns: a Future to await wherever messages may come faster than the peer reads. It is done at once
            unless more than `write_limit` bytes wait for the peer, else when no more than half of that do. It
            holds a `WebSocketClosedError` if the connection is closed before.
        :raises WebSocketClosedError: if the connection is closed or closing.
        :raises TypeError: for a message of another type.
        :raises ValueError: for bytes that are no UTF-8, without `binary`.
        :raises RuntimeError: in another thread than that of the connection's loop.
        """
        connection = self.ws_connection
        if connection is None or (
            # What the question asks first, without a call; the question itself is what stand-ins answer.
            (connection.client_terminated or connection.server_terminated) and connection.is_closing()
        ):
            raise closed_error(self if connection is None else connection)
        if isinstance(message, dict):
            message = json_encode(message)
        return connection.write_message(message, binary)

    def ping(self, data: str | bytes = b"") -> None:
        """Send a ping; its answer goes to `on_pong`.

        :param data: at most 125 bytes that come back with the answer.
        :raises WebSocketClosedError: if the connection is closed or closing.
        :raises ValueError: if `data` is longer.
        """
        connection = self.ws_connection
        if connection is None or connection.is_closing():
            raise closed_error(self if connection is None else connection)
        connection.write_ping(utf8(data))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection: the peer is told and has five seconds to answer, then `on_close` is called.

        :param code: why (RFC 6455 section 7.4): 1000 for a normal end, 3000 to 4999 for the program's own.
            1005, 1006 and 1015, by which some tell of an end without a code, count as none.
        :param reason: the same for people; what is beyond 123 bytes is left out.
        :raises ValueError: for any other code that must not be sent.
        """
        connection = self.ws_connection
        if connection is not None:
            connection.close(code, reason)
            self.ws_connection = None

    @property
    def selected_subprotocol(self) -> str | None:
        """What `select_subprotocol` has returned.

        :raises AssertionError: if the connection is not open.
        """
        assert self.ws_connection is not None, "there is no open connection"
        return self.ws_connection.selected_subprotocol

    def set_nodelay(self, value: bool) -> None:
        """Have small messages sent at once (True, the default) or collected by the system (Nagle's
        algorithm).

        :raises AssertionError: if the connection is not open.
        """
        assert self.ws_connection is not None, "there is no open connection"
        self.ws_connection.set_nodelay(value)

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """Make the object for the connection, of the version that the request asks for; None for one that is
        not spoken here, which is answered with 426.
        """
        version = self.request.headers.get("Sec-WebSocket-Version")
        if version not in ("7", "8", "13"):
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
        """The server's, which is for messages as it is for bodies; connections of other kinds have none."""
        server = getattr(self.request.connection, "params", None)
        protection = getattr(server, "protection", None)
        return None if protection is None else protection.max_inflation_ratio

    # -- the way here --

    # `Any` for every argument lets subclasses name the groups of their routes.
    def get(self, *args: Any, **kwargs: Any) -> Awaitable[None]:
        """Do the opening handshake. May be overridden, to await ``super().get(*args, **kwargs)``: that
        returns when the connection is closed.
        """
        if args:
            self.open_args = args
        if kwargs:
            self.open_kwargs = kwargs
        return ServerHandshake(self)

    def _accept(self, protocol: WebSocketProtocol13) -> None:
        """Answer the handshake and open `protocol`.

        :raises ValueError: if the request is no handshake.
        """
        try:
            offer = read_offer(self)
        except HandshakeError as error:
            raise ValueError(str(error)) from error
        accept(self, protocol, offer)

    def on_ws_connection_close(
        self, close_code: int | None = None, close_reason: str | None = None
    ) -> Awaitable[None] | None:
        """The protocol tells that the connection is closed."""
        self.close_code, self.close_reason = close_code, close_reason
        return self.on_connection_close()

    def on_connection_close(self) -> Awaitable[None] | None:  # type: ignore[override]
        """The connection is closed, or the client went during the handshake."""
        connection, self.ws_connection = self.ws_connection, None
        if connection is not None:
            connection.on_connection_close()
        if self._upgraded and not self._on_close_called:
            self._on_close_called = True
            self._break_cycles()
            return self.on_close()
        return None


def _refusing(name: str) -> Any:
    """A method of `RequestHandler` that is of no use behind the handshake."""

    @functools.wraps(getattr(RequestHandler, name))
    def method(self: WebSocketHandler, *args: Any, **kwargs: Any) -> Any:
        if self._upgraded:
            raise RuntimeError(f"{name}(): Method not supported for Web Sockets; write_message() sends")
        return getattr(super(WebSocketHandler, self), name)(*args, **kwargs)

    return method


for _name in ("write", "redirect", "set_header", "set_cookie", "set_status", "flush", "finish"):
    setattr(WebSocketHandler, _name, _refusing(_name))

__all__ = ["WebSocketHandler"]
