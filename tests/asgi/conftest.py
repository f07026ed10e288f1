"""ASGI applications for the tests of a container."""

from __future__ import annotations

import json
from typing import Any


async def read_body(receive: Any) -> bytes:
    """Receive a complete request body."""
    parts = []
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def respond(send: Any, body: bytes = b"", status: int = 200, fields: Any = ()) -> None:
    """Send a response with one part."""
    await send({"type": "http.response.start", "status": status, "headers": list(fields)})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Respond with the method, the path and the body."""
    assert scope["type"] == "http"
    body = await read_body(receive)
    fields = [(b"x-method", scope["method"].encode()), (b"x-path", scope["raw_path"])]
    await respond(send, body, fields=fields)


async def show_scope(scope: Any, receive: Any, send: Any) -> None:
    """Respond with the scope as JSON, with bytes as Latin-1 text."""
    body = json.dumps(scope, default=lambda value: value.decode("latin-1")).encode()
    await respond(send, body, fields=[(b"content-type", b"application/json")])
