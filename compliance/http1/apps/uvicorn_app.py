"""The echo program on uvicorn; ECHO_PARSER selects the parser: ``httptools`` or ``h11``."""

from __future__ import annotations

import os
from typing import Any

import uvicorn
from echo import METHODS, certificate, describe, needs


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Respond with the request as understood."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
        return
    status, flushed = needs(scope["path"]) or (200, False)
    if status != 200:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    target = scope["raw_path"].decode("latin-1")
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("latin-1")
    host = next((value for name, value in fields if name == "host"), None)
    text = describe(scope["method"], target, f"HTTP/{scope['http_version']}", host, fields, body)
    headers = [(b"content-type", b"application/json")]
    if not flushed:
        headers.append((b"content-length", b"%d" % len(text)))
    if scope["method"] not in METHODS:
        status, headers = 405, [*headers, (b"allow", ", ".join(METHODS).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text[:5], "more_body": True})
    await send({"type": "http.response.body", "body": text[5:]})


if __name__ == "__main__":
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=int(os.environ["ECHO_PORT"]),
        http=os.environ["ECHO_PARSER"],
        lifespan="off",
        log_level="critical",
        access_log=False,
        ssl_certfile=certificate("server.pem"),
        ssl_keyfile=certificate("server.key"),
    )
