"""uvicorn without a framework: shows how much of the ASGI frameworks' figures is the cost of uvicorn."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import asgi
import settings

BODY = settings.TEXT.encode()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Handle both endpoints."""
    path = scope["path"]
    if path.startswith("/item/"):
        query = dict(parse_qsl(scope["query_string"].decode()))
        body, kind = json.dumps({"id": int(path[6:]), "q": query["q"]}).encode(), b"application/json"
    else:
        body, kind = BODY, b"text/plain"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


asgi.serve(application)
