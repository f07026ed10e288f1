"""The connection of a WebSocket that an ASGI application has accepted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket._errors import WebSocketClosedError
from tornado.websocket._protocol import WebSocketProtocol13

if TYPE_CHECKING:
    from tornado._wire.ws_deflate import DeflateParameters
    from tornado.websocket._parameters import WebSocketParams

_NO_CODE, _ABNORMAL, _INTERNAL_ERROR = 1005, 1006, 1011


class MessageConsumer(Protocol):
    """The call of an application that receives the messages."""

    def message_received(self, message: str | bytes) -> asyncio.Future[None] | None: ...
    def disconnected(self, code: int, reason: str) -> None: ...
    def exception_raised(self, error: BaseException) -> None: ...


class _Protocol(WebSocketProtocol13):
    """A protocol that distinguishes a close frame without a code from a lost connection."""

    __slots__ = ()

    def close_arrived(self, code: int | None, reason: str) -> None:
        super().close_arrived(_NO_CODE if code is None else code, reason)


class _Request:
    """The request of a connection, from which the server determines whether the connection is its own.

    :ivar connection: the detached exchange.
    """

    __slots__ = ("_began", "_loop", "connection", "method", "uri")

    def __init__(self, exchange: Any) -> None:
        head = exchange.head
        self.method, self.uri = head.method, head.target
        is_own = isinstance(exchange, HTTP1Connection)
        self.connection = exchange.detached_connection() if is_own else exchange
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    def request_time(self) -> float:
        """Return the time since the handshake, in seconds."""
        return self._loop.time() - self._began


class WebSocketConnection:
    """The owner of a protocol object: it passes events to an application, and messages to the protocol.

    :param consumer: the call of the application.
    :param exchange: the exchange of the handshake, which is detached.
    :param params: the settings of the connection.
    :param task: the task of the application, to which this object keeps a reference.
    """

    #: The reason why this side has ended the connection, which the protocol sets.
    close_error: str | None = None

    def __init__(
        self,
        consumer: MessageConsumer,
        exchange: Any,
        params: WebSocketParams,
        task: asyncio.Task[None] | None,
    ) -> None:
        self._task = task
        self._consumer = consumer
        self.request = _Request(exchange)
        websocket = exchange.websocket
        self._protocol: WebSocketProtocol13 = (
            _Protocol(self, False, params) if websocket is None else websocket.make_protocol(self, params)
        )
        self.on_message = consumer.message_received

    def begin(self, stream: IOStream, parameters: DeflateParameters | None, subprotocol: str | None) -> None:
        """Take over the stream after the 101 response."""
        self._protocol.begin(stream, parameters, subprotocol)

    def send(self, message: Any) -> asyncio.Future[None]:
        """Send a message; text if it is a str, otherwise binary.

        :raises StreamClosedError: if the connection is closed or closing.
        """
        try:
            return self._protocol.write_message(message, type(message) is not str)
        except WebSocketClosedError:
            raise StreamClosedError from None

    def is_closing(self) -> bool:
        """Whether a side has started the closing handshake, or the connection is lost."""
        return self._protocol.is_closing()

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake."""
        self._protocol.close(code, reason)

    # -- called by the protocol --

    def on_ping(self, data: bytes) -> None:
        """Do nothing: the protocol has replied."""

    def on_pong(self, data: bytes) -> None:
        """Do nothing: the protocol has recorded it."""

    def on_drain(self) -> None:
        """Do nothing: ASGI has no event for a server that is about to close the connection."""

    def on_ws_connection_close(
        self, code: int | None = None, reason: str | None = None
    ) -> asyncio.Future[None] | None:
        """Pass the end of the connection to the application.

        :returns: the task of the application, for which a drain of the server waits.
        """
        self._consumer.disconnected(_ABNORMAL if code is None else code, reason or "")
        return self._task

    def log_exception(self, kind: Any, error: BaseException, traceback: Any) -> None:
        """Log an exception in a callback."""
        self._consumer.exception_raised(error)


__all__ = ["MessageConsumer", "WebSocketConnection"]
