"""python-socketio with its Redis manager, on uvicorn."""

from __future__ import annotations

import asyncio
from typing import Any

import socketio
import uvicorn

import settings


async def publish() -> None:
    manager = socketio.AsyncRedisManager(settings.REDIS, write_only=True)
    await settings.publish_numbers(lambda text: manager.emit("message", text, room=settings.CHANNEL))


def serve() -> None:
    server = socketio.AsyncServer(
        async_mode="asgi",
        client_manager=socketio.AsyncRedisManager(settings.REDIS),
        http_compression=False,
        ping_interval=3600,
    )

    @server.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        await server.enter_room(sid, settings.CHANNEL)

    uvicorn.run(
        socketio.ASGIApp(server),
        host="127.0.0.1",
        port=settings.PORT,
        loop="uvloop",
        log_level="critical",
        access_log=False,
        ws="websockets",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        backlog=1024,
    )


if settings.PUBLISHES:
    asyncio.run(publish())
else:
    serve()
