"""One site of a RequestHandler, a FastAPI application, a Flask application and a WebSocket.

Install ``demos/asgi/requirements.txt``, run ``python demos/asgi/main.py`` and open http://localhost:8888.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from flask import Flask

import tornado.web
import tornado.websocket
from tornado.asgi import ASGIContainer
from tornado.options import Error, define, options
from tornado.wsgi import WSGIContainer

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)

PAGE = """<!DOCTYPE html>
<html lang="en">
<title>One site</title>
<h1>One site</h1>
<ul>
<li><a href="/api/items">FastAPI</a> (<a href="/api/docs">its documentation</a>)
<li><a href="/shop/">Flask</a>
<li>A WebSocket says: <output id="said"></output>
</ul>
<script>
const socket = new WebSocket(location.href.replace("http", "ws") + "live")
socket.onopen = () => socket.send("hello")
socket.onmessage = event => { document.getElementById("said").textContent = event.data }
</script>
"""


# -- the ASGI application --


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, list[str]]]:
    """Create the state, of which each request of the API has a copy."""
    yield {"items": ["apple", "pear"]}


api = FastAPI(title="The API", lifespan=lifespan)


@api.get("/items")
async def items(request: Request) -> list[str]:
    """Return all items."""
    found: list[str] = request.state.items
    return found


@api.get("/items/{number}")
async def item(number: int, request: Request) -> dict[str, str]:
    """Return one item."""
    return {"name": request.state.items[number]}


# -- the WSGI application --

shop = Flask(__name__)


@shop.get("/shop/")
def front() -> str:
    """Return the front page of the shop."""
    return "<h1>The shop</h1>"


# -- the handlers --


class HomeHandler(tornado.web.RequestHandler):
    """Sends the page with links to all parts."""

    def get(self) -> None:
        self.write(PAGE)


class LiveHandler(tornado.websocket.WebSocketHandler):
    """Repeats messages in capitals."""

    def on_message(self, message: str | bytes) -> None:
        text = message if isinstance(message, str) else message.decode()
        _ = self.write_message(text.upper())


def make_app() -> tornado.web.Application:
    """Return the application, for ``main`` and for tests."""
    return tornado.web.Application(
        [
            (r"/", HomeHandler),
            (r"/live", LiveHandler),
            (r"/api(?:/.*)?", ASGIContainer(api, mount="/api")),
            (r"/shop/.*", WSGIContainer(shop, threads=4)),
        ]
    )


def main() -> None:
    """Serve until interrupted. The startup of the API comes before the first request."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888]")
    tornado.web.run(make_app(), options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, ValueError) as error:
        sys.exit(f"asgi: {error}")
