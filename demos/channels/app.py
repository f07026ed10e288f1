"""Chat rooms: messages, history, presence and typing, over whichever transport the browser can use."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import tornado.web
from tornado.channels import ChannelHandler, ChannelRequestError, Hub, create_broker

HERE = Path(__file__).parent
ROOM = re.compile(r"room:[\w-]{1,40}")
#: The maximum numbers of characters of a name and of a message.
MAX_NAME, MAX_TEXT = 40, 4000


class PageHandler(tornado.web.RequestHandler):
    """Sends the page, and a cookie by which all tabs of one browser are one member of a room."""

    def get(self) -> None:
        cookie = self.get_signed_cookie("user")
        user = secrets.token_hex(8) if cookie is None else cookie.decode()
        if cookie is None:
            self.set_signed_cookie("user", user, httponly=True, samesite="Lax")
        self.render("index.html", user=user)


class RoomsHandler(ChannelHandler):
    """Serves the rooms. Every visitor may read, write and be present in every room."""

    def get_current_user(self) -> str | None:
        user = self.get_signed_cookie("user")
        return None if user is None else user.decode()

    def authorize_subscribe(self, channel: str) -> bool:
        return self.identity.user is not None and ROOM.fullmatch(channel) is not None

    authorize_publish = authorize_presence = authorize_subscribe

    def prepare_publication(self, channel: str, data: Any) -> dict[str, Any]:
        """Accept only messages of a known form. The author and the time are those of the server."""
        if not isinstance(data, dict):
            raise ChannelRequestError("invalid", "expected an object")
        name = _text(data, "name", MAX_NAME)
        if "typing" in data:
            return {"typing": True, "name": name}
        text, identity = _text(data, "text", MAX_TEXT), _text(data, "id", MAX_NAME)
        return {"id": identity, "name": name, "text": text, "at": round(time.time() * 1000)}


def _text(data: dict[str, Any], name: str, limit: int) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise ChannelRequestError("invalid", f"{name} must be a text of 1 to {limit} characters")
    return value


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
            (r"/channels(?:/(.*))?", RoomsHandler, {"hub": hub}),
        ],
        cookie_secret=os.environ.get("COOKIE_SECRET") or secrets.token_hex(32),
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        lifespan=lifespan,
    )
