"""What can go wrong with a WebSocket, and the close code or the status that says so.

One tree. `WebSocketError` is its root, public as `tornado.websocket.WebSocketError`. The four classes for
faults of the peer carry, as `close_code`, what the connection is failed with (RFC 6455 section 7.4.1);
`HandshakeError` is raised before there is a connection, and carries the status of the answer.
"""

from __future__ import annotations

__all__ = [
    "HandshakeError",
    "InvalidPayload",
    "MessageTooLarge",
    "PolicyViolation",
    "ProtocolError",
    "WebSocketError",
]


class WebSocketError(Exception):
    """The root of what is raised about a WebSocket.

    :ivar close_code: what a connection is failed with.
    """

    close_code: int = 1002


class ProtocolError(WebSocketError):
    """A frame, or a sequence of frames, that RFC 6455 or RFC 7692 does not allow: 1002."""


class InvalidPayload(WebSocketError):
    """Text, or the reason of a close frame, that is no UTF-8 (RFC 6455 section 8.1): 1007."""

    close_code = 1007


class PolicyViolation(WebSocketError):
    """More frames than the limits on their number allow: 1008."""

    close_code = 1008


class MessageTooLarge(WebSocketError):
    """A message over the limit on its size, counted after decompression: 1009."""

    close_code = 1009


class HandshakeError(WebSocketError):
    """The opening handshake is not acceptable.

    :param message: what is at fault, with the name of the field.
    :param status_code: the status a server answers with; without meaning for a client.
    :param headers: fields that belong into this answer.
    """

    def __init__(
        self, message: str, status_code: int = 400, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.headers = headers
