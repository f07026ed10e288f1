"""The measured program on aiohttp, with uvloop. aiohttp has no broadcast function."""

from __future__ import annotations

import asyncio

import uvloop
from aiohttp import WSMsgType, web

import settings

CLIENTS: set[web.WebSocketResponse] = set()


async def opened(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()  # compressed only if the client offers it
    await socket.prepare(request)
    return socket


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = await opened(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


async def feed(request: web.Request) -> web.WebSocketResponse:
    socket = await opened(request)
    CLIENTS.add(socket)
    async for _ in socket:
        pass
    CLIENTS.discard(socket)
    return socket


async def loop(request: web.Request) -> web.WebSocketResponse:
    socket = await opened(request)
    async for message in socket:
        text = settings.text(message.data)
        for client in CLIENTS:
            await client.send_str(text)
        await socket.send_str("done")
    return socket


async def idle(request: web.Request) -> web.WebSocketResponse:
    socket = await opened(request)
    async for _ in socket:
        pass
    return socket


async def main() -> None:
    application = web.Application()
    application.add_routes(
        [
            web.get("/echo", echo),
            web.get("/feed", feed),
            web.get("/loop", loop),
            web.get("/broadcast", loop),
            web.get("/idle", idle),
            web.get("/deflate", idle),
        ]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", settings.PORT, backlog=1024).start()
    await asyncio.Event().wait()


uvloop.run(main())
