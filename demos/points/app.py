"""Three thousand moving points, and any number of viewers. A slow viewer gets the latest positions."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from motion import CHANNEL, move

import tornado.web
from tornado.channels import ChannelHandler, History, Hub, SlowPolicy, create_broker

HERE = Path(__file__).parent
#: A message is the latest of its group after 0.2 seconds, so a long history has no use.
HISTORY = History(count=60, age=5)


class PageHandler(tornado.web.RequestHandler):
    """Sends the page."""

    def get(self) -> None:
        self.render("index.html")


class PointsHandler(ChannelHandler):
    """Serves the positions. Viewers may be present, so that the page can show their number."""

    def authorize_subscribe(self, channel: str) -> bool:
        return channel == CHANNEL

    authorize_presence = authorize_subscribe

    def slow_policy(self, channel: str) -> SlowPolicy:
        # While more bytes wait to be sent, only the latest message of each group is kept for this viewer.
        return SlowPolicy("latest", limit=64 * 1024)


def make_app() -> tornado.web.Application:
    """Return the application; each worker calls this. Without a broker, it also moves the points."""
    url = os.environ.get("BROKER", "")
    hub = Hub(create_broker(url or "memory:"), history=HISTORY)

    @contextlib.asynccontextmanager
    async def lifespan(application: tornado.web.Application) -> AsyncIterator[None]:
        async with hub:
            moving = None if url else asyncio.ensure_future(move(hub))
            try:
                yield
            finally:
                if moving is not None:
                    moving.cancel()
                    await asyncio.wait([moving])

    return tornado.web.Application(
        [
            (r"/", PageHandler),
            (r"/channels(?:/(.*))?", PointsHandler, {"hub": hub}),
        ],
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        websocket_compression=False,
        lifespan=lifespan,
    )
