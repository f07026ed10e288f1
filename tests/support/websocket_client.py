"""A server for tests of the WebSocket client, and requests that trust its certificate."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.support.server import Server, serving
from tests.support.websocket import Recorder
from tornado import web
from tornado.httpclient import HTTPRequest


class Answering(Recorder):
    """A handler that returns messages to the client, with compression if the client offers it."""

    def get_compression_options(self) -> dict[str, Any]:
        return {}

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[-1] if subprotocols else None

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


class Guarded(web.RequestHandler):
    """A page that is not a WebSocket."""

    def get(self) -> None:
        self.set_status(int(self.get_argument("code", "200")))
        self.set_header("X-Why", "no")
        location = self.get_argument("to", None)
        if location:
            self.set_header("Location", location)
        self.write("no WebSocket here")


@contextlib.asynccontextmanager
async def answering(tls: Any = None, **members: Any) -> AsyncIterator[tuple[Server, Any]]:
    """Serve a subclass of `Answering` at ``/`` and a page at ``/page``; yield the server and the subclass."""
    handler = Answering.new(**members)
    async with serving(web.Application([("/", handler), ("/page", Guarded)]), tls=tls) as server:
        yield server, handler


def address_of(server: Server, tls: Any, host: str = "127.0.0.1") -> tuple[str, dict[str, Any]]:
    """Return the URL of a server's WebSocket and the arguments with which `websocket_connect` trusts it."""
    if tls:
        return f"wss://{host}:{server.port}/", {"ca_certs": str(tls.ca_file)}
    return f"ws://{host}:{server.port}/", {}


def request_for(server: Server, tls: Any, path: str = "/", **options: Any) -> HTTPRequest:
    """Return a request for a WebSocket of a server, which trusts its certificate."""
    url, trust = address_of(server, tls)
    return HTTPRequest(url + path[1:], **trust, **options)
