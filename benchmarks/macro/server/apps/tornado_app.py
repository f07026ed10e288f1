"""The measured program, for Waterspout and Tornado."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import settings
import tornado.httpserver
import tornado.web


class Root(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write(settings.TEXT)


class Item(tornado.web.RequestHandler):
    async def get(self, number: str) -> None:
        self.write({"id": int(number), "q": self.get_query_argument("q")})


class Form(tornado.web.RequestHandler):
    def post(self) -> None:
        self.write(self.get_body_argument("name"))


class Suspend(tornado.web.RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write(settings.TEXT)


class Hooked(Root):
    """Like Root, with the hooks that programs override most often."""

    def prepare(self) -> None:
        self.seen = True

    def write(self, chunk: Any) -> None:
        super().write(chunk)

    def on_finish(self) -> None:
        self.seen = False


async def main() -> None:
    logging.basicConfig(level=logging.INFO if settings.LOG else logging.ERROR)
    application = tornado.web.Application(
        [
            (r"/", Root),
            (r"/item/([0-9]+)", Item),
            (r"/form", Form),
            (r"/suspend", Suspend),
            (r"/hooked", Hooked),
        ]
    )
    server = tornado.httpserver.HTTPServer(application, ssl_options=settings.ssl_context())
    server.listen(settings.PORT, "127.0.0.1", backlog=1024)
    await asyncio.Event().wait()


if settings.LOOP == "uvloop":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
else:
    asyncio.run(main())
