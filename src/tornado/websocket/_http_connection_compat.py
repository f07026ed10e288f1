"""Names that Tornado's `WebSocketClientConnection` inherits from its HTTP client.

`ClientHandshake` performs the handshake, so setting these attributes has no effect. They are kept because
they are part of the public API; each has the value that it would have in Tornado.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado.httpclient import HTTPResponse
from tornado.tcpclient import TCPClient
from tornado.websocket._client_handshake import MAX_HEAD, MAX_PAGE, ClientHandshake

if TYPE_CHECKING:
    from tornado.http1connection import HTTP1Connection


class HTTPConnectionCompat:
    """The base class of `.WebSocketClientConnection` that provides these names."""

    _handshake: ClientHandshake | None = None
    _on_http_response: Callable[[HTTPResponse], None]
    connect_future: Any

    #: Always None: a WebSocket does not belong to an HTTP client.
    client: None = None
    #: Always None: the HTTP connection of the handshake is not accessible.
    connection: HTTP1Connection | None = None
    #: The maximum size of the head of the handshake's response, in bytes.
    max_header_size = MAX_HEAD
    #: The maximum size and buffer size of the body of a response that rejects the handshake, in bytes.
    max_body_size = max_buffer_size = MAX_PAGE
    #: The start of the handshake, in seconds of the event loop's clock.
    start_time: float
    #: The start of the handshake, in seconds since the epoch.
    start_wall_time: float

    @property
    def chunks(self) -> list[bytes]:
        """Return an empty list: the body of a response that rejects the handshake is part of the error."""
        return []

    @property
    def tcp_client(self) -> TCPClient | None:
        """Return the `.TCPClient` of the handshake; None after the handshake."""
        return None if self._handshake is None else self._handshake.tcp_client

    @property
    def final_callback(self) -> Callable[[HTTPResponse], None] | None:
        """Return the function called if the handshake is rejected; None after the handshake."""
        return None if self._handshake is None else self._on_http_response

    def release_callback(self) -> None:
        """Do nothing: the handshake does not use an HTTP client that could be notified."""

    async def run(self) -> None:
        """Wait until the handshake, which the constructor has started, is complete.

        :raises Exception: if the handshake fails; see `.websocket_connect`.
        """
        await self.connect_future

    def data_received(self, chunk: bytes) -> None:
        """Do nothing: messages are passed to `.WebSocketClientConnection.on_message`."""

    def finish(self) -> None:
        """Do nothing: call `.WebSocketClientConnection.close` to end a WebSocket."""
