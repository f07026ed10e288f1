"""Chat rooms: messages, history, presence and typing, over whichever transport the browser can use."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import tornado.web
from tornado.channels import BrokerUnavailableError, ChannelHandler, Hub, Position, create_broker

HERE = Path(__file__).parent
ROOM = re.compile(r"room:[\w-]{1,40}")
#: The number of earlier messages that a page shows when it opens a room.
HISTORY = 30


class PageHandler(tornado.web.RequestHandler):
    """Sends the page, and a cookie by which all tabs of one browser are one member of a room."""

    def get(self) -> None:
        if self.get_signed_cookie("user") is None:
            self.set_signed_cookie("user", secrets.token_hex(8), httponly=True, samesite="Lax")
        self.render("index.html")


class StartHandler(tornado.web.RequestHandler):
    """Returns the position from which a page that opens a room reads."""

    def initialize(self, hub: Hub) -> None:
        self.hub = hub

    async def get(self) -> None:
        channel = self.get_query_argument("channel")
        if not ROOM.fullmatch(channel):
            raise tornado.web.HTTPError(400, "unknown channel")
        try:
            head = await self.hub.head(channel)
        except BrokerUnavailableError as error:
            raise tornado.web.HTTPError(503, str(error)) from error
        position = Position(head.epoch, max(0, head.offset - HISTORY))
        self.set_header("Cache-Control", "no-store")
        self.write({"position": str(position)})


class RoomsHandler(ChannelHandler):
    """Serves the rooms. Every visitor may read, write and be present in every room."""

    def get_current_user(self) -> str | None:
        user = self.get_signed_cookie("user")
        return None if user is None else user.decode()

    def authorize_subscribe(self, channel: str) -> bool:
        return self.identity.user is not None and ROOM.fullmatch(channel) is not None

    authorize_publish = authorize_presence = authorize_subscribe


def make_app() -> tornado.web.Application:
    """Return the application; each worker calls this."""
    hub = Hub(create_broker(os.environ.get("BROKER") or "memory:"))

    @contextlib.asynccontextmanager
    async def lifespan(application: tornado.web.Application) -> AsyncIterator[None]:
        async with hub:
            yield

    return tornado.web.Application(
        [
            (r"/", PageHandler),
            (r"/start", StartHandler, {"hub": hub}),
            (r"/channels(?:/(.*))?", RoomsHandler, {"hub": hub}),
        ],
        cookie_secret=os.environ.get("COOKIE_SECRET") or secrets.token_hex(32),
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        lifespan=lifespan,
    )
