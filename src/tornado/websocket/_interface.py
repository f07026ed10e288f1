"""`WebSocketProtocol`: the interface between a handler and its connection."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

from tornado._wire.ws_state import WebSocketState, WebSocketStep

if TYPE_CHECKING:
    from tornado.concurrent import Future

# See `tornado._wire.state_machine` for the reason for these constants.
_CONNECTING = WebSocketState.CONNECTING
_LOST = WebSocketStep.LOST

#: The state for each combination of `client_terminated` and `server_terminated` that a program sets.
_TERMINATED = {
    (False, False): WebSocketState.OPEN,
    (False, True): WebSocketState.CLOSING,
    (True, False): WebSocketState.CLOSED_BY_PEER,
    (True, True): WebSocketState.TERMINATED,
}


class WebSocketProtocol(abc.ABC):
    """The type of a handler's ``ws_connection``: a connection of any version of the protocol.

    :param handler: the owner, with the methods ``on_message``, ``on_ping``, ``on_pong``,
        ``on_ws_connection_close`` and ``log_exception``; on a server also ``on_ws_connection_accept``.
    :ivar state: the state of the connection after the events delivered so far.
    :ivar stream: the byte stream, None until the handshake is complete.
    """

    __slots__ = ("__dict__", "__weakref__", "handler", "state", "stream")

    def __init__(self, handler: Any) -> None:
        self.handler: Any = handler
        self.stream: Any = None
        self.state: WebSocketState = _CONNECTING

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value}>"

    @property
    def client_terminated(self) -> bool:
        """Whether the peer has closed the connection. Subclasses may set it."""
        return self.state.peer_closed

    @client_terminated.setter
    def client_terminated(self, value: bool) -> None:
        if not (value and self.state.peer_closed):
            self.state = _TERMINATED[bool(value), self.state.closed_here]
            self._on_terminated_set()

    @property
    def server_terminated(self) -> bool:
        """Whether this side has closed the connection. Subclasses may set it."""
        return self.state.closed_here

    @server_terminated.setter
    def server_terminated(self, value: bool) -> None:
        if not (value and self.state.closed_here):
            self.state = _TERMINATED[self.state.peer_closed, bool(value)]
            self._on_terminated_set()

    def _on_terminated_set(self) -> None:  # noqa: B027 - optional
        """Set the deadline that belongs to a state which a program has set; the base class has none."""

    def on_connection_close(self) -> None:
        """Process the end of the stream: nothing can be sent or read any more."""
        self._abort()

    def _abort(self) -> None:
        """Close the connection immediately, without a close frame."""
        self.state = self.state.after[_LOST]
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
