"""The measured program on websockets, with uvloop."""

from __future__ import annotations

import asyncio

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

import settings

CLIENTS: set[ServerConnection] = set()


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def feed(connection: ServerConnection) -> None:
    CLIENTS.add(connection)
    try:
        await connection.wait_closed()
    finally:
        CLIENTS.discard(connection)


async def loop(connection: ServerConnection) -> None:
    async for message in connection:
        text = settings.text(message)
        for client in CLIENTS:
            await client.send(text)
        await connection.send("done")


async def to_all(connection: ServerConnection) -> None:
    async for message in connection:
        broadcast(CLIENTS, settings.text(message))
        await connection.send("done")


async def idle(connection: ServerConnection) -> None:
    await connection.wait_closed()


HANDLERS = {
    "/echo": echo,
    "/feed": feed,
    "/loop": loop,
    "/broadcast": to_all,
    "/idle": idle,
    "/deflate": idle,
}


async def handle(connection: ServerConnection) -> None:
    assert connection.request is not None
    await HANDLERS[connection.request.path](connection)


async def main() -> None:
    # Compression is only used if the client offers it.
    extensions = [ServerPerMessageDeflateFactory()]
    async with serve(
        handle,
        "127.0.0.1",
        settings.PORT,
        compression=None,
        extensions=extensions,
        ping_interval=None,
        backlog=1024,
    ):
        await asyncio.Event().wait()


uvloop.run(main())
