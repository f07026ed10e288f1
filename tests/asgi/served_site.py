"""A program that serves one Application with an ASGI server: ``served_site.py SERVER --port=N``."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path
from typing import Any

from tornado.asgi import ASGIAdapter
from tornado.channels import ChannelHandler, Hub, Identity, MemoryBroker
from tornado.web import (
    Application,
    EventSourceHandler,
    RequestHandler,
    StaticFileHandler,
    stream_request_body,
)
from tornado.websocket import WebSocketHandler, broadcast

events: list[str] = []


class Page(RequestHandler):
    def get(self) -> None:
        self.write({"q": self.get_argument("q", ""), "ip": self.request.remote_ip, "events": events})

    def post(self) -> None:
        self.write({"a": self.get_body_argument("a"), "protocol": self.request.protocol})


class Failing(RequestHandler):
    def get(self, how: str) -> None:
        if how == "detach":
            self.detach()
        raise ValueError("broken")


class Cut(RequestHandler):
    """Ends its response in the middle."""

    async def get(self) -> None:
        self.write("part")
        await self.flush()
        raise ValueError("broken")


class Numbers(RequestHandler):
    async def get(self) -> None:
        for number in range(int(self.get_argument("n"))):
            self.write(f"{number:09d}\n" * 1000)
            await self.flush()


@stream_request_body
class Upload(RequestHandler):
    max_body_size = 1024**3

    def prepare(self) -> None:
        self.hash, self.size = hashlib.sha256(), 0

    async def data_received(self, chunk: bytes) -> None:
        self.hash.update(chunk)
        self.size += len(chunk)
        await asyncio.sleep(0)

    def put(self) -> None:
        self.write({"size": self.size, "sha256": self.hash.hexdigest()})


class Waiting(RequestHandler):
    cancel_on_disconnect = True

    async def get(self) -> None:
        events.append("waiting")
        self.write("x")
        await self.flush()
        try:
            await asyncio.Event().wait()
        finally:
            events.append("cancelled")


class Events(EventSourceHandler):
    async def stream(self) -> None:
        for number in range(3):
            await self.send_event(str(number))


class Echo(WebSocketHandler):
    clients: set[Echo] = set()

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[-1] if subprotocols else None

    def open(self) -> None:
        self.clients.add(self)

    async def on_message(self, message: str | bytes) -> None:
        if message == "close":
            self.close(4002, "asked")
        elif message == "all":
            broadcast(self.clients, "to all")
        else:
            await self.write_message(message, isinstance(message, bytes))

    def on_close(self) -> None:
        self.clients.discard(self)
        events.append(f"closed {self.close_code}")


class Rooms(ChannelHandler):
    """Clients whose token is a name may do everything, except in the channel ``private``."""

    def authenticate(self, token: str | None) -> Identity | None:
        return Identity(token) if token else None

    def authorize_subscribe(self, channel: str) -> bool:
        return channel != "private"

    authorize_publish = authorize_presence = authorize_subscribe


hub = Hub(MemoryBroker())


async def start(application: Application) -> None:
    events.append("started")
    await hub.start()


async def stop(application: Application) -> None:
    await hub.close()
    sys.stdout.write("application stopped\n")
    sys.stdout.flush()


application = Application(
    [
        ("/", Page),
        ("/fail/(.*)", Failing),
        ("/cut", Cut),
        ("/numbers", Numbers),
        ("/upload", Upload),
        ("/waiting", Waiting),
        ("/events", Events),
        ("/echo", Echo),
        (r"/channels(?:/(.*))?", Rooms, {"hub": hub}),
        ("/static/(.*)", StaticFileHandler, {"path": str(Path(__file__).parent)}),
    ],
    on_startup=[start],
    on_shutdown=[stop],
)
app = ASGIAdapter(application, max_body_size=1000)


def serve_uvicorn(port: int, **options: Any) -> None:
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", **options)


def serve_hypercorn(port: int) -> None:
    import signal

    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    async def main() -> None:
        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        application: Any = app
        await serve(application, config, shutdown_trigger=stopped.wait)  # type: ignore[arg-type]

    asyncio.run(main())


def serve_granian(port: int) -> None:
    from granian import Granian
    from granian.constants import Interfaces

    sys.path.insert(0, str(Path(__file__).parent))
    Granian("served_site:app", "127.0.0.1", port, interface=Interfaces.ASGI, workers=1).serve()


SERVERS: dict[str, Any] = {
    "uvicorn": serve_uvicorn,
    "uvicorn-h11-wsproto": lambda port: serve_uvicorn(port, http="h11", ws="wsproto", loop="asyncio"),
    "hypercorn": serve_hypercorn,
    "granian": serve_granian,
}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2].removeprefix("--port=")))
