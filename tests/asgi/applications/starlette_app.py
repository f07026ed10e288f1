"""The application on Starlette; see `specification`."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.asgi.applications.specification import DOWNLOAD_SIZE, PART

results: list[str] = []


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"Hello {request.path_params['name']}")


async def json(request: Request) -> JSONResponse:
    return JSONResponse({**await request.json(), "seen": True})


async def upload(request: Request) -> JSONResponse:
    size, digest = 0, hashlib.sha256()
    async for part in request.stream():
        size += len(part)
        digest.update(part)
    return JSONResponse({"size": size, "sha256": digest.hexdigest()})


async def parts() -> AsyncIterator[bytes]:
    for _ in range(DOWNLOAD_SIZE // len(PART)):
        yield PART


async def download(request: Request) -> StreamingResponse:
    return StreamingResponse(parts())


async def three_events() -> AsyncIterator[str]:
    for number in range(3):
        yield f"data: {number}\n\n"


async def events(request: Request) -> StreamingResponse:
    return StreamingResponse(three_events(), media_type="text/event-stream")


async def later(request: Request) -> PlainTextResponse:
    results.clear()
    return PlainTextResponse("started", background=BackgroundTask(results.append, "done"))


async def result(request: Request) -> PlainTextResponse:
    return PlainTextResponse("".join(results))


async def fail(request: Request) -> PlainTextResponse:
    raise ValueError("fault")


async def state(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.state.value)


async def socket(websocket: WebSocket) -> None:
    await websocket.accept("echo")
    with contextlib.suppress(WebSocketDisconnect):
        while (text := await websocket.receive_text()) != "bye":
            await websocket.send_text(text)
        await websocket.close(4000, "goodbye")


@contextlib.asynccontextmanager
async def lifespan(application: Any) -> AsyncIterator[dict[str, str]]:
    yield {"value": "ready"}


app = Starlette(
    routes=[
        Route("/hello/{name}", hello),
        Route("/json", json, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/download", download),
        Route("/events", events),
        Route("/later", later),
        Route("/result", result),
        Route("/fail", fail),
        Route("/state", state),
        WebSocketRoute("/ws", socket),
    ],
    lifespan=lifespan,
)
