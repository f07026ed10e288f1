"""The application on Quart; see `specification`."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, Response, request, websocket

from tests.asgi.applications.specification import DOWNLOAD_SIZE, PART

results: list[str] = []
values: dict[str, str] = {}
app = Quart(__name__)
app.config["MAX_CONTENT_LENGTH"] = None
app.config["BODY_TIMEOUT"] = None
app.config["RESPONSE_TIMEOUT"] = None


@app.before_serving
async def start() -> None:
    values["value"] = "ready"


@app.get("/hello/<name>")
async def hello(name: str) -> Response:
    return Response(f"Hello {name}", mimetype="text/plain")


@app.post("/json")
async def json() -> dict[str, Any]:
    return {**await request.get_json(), "seen": True}


@app.post("/upload")
async def upload() -> dict[str, Any]:
    size, digest = 0, hashlib.sha256()
    async for part in request.body:
        size += len(part)
        digest.update(part)
    return {"size": size, "sha256": digest.hexdigest()}


async def parts() -> AsyncIterator[bytes]:
    for _ in range(DOWNLOAD_SIZE // len(PART)):
        yield PART


@app.get("/download")
async def download() -> Response:
    return Response(parts(), mimetype="application/octet-stream")


async def three_events() -> AsyncIterator[bytes]:
    for number in range(3):
        yield f"data: {number}\n\n".encode()


@app.get("/events")
async def events() -> Response:
    return Response(three_events(), content_type="text/event-stream")


async def finish() -> None:
    results.append("done")


@app.get("/later")
async def later() -> str:
    results.clear()
    app.add_background_task(finish)
    return "started"


@app.get("/result")
async def result() -> str:
    return "".join(results)


@app.get("/fail")
async def fail() -> str:
    raise ValueError("fault")


@app.get("/state")
async def state() -> str:
    return values["value"]


@app.websocket("/ws")
async def socket() -> None:
    await websocket.accept(subprotocol="echo")
    while (text := await websocket.receive()) != "bye":
        await websocket.send(text)
    await websocket.close(4000, "goodbye")
