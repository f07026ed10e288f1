"""A program written by hand: a subscription of redis-py, and `tornado.websocket.broadcast`."""

from __future__ import annotations

import asyncio

import redis.asyncio

import settings
from tornado.web import Application
from tornado.websocket import WebSocketHandler, broadcast

CLIENTS: set[WebSocketHandler] = set()


class Feed(WebSocketHandler):
    def open(self) -> None:
        CLIENTS.add(self)

    def on_close(self) -> None:
        CLIENTS.discard(self)

    def on_message(self, message: str | bytes) -> None:
        pass


async def serve(client: redis.asyncio.Redis) -> None:
    async with client.pubsub() as subscription:
        await subscription.subscribe(settings.CHANNEL)
        Application([(r"/feed", Feed)]).listen(settings.PORT, "127.0.0.1", backlog=1024)
        async for message in subscription.listen():
            if message["type"] == "message":
                broadcast(CLIENTS, message["data"].decode())


async def main() -> None:
    async with redis.asyncio.from_url(settings.REDIS) as client:
        if settings.PUBLISHES:
            await settings.publish_numbers(lambda text: client.publish(settings.CHANNEL, text))
        else:
            await serve(client)


asyncio.run(main())
