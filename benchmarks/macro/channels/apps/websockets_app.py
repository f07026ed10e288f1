"""A program written by hand: a subscription of redis-py, and `broadcast` of websockets."""

from __future__ import annotations

import asyncio

import redis.asyncio
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

import settings

CLIENTS: set[ServerConnection] = set()


async def feed(connection: ServerConnection) -> None:
    CLIENTS.add(connection)
    try:
        await connection.wait_closed()
    finally:
        CLIENTS.discard(connection)


async def run(client: redis.asyncio.Redis) -> None:
    async with client.pubsub() as subscription:
        await subscription.subscribe(settings.CHANNEL)
        server = serve(feed, "127.0.0.1", settings.PORT, compression=None, ping_interval=None, backlog=1024)
        async with server:
            async for message in subscription.listen():
                if message["type"] == "message":
                    broadcast(CLIENTS, message["data"].decode())


async def main() -> None:
    async with redis.asyncio.from_url(settings.REDIS) as client:
        if settings.PUBLISHES:
            await settings.publish_numbers(lambda text: client.publish(settings.CHANNEL, text))
        else:
            await run(client)


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
