"""Recognizes handshakes of WebSockets, and rejects invalid ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado._wire.ws_errors import HandshakeError


def wants_websocket(head: Any) -> bool:
    """Whether a request with an Upgrade field asks for a WebSocket."""
    values = head.headers.get_list("Upgrade")
    return any(each.strip().lower() == "websocket" for value in values for each in value.split(","))


def rejection_of(error: HandshakeError) -> Callable[..., Any]:
    """Return an ASGI application that responds with an error to an invalid handshake."""

    async def reject(scope: Any, receive: Any, send: Any) -> None:
        fields = [(name.encode(), value.encode()) for name, value in error.headers]
        fields.append((b"content-type", b"text/plain; charset=utf-8"))
        await send({"type": "http.response.start", "status": error.status_code, "headers": fields})
        await send({"type": "http.response.body", "body": f"{error}\n".encode()})

    return reject


__all__ = ["rejection_of", "wants_websocket"]
