"""Django Channels with its Redis layer, on uvicorn."""

from __future__ import annotations

import asyncio
from typing import Any

import django
import uvicorn
from django.conf import settings as configuration

import settings

configuration.configure(
    SECRET_KEY="of a benchmark",
    ALLOWED_HOSTS=["*"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [settings.REDIS], "capacity": 10_000},
        }
    },
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 (Django must be configured)
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402


class Feed(AsyncWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        await self.channel_layer.group_add(settings.CHANNEL, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(settings.CHANNEL, self.channel_name)

    async def news(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])


async def publish() -> None:
    layer = get_channel_layer()
    await settings.publish_numbers(
        lambda text: layer.group_send(settings.CHANNEL, {"type": "news", "text": text})
    )


if settings.PUBLISHES:
    asyncio.run(publish())
else:
    uvicorn.run(
        ProtocolTypeRouter({"websocket": URLRouter([path("feed", Feed.as_asgi())])}),
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
