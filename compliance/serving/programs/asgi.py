"""The measured program for servers of ASGI applications; `waterspout.py` is the same for Waterspout."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any
from urllib.parse import parse_qs

VERSION = "1"
#: The WebSocket messages that have been received, one per line.
STORE = os.open(os.environ["STORE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve a connection or the lifespan."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await websocket(receive, send)
    else:
        await http(scope, receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    """Accept the start and the end."""
    for _ in range(2):
        message = await receive()
        await send({"type": message["type"] + ".complete"})


async def websocket(receive: Any, send: Any) -> None:
    """Store each message, and then acknowledge it."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        os.write(STORE, message["text"].encode() + b"\n")
        await send({"type": "websocket.send", "text": message["text"]})


async def http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with the version and the process ID."""
    while (await receive()).get("more_body"):
        pass
    parts = [f"{VERSION} {os.getpid()}".encode()]
    match scope["path"]:
        case "/wait":
            query = parse_qs(scope["query_string"].decode())
            await asyncio.sleep(float(query["seconds"][0]))
        case "/stream":
            await asyncio.sleep(0.09)
            parts = [b"x" * 100] * 6
        case "/block":
            time.sleep(600)  # noqa: ASYNC251 - a program should not do this, but some do
        case "/orphans":
            make_orphans()
    length = str(sum(map(len, parts))).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    for number, part in enumerate(parts, 1):
        more = number < len(parts)
        await send({"type": "http.response.body", "body": part, "more_body": more})
        if more:
            await asyncio.sleep(0.01)


def make_orphans() -> None:
    """Leave five processes behind that end at once, and whose parent has ended."""
    if os.fork() == 0:
        for _ in range(5):
            if os.fork() == 0:
                time.sleep(0.1)
                os._exit(0)
        os._exit(0)
    os.wait()
