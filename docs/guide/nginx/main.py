"""The program behind nginx in ../nginx.md. Run ``python main.py --port=8001`` once for each port."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from typing import ClassVar

from tornado.options import define, options, parse_command_line
from tornado.web import Application, RequestHandler, stream_request_body

define("port", default=8001, type=int, help="port to listen on")
define("trusted", type=str, multiple=True, help="addresses of proxies in front of nginx")

#: nginx's client_max_body_size.
MAX_BODY_SIZE = 10 * 1024 * 1024
#: Seconds that a long poll waits for news.
POLL_WINDOW = 30
#: Seconds for which running requests may continue after SIGTERM.
GRACE = 10


class Hello(RequestHandler):
    """Shows the client's address and scheme; without ``xheaders``, those of nginx."""

    def get(self) -> None:
        self.write({"from": self.request.remote_ip, "over": self.request.protocol, "at": options.port})


class Health(RequestHandler):
    """The health check: 200, or 503 during the shutdown."""

    def get(self) -> None:
        if self.settings["stopping"].is_set():
            self.set_status(503)
        self.write({"stopping": self.settings["stopping"].is_set()})


class Room(RequestHandler):
    """A long poll: GET waits for the next POST to the same room, in the same process."""

    waiting: ClassVar[dict[str, list[asyncio.Future[str]]]] = {}

    async def get(self) -> None:
        news: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting = self.waiting.setdefault(self.get_argument("room"), [])
        waiting.append(news)
        try:
            async with asyncio.timeout(POLL_WINDOW):
                self.write({"news": await news})
        except TimeoutError:
            self.set_status(204)
        finally:
            if news in waiting:
                waiting.remove(news)

    def post(self) -> None:
        waiting = self.waiting.pop(self.get_argument("room"), [])
        for news in waiting:
            if not news.done():
                news.set_result(self.get_argument("news"))
        self.write({"told": len(waiting)})


@stream_request_body
class Upload(RequestHandler):
    """Receives a body of any size in parts."""

    def prepare(self) -> None:
        self.size, self.digest = 0, hashlib.sha256()

    def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.digest.update(chunk)

    def put(self) -> None:
        self.write({"size": self.size, "sha256": self.digest.hexdigest()})


class Download(RequestHandler):
    """Checks the permission for a file; nginx sends the file."""

    def get(self, name: str) -> None:
        if not self.get_argument("ticket", ""):
            self.send_error(403)
            return
        self.clear_header("Content-Type")  # nginx sends the type of the file
        self.set_header("X-Accel-Redirect", f"/protected/{name}")


ROUTES = [
    (r"/", Hello),
    (r"/healthz", Health),
    (r"/rooms/poll", Room),
    (r"/upload", Upload),
    (r"/files/([\w.-]+)", Download),
]


async def main() -> None:
    """Serve until SIGTERM; then accept no new connections and finish running requests."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    application = Application(ROUTES, stopping=stopping)
    server = application.listen(
        options.port,
        "127.0.0.1",
        xheaders=True,
        trusted_downstream=options.trusted,
        max_body_size=MAX_BODY_SIZE,
        idle_connection_timeout=600,  # longer than nginx's 60 seconds, so that nginx closes first
    )
    await stopping.wait()
    server.stop()
    if under_way := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(under_way, timeout=GRACE)
    await server.close_all_connections()


if __name__ == "__main__":
    parse_command_line()
    asyncio.run(main())
