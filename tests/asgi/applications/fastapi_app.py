"""The application on FastAPI; see `specification`."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.websockets import WebSocketDisconnect

from tests.asgi.applications.specification import DOWNLOAD_SIZE, PART

results: list[str] = []


@contextlib.asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[dict[str, str]]:
    yield {"value": "ready"}


app = FastAPI(lifespan=lifespan)


@app.get("/hello/{name}", response_class=PlainTextResponse)
def hello(name: str) -> str:
    return f"Hello {name}"


@app.post("/json")
async def json(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "seen": True}


@app.post("/upload")
async def upload(request: Request) -> dict[str, Any]:
    size, digest = 0, hashlib.sha256()
    async for part in request.stream():
        size += len(part)
        digest.update(part)
    return {"size": size, "sha256": digest.hexdigest()}


@app.get("/download")
async def download() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(DOWNLOAD_SIZE // len(PART)):
            yield PART

    return StreamingResponse(parts())


@app.get("/events")
async def events() -> StreamingResponse:
    async def three() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"

    return StreamingResponse(three(), media_type="text/event-stream")


@app.get("/later", response_class=PlainTextResponse)
async def later(tasks: BackgroundTasks) -> str:
    results.clear()
    tasks.add_task(results.append, "done")
    return "started"


@app.get("/result", response_class=PlainTextResponse)
async def result() -> str:
    return "".join(results)


@app.get("/fail")
async def fail() -> None:
    raise ValueError("fault")


@app.get("/state", response_class=PlainTextResponse)
async def state(request: Request) -> str:
    value: str = request.state.value
    return value


@app.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    await websocket.accept("echo")
    with contextlib.suppress(WebSocketDisconnect):
        while (text := await websocket.receive_text()) != "bye":
            await websocket.send_text(text)
        await websocket.close(4000, "goodbye")
