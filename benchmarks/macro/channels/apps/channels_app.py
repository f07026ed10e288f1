"""`ChannelHandler` of Waterspout."""

from __future__ import annotations

import asyncio

import settings
from tornado.channels import ChannelHandler, Hub, RedisBroker
from tornado.web import Application


async def main() -> None:
    async with Hub(RedisBroker(settings.REDIS)) as hub:
        if settings.PUBLISHES:
            await settings.publish_numbers(lambda text: hub.publish(settings.CHANNEL, text))
        else:
            application = Application([(r"/feed", ChannelHandler, {"hub": hub})])
            application.listen(settings.PORT, "127.0.0.1", backlog=1024)
            await asyncio.Event().wait()


asyncio.run(main())
