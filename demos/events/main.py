"""A live ticker with server-sent events, which resumes without a gap after a lost connection.

Run it with ``python demos/events/main.py`` and open http://localhost:8888. Break the connection there, or
restart the program: the page reconnects.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tornado import web
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("interval", default=0.5, help="seconds between two prices", type=float)

HERE = Path(__file__).parent
NAMES = ("Amber", "Basalt", "Chalk")


class Market:
    """Prices that change at random, and the channel that publishes them."""

    def __init__(self) -> None:
        self.prices = dict.fromkeys(NAMES, 100.0)
        self.channel = web.EventChannel(history=1000)
        self.number = 0
        self.is_open = True

    def change(self) -> None:
        """Change one price and publish it."""
        name = random.choice(NAMES)
        self.prices[name] *= random.uniform(0.98, 1.02)
        self.number += 1
        price = round(self.prices[name], 2)
        self.channel.publish({"number": self.number, "name": name, "price": price}, event="price")

    async def run(self, interval: float) -> None:
        """Change a price every `interval` seconds, until the market closes."""
        while self.is_open:
            self.change()
            await asyncio.sleep(interval)


class MarketHandler(web.RequestHandler):
    """The base class of the handlers, with the market of the application."""

    @property
    def market(self) -> Market:
        market: Market = self.settings["market"]
        return market


class PageHandler(MarketHandler):
    """The page, with the current prices."""

    def get(self) -> None:
        self.render("index.html", prices=self.market.prices)


class PricesHandler(MarketHandler, web.EventSourceHandler):
    """The event stream. A browser that reconnects first receives the events that it missed."""

    retry = 200

    def open(self) -> None:
        if not self.market.is_open:
            raise web.HTTPError(204)  # the only status that stops a browser from reconnecting
        self.subscribe(self.market.channel, backlog=1)


class BreakHandler(MarketHandler):
    """Ends all streams. Browsers treat this as a lost connection and reconnect."""

    def post(self) -> None:
        self.market.channel.close()


class CloseHandler(MarketHandler):
    """Closes the market permanently."""

    def post(self) -> None:
        self.market.is_open = False
        self.market.channel.close()


def make_app(market: Market, **settings: Any) -> web.Application:
    """Return the application, for ``main`` and for tests."""
    return web.Application(
        [
            (r"/", PageHandler),
            (r"/prices", PricesHandler),
            (r"/break", BreakHandler),
            (r"/close", CloseHandler),
        ],
        market=market,
        cross_origin_protection=True,  # other sites must not be able to send these forms
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        **settings,
    )


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--interval=0.5]")
    market = Market()

    @contextlib.asynccontextmanager
    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        trading = asyncio.create_task(market.run(options.interval))
        yield
        trading.cancel()

    web.run(make_app(market, lifespan=lifespan), options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, OSError, ValueError) as error:
        sys.exit(f"events: {error}")
