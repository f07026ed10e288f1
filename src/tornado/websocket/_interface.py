"""`WebSocketProtocol`: what a handler knows of its connection."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tornado.concurrent import Future


class WebSocketProtocol(abc.ABC):
    """What a handler knows as ``ws_connection``: a connection of any version of the protocol.

    :param handler: the owner; has ``on_message``, ``on_ping``, ``on_pong``, ``on_ws_connection_close`` and
        ``log_exception``.
    :ivar stream: the byte stream, None before the handshake is done.
    :ivar client_terminated: the peer has closed.
    :ivar server_terminated: this side has closed.
    """

    __slots__ = ("__dict__", "__weakref__", "client_terminated", "handler", "server_terminated", "stream")

    def __init__(self, handler: Any) -> None:
        self.handler: Any = handler
        self.stream: Any = None
        self.client_terminated: bool = False
        self.server_terminated: bool = False

    def on_connection_close(self) -> None:
        """The stream is closed: nothing can be sent or read any more."""
        self._abort()

    def _abort(self) -> None:
        """End at once, without a close frame."""
        self.client_terminated = self.server_terminated = True
        if self.stream is not None:
            self.stream.close()

    @abc.abstractmethod
    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begin, or answer, the closing handshake."""

    @abc.abstractmethod
    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""

    @abc.abstractmethod
    async def accept_connection(self, handler: Any) -> None:
        """Answer a client's handshake, call ``open``, and wait until the connection is closed."""

    @abc.abstractmethod
    def write_message(self, message: str | bytes, binary: bool = False) -> Future[None]:
        """Send a message."""

    @property
    @abc.abstractmethod
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that both sides agreed on."""

    @abc.abstractmethod
    def write_ping(self, data: bytes) -> None:
        """Send a ping."""

    @abc.abstractmethod
    def start_pinging(self) -> None:
        """Begin to see whether the peer is still there."""

    @abc.abstractmethod
    def set_nodelay(self, x: bool) -> None:
        """Send small messages at once (True), or have the system collect them."""


__all__ = ["WebSocketProtocol"]
