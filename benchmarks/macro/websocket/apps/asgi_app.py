"""The measured program as an ASGI application, on uvicorn or hypercorn with uvloop, or on Waterspout."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import settings


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Repeat each message, or, on other paths than ``/echo``, send nothing."""
    await receive()
    await send({"type": "websocket.accept"})
    echoes = scope["path"] == "/echo"
    while (message := await receive())["type"] == "websocket.receive":
        if echoes:
            await send({**message, "type": "websocket.send"})


async def waterspout() -> None:
    from tornado.asgi import ASGIContainer
    from tornado.httpserver import HTTPServer

    HTTPServer(ASGIContainer(application, lifespan="off")).listen(settings.PORT, "127.0.0.1")
    await asyncio.Event().wait()


async def hypercorn() -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{settings.PORT}"]
    config.accesslog = config.errorlog = None
    await serve(application, config)  # type: ignore[arg-type]


if os.environ.get("BENCH_SERVER") == "waterspout":
    asyncio.run(waterspout())
elif os.environ.get("BENCH_SERVER") == "hypercorn":
    import uvloop

    uvloop.run(hypercorn())
else:
    import uvicorn

    uvicorn.run(
        application,
        host="127.0.0.1",
        port=settings.PORT,
        loop="uvloop",
        lifespan="off",
        log_level="critical",
        access_log=False,
        ws="websockets",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        backlog=1024,
    )
