"""The measured program, for Waterspout and Tornado."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import settings
import tornado.httpserver
import tornado.web
import tornado.websocket

CLIENTS: set[tornado.websocket.WebSocketHandler] = set()


class Idle(tornado.websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        pass


class Deflate(Idle):
    def get_compression_options(self) -> dict[str, Any]:
        return {}


class Echo(tornado.websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


class Feed(Idle):
    def open(self) -> None:
        CLIENTS.add(self)

    def on_close(self) -> None:
        CLIENTS.discard(self)


class Loop(tornado.websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        text = settings.text(message)
        for client in CLIENTS:
            client.write_message(text)
        self.write_message("done")


class Broadcast(tornado.websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        tornado.websocket.broadcast(CLIENTS, settings.text(message))
        self.write_message("done")


async def main() -> None:
    logging.basicConfig(level=logging.ERROR)
    application = tornado.web.Application(
        [
            (r"/echo", Echo),
            (r"/feed", Feed),
            (r"/loop", Loop),
            (r"/broadcast", Broadcast),
            (r"/idle", Idle),
            (r"/deflate", Deflate),
        ]
    )
    server = tornado.httpserver.HTTPServer(application)
    server.listen(settings.PORT, "127.0.0.1", backlog=1024)
    await asyncio.Event().wait()


if settings.LOOP == "uvloop":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
else:
    asyncio.run(main())
