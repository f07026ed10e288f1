"""The application: fast, slow and failing routes, an event stream, a WebSocket, and a request that hangs."""

from __future__ import annotations

import asyncio
import logging
import os
import random

import tornado.web
import tornado.websocket

log = logging.getLogger("shop")

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>A service</title>
<h1>A service</h1>
<p>The terminal shows the URL of the dashboard.
<ul>
<li><a href="/items/1">/items/1</a> answers at once
<li><a href="/search?q=lamp">/search</a> waits for up to 0.4 seconds
<li><a href="/report">/report</a> computes for some milliseconds, and delays all other requests of its worker
<li><a href="/orders/A1">/orders/A1</a> fails
<li><a href="/warehouse">/warehouse</a> never answers: the dashboard shows the line at which it waits
<li><a href="/ticker">/ticker</a> is an event stream
<li>/chat is a WebSocket
</ul>
"""
ORDERS = {"A2": "a lamp", "A3": "a chair"}


class HomeHandler(tornado.web.RequestHandler):
    """Sends a page with links to the other routes."""

    def get(self) -> None:
        self.write(PAGE)


class ItemHandler(tornado.web.RequestHandler):
    """Answers at once. There are 100 items."""

    def get(self, number: str) -> None:
        if not 1 <= int(number) <= 100:
            raise tornado.web.HTTPError(404)
        self.write({"item": int(number)})


class SearchHandler(tornado.web.RequestHandler):
    """Waits, as for a database."""

    async def get(self) -> None:
        await asyncio.sleep(random.uniform(0.02, 0.4))
        self.write({"found": []})


class ReportHandler(tornado.web.RequestHandler):
    """Computes in the event loop, which the event loop delay of the dashboard shows."""

    def get(self) -> None:
        self.write({"sum": sum(range(1_000_000))})


class OrderHandler(tornado.web.RequestHandler):
    """Fails for unknown orders: the dashboard shows the traceback and the log of the request."""

    def get(self, number: str) -> None:
        log.info("looking for order %s", number)
        self.write({"order": ORDERS[number]})


class WarehouseHandler(tornado.web.RequestHandler):
    """Waits for an answer that never arrives, until the client closes the connection."""

    cancel_on_disconnect = True

    async def get(self) -> None:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.write(await answer)


class TickerHandler(tornado.web.EventSourceHandler):
    """Sends a price each second."""

    async def stream(self) -> None:
        price = 100.0
        while True:
            price *= random.uniform(0.99, 1.01)
            await self.send_event(round(price, 2), event="price")
            await asyncio.sleep(1)


class ChatHandler(tornado.websocket.WebSocketHandler):
    """Repeats each message."""

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message)


def make_app() -> tornado.web.Application:
    """Return the application; the workers call this."""
    return tornado.web.Application(
        [
            (r"/", HomeHandler),
            (r"/items/([0-9]+)", ItemHandler),
            (r"/search", SearchHandler),
            (r"/report", ReportHandler),
            (r"/orders/(\w+)", OrderHandler),
            (r"/warehouse", WarehouseHandler),
            (r"/ticker", TickerHandler),
            (r"/chat", ChatHandler),
        ],
        request_id=True,
        access_log="json",
        access_log_file=os.environ.get("ACCESS_LOG", "access.log"),
    )
