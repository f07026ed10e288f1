"""`WebSocketProtocol`: the interface between a handler and its connection."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tornado.concurrent import Future


class WebSocketProtocol(abc.ABC):
    """The type of a handler's ``ws_connection``: a connection of any version of the protocol.

    :param handler: the owner, with the methods ``on_message``, ``on_ping``, ``on_pong``,
        ``on_ws_connection_close`` and ``log_exception``.
    :ivar stream: the byte stream, None until the handshake is complete.
    :ivar client_terminated: whether the peer has closed the connection.
    :ivar server_terminated: whether this side has closed the connection.
    """

    __slots__ = ("__dict__", "__weakref__", "client_terminated", "handler", "server_terminated", "stream")

    def __init__(self, handler: Any) -> None:
        self.handler: Any = handler
        self.stream: Any = None
        self.client_terminated: bool = False
        self.server_terminated: bool = False

    def on_connection_close(self) -> None:
        """Process the end of the stream: nothing can be sent or read any more."""
        self._abort()

    def _abort(self) -> None:
        """Close the connection immediately, without a close frame."""
        self.client_terminated = self.server_terminated = True
        if self.stream is not None:
            self.stream.close()

    @abc.abstractmethod
    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Start the closing handshake, or reply to the peer's close frame."""

    @abc.abstractmethod
    def is_closing(self) -> bool:
        """Whether either side has closed the connection, so that nothing can be sent any more."""

    @abc.abstractmethod
    async def accept_connection(self, handler: Any) -> None:
        """Respond to a client's handshake, call ``open``, and wait until the connection is closed."""

    @abc.abstractmethod
    def write_message(self, message: str | bytes, binary: bool = False) -> Future[None]:
        """Send a message."""

    @property
    @abc.abstractmethod
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that both sides agreed on, or None."""

    @abc.abstractmethod
    def write_ping(self, data: bytes) -> None:
        """Send a ping."""

    @abc.abstractmethod
    def start_pinging(self) -> None:
        """Start to send periodic pings."""

    @abc.abstractmethod
    def set_nodelay(self, x: bool) -> None:
        """Set TCP_NODELAY: whether small messages are sent immediately or delayed by Nagle's algorithm."""


__all__ = ["WebSocketProtocol"]
