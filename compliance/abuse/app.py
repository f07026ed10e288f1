"""The attacked program, for Waterspout and Tornado.

It is configured by environment variables (``ABUSE_PROTECTION``, ``ABUSE_TLS``, ``ABUSE_DESCRIPTORS``), and
it prints its port. For each line on its standard input it prints a line of figures: the resources used since
the previous line.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import os
import resource
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import tornado.web
import tornado.websocket
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

#: The interval in seconds at which the event loop is observed.
BEAT = 0.005
PIECE = bytes(64 * 1024)


class Root(tornado.web.RequestHandler):
    """The page that the probe requests."""

    def get(self) -> None:
        self.write("ok")


class Body(tornado.web.RequestHandler):
    """A handler that receives a body of any kind."""

    def post(self) -> None:
        self.write(str(len(self.request.body)))


class Form(tornado.web.RequestHandler):
    """A handler that receives a form."""

    def post(self) -> None:
        self.write(str(len(self.request.body_arguments) + len(self.request.files)))


class Json(tornado.web.RequestHandler):
    """A handler that receives JSON, with `get_json_body` on Waterspout and ``json.loads`` on Tornado."""

    def post(self) -> None:
        body = self.get_json_body() if hasattr(self, "get_json_body") else json.loads(self.request.body)
        self.write(type(body).__name__)


class Cookies(tornado.web.RequestHandler):
    """A handler that parses the cookies."""

    def get(self) -> None:
        self.write(str(len(self.request.cookies)))


class Large(tornado.web.RequestHandler):
    """A handler that sends 50 MiB, and waits for the client after each piece."""

    async def get(self) -> None:
        for _ in range(800):
            self.write(PIECE)
            await self.flush()


class Wait(tornado.web.RequestHandler):
    """A handler that waits, like a long poll, until the client has disconnected."""

    def prepare(self) -> None:
        self.gone = asyncio.Event()

    async def get(self) -> None:
        await self.gone.wait()

    def on_connection_close(self) -> None:
        self.gone.set()


class Take(tornado.websocket.WebSocketHandler):
    """A WebSocket handler that receives messages of any kind."""

    def get_compression_options(self) -> dict[str, Any]:
        return {}

    def on_message(self, message: str | bytes) -> None:
        pass


class Echo(Take):
    """A WebSocket handler that sends messages back without awaiting the writes, as most programs do."""

    def on_message(self, message: str | bytes) -> None:
        _ = self.write_message(message, isinstance(message, bytes))


class Figures(logging.Handler):
    """The resource usage of the process, its log records, and how long the event loop was blocked."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0
        self.stall = 0.0
        self._beat_at = time.thread_time()
        self._since = time.process_time()
        self._reported = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Count a log record."""
        self.lines += 1

    def beat(self) -> None:
        """Record the CPU time of the event loop's thread since the last call, which is how long other clients
        had to wait.
        """
        now = time.thread_time()
        self.stall = max(self.stall, now - self._beat_at)
        self._beat_at = now
        asyncio.get_running_loop().call_later(BEAT, self.beat)

    def report(self) -> None:
        """Print the usage since the last report."""
        sys.stdin.readline()
        now = time.process_time()
        figures = {
            "cpu": now - self._since,
            "seconds": time.monotonic() - self._reported,
            "stall": self.stall,
            "lines": self.lines,
            "peak": _status("VmHWM"),
            "memory": _status("VmRSS"),
        }
        self._since, self.stall, self.lines, self._reported = now, 0.0, 0, time.monotonic()
        # This resets the peak of the resident memory.
        _REFS.write("5")
        _REFS.flush()
        print(json.dumps(figures), flush=True)


# These files are opened before the attack, since no file descriptors may be available later.
_STATUS = Path("/proc/self/status").open()  # noqa: SIM115
_REFS = Path("/proc/self/clear_refs").open("w")  # noqa: SIM115
atexit.register(_STATUS.close)
atexit.register(_REFS.close)


def _status(name: str) -> int:
    """Return a size from /proc/self/status in bytes."""
    _STATUS.seek(0)
    for line in _STATUS:
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


def settings() -> dict[str, Any]:
    """Return the server's settings; only Waterspout has the setting `protection`."""
    options: dict[str, Any] = {"decompress_request": True}
    protection = os.environ.get("ABUSE_PROTECTION", "")
    if protection:
        options["protection"] = protection
    folder = os.environ.get("ABUSE_TLS", "")
    if folder:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(folder, "server.pem"), Path(folder, "server.key"))
        options["ssl_options"] = context
    return options


async def main() -> None:
    """Serve until standard input closes."""
    descriptors = int(os.environ.get("ABUSE_DESCRIPTORS", "0"))
    if descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    figures = Figures()
    logging.getLogger().addHandler(figures)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
    routes = [("/body", Body), ("/form", Form), ("/json", Json), ("/cookies", Cookies), ("/large", Large)]
    routes += [("/wait", Wait), ("/take", Take), ("/echo", Echo), ("/", Root)]
    static = [("/static/(.*)", tornado.web.StaticFileHandler, {"path": str(Path(__file__).parent)})]
    server = HTTPServer(tornado.web.Application([*routes, *static]), **settings())
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    figures.beat()
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, figures.report)
    print(sockets[0].getsockname()[1], flush=True)
    await over.wait()


if __name__ == "__main__":
    asyncio.run(main())
