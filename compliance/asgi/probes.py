"""An ASGI application with one path for each question about a server.

``GET /seen`` returns what the application has noticed during the request before, as JSON.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

seen: list[str] = []

OK = [{"type": "http.response.start", "status": 200}, {"type": "http.response.body", "body": b"ok"}]
LONG = (b"content-length", b"10")


async def lifespan(receive: Any, send: Any, state: dict[str, Any]) -> None:
    await receive()
    state["value"] = "ready"
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def start(*fields: tuple[bytes, bytes], **values: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": list(fields), **values}


def part(body: bytes = b"", more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


#: The messages that a path sends.
MESSAGES = {
    "/one": [start(), part(b"abc")],
    "/two": [start(), part(b"a", True), part(b"bc")],
    "/coding": [start((b"transfer-encoding", b"chunked")), part(b"abc")],
    "/no-content": [{**start(), "status": 204}, part()],
    "/long": [start((b"content-length", b"2")), part(b"abc")],
    "/short": [start(LONG), part(b"abc")],
    "/unfinished": [start(), part(b"abc", True)],
    "/nothing": [],
    "/order": [part(b"abc")],
    "/newline": [start((b"x-a", b"b\r\nx-c: d")), part(b"abc")],
    "/trailers": [
        start((b"trailer", b"x-sum"), trailers=True),
        part(b"abc"),
        {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]},
    ],
}


async def fail(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("fault")


async def fail_later(scope: Any, receive: Any, send: Any) -> None:
    await send(start())
    await send(part(b"abc", True))
    raise ValueError("fault")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send(start())
    await send(part(body))


async def show(scope: Any, receive: Any, send: Any) -> None:
    values = {
        name: scope.get(name) for name in ("path", "raw_path", "query_string", "scheme", "http_version")
    }
    values["state"] = dict(scope.get("state", {}))
    await send(start())
    await send(part(json.dumps(values, default=bytes.decode, sort_keys=True).encode()))


async def reject(scope: Any, receive: Any, send: Any) -> None:
    """Respond without reading the body."""
    await send({**start(), "status": 413})
    await send(part(b"no"))


async def after(scope: Any, receive: Any, send: Any) -> None:
    """Record the event after the response."""
    await receive()
    await send(start())
    await send(part(b"abc"))
    seen.append((await receive())["type"])


async def leave(scope: Any, receive: Any, send: Any) -> None:
    """Record what happens when the client disconnects during the response."""
    await receive()
    await send(start())
    await send(part(b"abc", True))
    seen.append((await receive())["type"])
    try:
        for _ in range(20):
            await send(part(bytes(10_000), True))
            await asyncio.sleep(0.01)
        seen.append("send returns")
    except OSError:
        seen.append("send raises OSError")


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"]
    await receive()
    if path == "/ws/close-first":
        await send({"type": "websocket.close", "code": 4000})
        return
    if path == "/ws/deny" and "websocket.http.response" in scope["extensions"]:
        await send({"type": "websocket.http.response.start", "status": 418})
        await send({"type": "websocket.http.response.body", "body": b"tea"})
        return
    if path == "/ws/ignore":
        return
    if path == "/ws/fail-first":
        raise ValueError("fault")
    await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[-1]})
    if path == "/ws/fail":
        raise ValueError("fault")
    if path == "/ws/return":
        return
    if path == "/ws/close":
        await send({"type": "websocket.close", "code": 4000, "reason": "bye"})
        seen.append((await receive())["type"])
        return
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    seen.append(f"disconnect {message['code']} {message.get('reason') or ''}".strip())
    try:
        await send({"type": "websocket.send", "text": "late"})
        seen.append("send returns")
    except OSError:
        seen.append("send raises OSError")
    except RuntimeError:
        seen.append("send raises RuntimeError")


PATHS = {
    "/fail": fail,
    "/fail-later": fail_later,
    "/echo": echo,
    "/show": show,
    "/reject": reject,
    "/after": after,
    "/leave": leave,
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request, or record what happens."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send, scope.get("state", {}))
    elif scope["type"] == "websocket":
        seen.clear()
        await websocket(scope, receive, send)
    elif scope["path"] == "/seen":
        await send(start())
        await send(part(json.dumps(seen).encode()))
    else:
        seen.clear()
        path = scope["path"].partition("/x")[0] or scope["path"]
        if path in PATHS:
            await PATHS[path](scope, receive, send)
        for message in MESSAGES.get(path, ()):
            await send(message)


__all__ = ["app"]
