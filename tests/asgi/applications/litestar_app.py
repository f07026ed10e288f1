"""The application on Litestar; see `specification`."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, MediaType, Request, Response, WebSocket, get, post, websocket
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import State
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from tests.asgi.applications.specification import DOWNLOAD_SIZE, PART

results: list[str] = []


@get("/hello/{name:str}", media_type=MediaType.TEXT)
async def hello(name: FromPath[str]) -> str:
    return f"Hello {name}"


@post("/json", status_code=200)
async def json(data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
    return {**data, "seen": True}


@post("/upload", status_code=200, request_max_body_size=None)
async def upload(request: Request[Any, Any, Any]) -> dict[str, Any]:
    size, digest = 0, hashlib.sha256()
    async for part in request.stream():
        size += len(part)
        digest.update(part)
    return {"size": size, "sha256": digest.hexdigest()}


async def parts() -> AsyncIterator[bytes]:
    for _ in range(DOWNLOAD_SIZE // len(PART)):
        yield PART


@get("/download")
async def download() -> Stream:
    return Stream(parts())


async def three_events() -> AsyncIterator[str]:
    for number in range(3):
        yield f"data: {number}\n\n"


@get("/events")
async def events() -> Stream:
    return Stream(three_events(), media_type="text/event-stream")


async def finish() -> None:
    results.append("done")


@get("/later", media_type=MediaType.TEXT)
async def later() -> Response[str]:
    results.clear()
    return Response("started", background=BackgroundTask(finish))


@get("/result", media_type=MediaType.TEXT)
async def result() -> str:
    return "".join(results)


@get("/fail")
async def fail() -> None:
    raise ValueError("fault")


@get("/state", media_type=MediaType.TEXT)
async def state_(state: State) -> str:
    value: str = state.value
    return value


@websocket("/ws")
async def socket(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept("echo")
    try:
        while (text := await socket.receive_text()) != "bye":
            await socket.send_text(text)
    except WebSocketDisconnect:
        return
    await socket.close(4000, "goodbye")


async def start(app: Litestar) -> None:
    app.state.value = "ready"


app = Litestar(
    [hello, json, upload, download, events, later, result, fail, state_, socket],
    on_startup=[start],
    logging_config=None,
)
