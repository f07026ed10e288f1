"""The program under attack, on Tornado's API: ours and upstream's alike.

It is told by its environment what to do (``ABUSE_PROTECTION``, ``ABUSE_TLS``, ``ABUSE_DESCRIPTORS``), prints
its port, and answers each line on its standard input with a line of figures: what has been used since the
last one.
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

#: Seconds between two looks at the loop.
BEAT = 0.005
PIECE = bytes(64 * 1024)


class Root(tornado.web.RequestHandler):
    """What the probe asks for."""

    def get(self) -> None:
        self.write("ok")


class Body(tornado.web.RequestHandler):
    """Takes a body of any kind."""

    def post(self) -> None:
        self.write(str(len(self.request.body)))


class Form(tornado.web.RequestHandler):
    """Takes a form."""

    def post(self) -> None:
        self.write(str(len(self.request.body_arguments) + len(self.request.files)))


class Json(tornado.web.RequestHandler):
    """Takes JSON; upstream has only ``json.loads``."""

    def post(self) -> None:
        body = self.get_json_body() if hasattr(self, "get_json_body") else json.loads(self.request.body)
        self.write(type(body).__name__)


class Cookies(tornado.web.RequestHandler):
    """Looks at the cookies."""

    def get(self) -> None:
        self.write(str(len(self.request.cookies)))


class Large(tornado.web.RequestHandler):
    """Sends 50 MiB, waiting for the client as it should."""

    async def get(self) -> None:
        for _ in range(800):
            self.write(PIECE)
            await self.flush()


class Wait(tornado.web.RequestHandler):
    """Answers only when the client has gone, as one that waits for news may."""

    def prepare(self) -> None:
        self.gone = asyncio.Event()

    async def get(self) -> None:
        await self.gone.wait()

    def on_connection_close(self) -> None:
        self.gone.set()


class Take(tornado.websocket.WebSocketHandler):
    """Takes messages of any kind."""

    def get_compression_options(self) -> dict[str, Any]:
        return {}

    def on_message(self, message: str | bytes) -> None:
        pass


class Echo(Take):
    """Sends them back without waiting for the client, as most programs do."""

    def on_message(self, message: str | bytes) -> None:
        _ = self.write_message(message, isinstance(message, bytes))


class Figures(logging.Handler):
    """Counts what the process uses and how long its loop was kept from its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0
        self.stall = 0.0
        self._beat_at = time.thread_time()
        self._since = time.process_time()
        self._reported = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line of the log."""
        self.lines += 1

    def beat(self) -> None:
        """Note how much the loop's thread has worked since the last beat: others had to wait so long."""
        now = time.thread_time()
        self.stall = max(self.stall, now - self._beat_at)
        self._beat_at = now
        asyncio.get_running_loop().call_later(BEAT, self.beat)

    def report(self) -> None:
        """Write what was used since the last report."""
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
        # From here on the peak is counted anew.
        _REFS.write("5")
        _REFS.flush()
        print(json.dumps(figures), flush=True)


# Opened before the attack, as there may be no descriptor for it later.
_STATUS = Path("/proc/self/status").open()  # noqa: SIM115
_REFS = Path("/proc/self/clear_refs").open("w")  # noqa: SIM115
atexit.register(_STATUS.close)
atexit.register(_REFS.close)


def _status(name: str) -> int:
    """A line of the process's status, in bytes."""
    _STATUS.seek(0)
    for line in _STATUS:
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


def settings() -> dict[str, Any]:
    """The server's settings; only our own server is asked for protection."""
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
    """Serve until standard input is closed."""
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
