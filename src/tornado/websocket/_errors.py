"""What can go wrong with a WebSocket, as programs catch it."""

from __future__ import annotations

from tornado._wire.ws_errors import WebSocketError

WebSocketError.__module__ = "tornado.websocket"


class WebSocketClosedError(WebSocketError):
    """Raised, or held by a Future, where something was to be sent and the WebSocket is closed or closing."""


__all__ = ["WebSocketClosedError", "WebSocketError"]
