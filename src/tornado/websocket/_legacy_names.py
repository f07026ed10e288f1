"""Names that Tornado's `WebSocketClientConnection` inherits from its HTTP client.

Here `ClientHandshake` carries out the handshake, so these names have no part in it. They are kept because
they are part of the public API: each has the value that it has on Tornado at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado.httpclient import HTTPResponse
from tornado.tcpclient import TCPClient
from tornado.websocket._client_handshake import MAX_HEAD, MAX_PAGE, ClientHandshake

if TYPE_CHECKING:
    from tornado.http1connection import HTTP1Connection


class LegacyNames:
    """The base of `.WebSocketClientConnection` with these names."""

    _opening: ClientHandshake | None = None
    _on_http_response: Callable[[HTTPResponse], None]
    connect_future: Any

    #: Always None: a WebSocket belongs to no HTTP client.
    client: None = None
    #: Always None: the handshake's exchange is not visible.
    connection: HTTP1Connection | None = None
    #: Bytes that the head of the handshake's response may have.
    max_header_size = MAX_HEAD
    #: Bytes that a page in place of a WebSocket may have, and that may be buffered of it.
    max_body_size = max_buffer_size = MAX_PAGE
    #: When the handshake began, on the loop's clock and in seconds since the epoch.
    start_time: float
    start_wall_time: float

    @property
    def chunks(self) -> list[bytes]:
        """Return an empty list: the response's body, if there is one, is part of the error."""
        return []

    @property
    def tcp_client(self) -> TCPClient | None:
        """Return the `.TCPClient` during the handshake, None afterwards."""
        return None if self._opening is None else self._opening.tcp_client

    @property
    def final_callback(self) -> Callable[[HTTPResponse], None] | None:
        """Return the function that takes a response in place of a WebSocket; None after the handshake."""
        return None if self._opening is None else self._on_http_response

    def release_callback(self) -> None:
        """Do nothing: no client waits for the connection."""

    async def run(self) -> None:
        """Wait for the handshake, which began when the connection was made.

        :raises Exception: if it fails; see `.websocket_connect`.
        """
        await self.connect_future

    def data_received(self, chunk: bytes) -> None:
        """Do nothing. Messages go to `.WebSocketClientConnection.on_message`."""

    def finish(self) -> None:
        """Do nothing: a WebSocket ends with `.WebSocketClientConnection.close`."""
