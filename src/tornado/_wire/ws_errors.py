"""Errors in WebSocket connections.

The base class is `WebSocketError`, public as `tornado.websocket.WebSocketError`. Four subclasses mean that
the peer has violated the protocol or a limit; their ``close_code`` is the code of the close frame that this
side sends (RFC 6455 section 7.4.1). `HandshakeError` is raised before the connection is open; it has the
status code of the HTTP response instead of a close code.
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
    """The base class of errors in WebSocket connections.

    :ivar close_code: the code of the close frame that this side sends.
    """

    close_code: int = 1002


class ProtocolError(WebSocketError):
    """A frame or a sequence of frames violates RFC 6455 or RFC 7692: close code 1002."""


class InvalidPayload(WebSocketError):
    """A text message or a close reason is not valid UTF-8 (RFC 6455 section 8.1): close code 1007."""

    close_code = 1007


class PolicyViolation(WebSocketError):
    """The number of frames exceeds a limit: close code 1008."""

    close_code = 1008


class MessageTooLarge(WebSocketError):
    """A message exceeds the limit on its size or on its compression ratio: close code 1009."""

    close_code = 1009


class HandshakeError(WebSocketError):
    """The opening handshake is invalid.

    :param message: the problem, with the name of the header field.
    :param status_code: the status code of a server's response; unused in a client.
    :param headers: additional header fields of the response.
    """

    def __init__(
        self, message: str, status_code: int = 400, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.headers = headers
