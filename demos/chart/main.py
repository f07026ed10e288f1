"""A live chart: the server takes samples continuously, and every open page draws them.

Run it with ``python demos/chart/main.py`` and open http://localhost:8888 in several windows. All pages share
one source. A slow page misses some samples and does not delay the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tornado import web
from tornado.options import Error, define, options
from tornado.websocket import WebSocketHandler, broadcast

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("interval", default=0.05, help="seconds between two samples", type=float)

HERE = Path(__file__).parent
NAMES = ("Amber", "Basalt", "Chalk")
#: The number of samples kept for pages that connect or reconnect.
MAX_SAMPLES = 1200
Sample = dict[str, Any]


class Source:
    """Takes samples, stores the latest ones, and sends each sample to the connected pages.

    Samples are numbered in sequence. The first number is derived from the clock, so that numbers keep growing
    when the program is restarted.
    """

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        self.viewers: set[ViewerSocket] = set()
        self.number = _milliseconds()
        self.values = [random.uniform(35, 65) for _ in NAMES]

    def take(self) -> None:
        """Take a sample: a random walk around 50."""
        self.number += 1
        self.values = [value + (50 - value) * 0.01 + random.gauss(0, 0.8) for value in self.values]
        values = [round(value, 2) for value in self.values]
        sample = {"number": self.number, "at": _milliseconds(), "values": values}
        self.samples.append(sample)
        # A page that has not received the earlier samples yet does not receive this sample. Nothing
        # accumulates in the server, and the chart continues with a newer sample.
        news = {"samples": [sample], "viewers": len(self.viewers)}
        broadcast(self.viewers, news, slow="skip", limit=0)

    def since(self, number: int) -> list[Sample]:
        """Return the samples after this number that are still kept."""
        return [sample for sample in self.samples if sample["number"] > number]

    async def run(self, interval: float) -> None:
        """Take a sample every `interval` seconds."""
        while True:
            self.take()
            await asyncio.sleep(interval)


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


class PageHandler(web.RequestHandler):
    """The page, with an empty chart."""

    def get(self) -> None:
        self.render("index.html", names=NAMES)


class ViewerSocket(WebSocketHandler):
    """The connection of one page. The page sends commands:

    - ``watch 17``: send the samples after number 17, then each new one;
    - ``pause``: stop sending.
    """

    def initialize(self, source: Source) -> None:
        self.source = source

    def on_message(self, message: str | bytes) -> None:
        match str(message).split():
            case ["watch", number] if number.isdecimal():
                self.source.viewers.add(self)
                samples = self.source.since(int(number))
                self.write_message({"samples": samples, "viewers": len(self.source.viewers)})
            case ["pause"]:
                self.source.viewers.discard(self)
            case _:
                self.close(1008, "expected 'watch NUMBER' or 'pause'")

    def on_close(self) -> None:
        self.source.viewers.discard(self)


def make_app(source: Source, **settings: Any) -> web.Application:
    """Return the application, for ``main`` and for tests."""
    return web.Application(
        [
            (r"/", PageHandler),
            (r"/samples", ViewerSocket, {"source": source}),
        ],
        websocket_ping_interval=20,
        websocket_max_message_size=100,
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        **settings,
    )


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--interval=0.05]")
    source = Source()

    @contextlib.asynccontextmanager
    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        sampling = asyncio.create_task(source.run(options.interval))
        yield
        sampling.cancel()

    web.run(make_app(source, lifespan=lifespan), options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, OSError, ValueError) as error:
        sys.exit(f"chart: {error}")
