"""The program of docs/guide/nginx.md, with additional handlers that show what nginx forwards."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path
from typing import Any, ClassVar

sys.path.append(str(Path(__file__).resolve().parents[2]))

from compliance.http1.apps import tornado_app
from tornado.iostream import StreamClosedError
from tornado.options import options, parse_command_line
from tornado.web import RequestHandler, stream_request_body
from tornado.websocket import WebSocketHandler, broadcast

GUIDE = Path(__file__).resolve().parents[2] / "docs/guide/nginx/main.py"


def guide() -> Any:
    """Return the guide's program as a module."""
    spec = importlib.util.spec_from_file_location("guide_main", GUIDE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Seen(RequestHandler):
    """A handler that responds with the request as it arrived."""

    def get(self) -> None:
        request = self.request
        self.write(
            {
                "at": options.port,
                "ip": request.remote_ip,
                "protocol": request.protocol,
                "url": request.full_url(),
                "version": request.version,
                "fields": [[name, value] for name, value in request.headers.get_all()],
                "from": request.connection.stream.socket.getpeername()[1],
            }
        )


class Text(RequestHandler):
    """A handler with a compressible response and an entity tag."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain")
        self.write("All work and no play. " * 1000)


class Reader(RequestHandler):
    """A handler that reads a buffered body."""

    def post(self) -> None:
        self.write({"size": len(self.request.body)})


class Upgrade(RequestHandler):
    """A handler that takes over the connection, as a WebSocket does, and echoes."""

    async def get(self) -> None:
        if self.request.headers.get("Upgrade") != "echo":
            self.send_error(426)
            return
        stream = self.detach()
        try:
            await stream.write(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
            )
            while True:
                await stream.write(await stream.read_bytes(65536, partial=True))
        except StreamClosedError:
            pass


class Socket(WebSocketHandler):
    """A chat room: each member receives all messages, with the port of the server."""

    present: ClassVar[dict[str, set[Socket]]] = {}

    def get_compression_options(self) -> dict[str, Any]:
        return {}

    def open(self) -> None:
        self.room = self.present.setdefault(self.get_query_argument("room"), set())
        self.room.add(self)
        self.write_message({"at": options.port, "ip": self.request.remote_ip})

    def on_message(self, message: str | bytes) -> None:
        broadcast(self.room, message, binary=isinstance(message, bytes))

    def on_close(self) -> None:
        self.room.discard(self)


class Halves(RequestHandler):
    """A handler that sends one half of the response, and the other half on request."""

    go: asyncio.Event

    async def get(self) -> None:
        Halves.go = asyncio.Event()
        self.set_header("Content-Length", "10")
        self.write("first")
        await self.flush()
        await Halves.go.wait()
        self.write("other")

    def post(self) -> None:
        self.go.set()


@stream_request_body
class Begun(RequestHandler):
    """A handler that responds when the first bytes of its body have arrived."""

    async def data_received(self, chunk: bytes) -> None:
        if not self._finished:
            self.finish({"first": len(chunk)})

    def put(self) -> None:
        pass


class Echo(tornado_app.Echo):
    """The echo handler of ``compliance/http1``, which records requests that bypassed nginx."""

    unmarked: ClassVar[list[str]] = []
    echoed = 0

    def prepare(self) -> None:
        Echo.echoed += self.request.method != "HEAD"
        if self.request.headers.get("X-Real-Ip") != "127.0.0.1":
            self.unmarked.append(f"{self.request.method} {self.request.uri}")


class Noted(RequestHandler):
    """A handler that responds with the records of `Echo`."""

    def get(self) -> None:
        self.write({"echoed": Echo.echoed, "unmarked": Echo.unmarked})


if __name__ == "__main__":
    program = guide()
    program.ROUTES += [
        ("/seen", Seen),
        ("/text", Text),
        ("/whole", Reader),
        ("/upload/begun", Begun),
        ("/rooms/upgrade", Upgrade),
        ("/rooms/socket", Socket),
        ("/rooms/halves", Halves),
        ("/noted", Noted),
        *tornado_app.ROUTES,
        (tornado_app.ECHOED, Echo),
    ]
    parse_command_line()
    asyncio.run(program.main())
