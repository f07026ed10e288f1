"""Let the test cases of `tornado.testing` serve their applications with uvicorn, through `ASGIAdapter`."""

from __future__ import annotations

import asyncio
import logging
import socket
from email.utils import formatdate
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from tornado.asgi import ASGIAdapter
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.ioloop import IOLoop
from tornado.testing import AsyncHTTPTestCase

#: The arguments of `HTTPServer` that the adapter has, too.
_OPTIONS = {"max_body_size", "body_timeout", "chunk_size", "decompress_request", "protection"}


class UvicornServer:
    """The part of `HTTPServer` that `AsyncHTTPTestCase` uses, with uvicorn's protocols.

    It runs in the event loop of the test, like the server that it replaces.
    """

    def __init__(self, application: HTTPServerConnectionDelegate, options: dict[str, Any]) -> None:
        adapter = ASGIAdapter(
            application, **{name: value for name, value in options.items() if name in _OPTIONS}
        )
        # Without proxy_headers, uvicorn does not change the addresses of local clients.
        self._config = uvicorn.Config(
            adapter, lifespan="off", log_config=None, access_log=False, proxy_headers=False
        )
        self._config.load()
        self._state = ServerState()
        # uvicorn.Server does the same each second.
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        self._servers: list[asyncio.Server] = []

    def add_sockets(self, sockets: list[socket.socket]) -> None:
        """Accept connections on listening sockets."""
        loop = IOLoop.current()
        for sock in sockets:
            loop.run_sync(lambda sock=sock: self._accept(sock))  # type: ignore[misc]

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(self._make_protocol, sock=sock))

    def _make_protocol(self) -> Any:
        kind: Any = self._config.http_protocol_class
        return kind(config=self._config, server_state=self._state, app_state={})

    def stop(self) -> None:
        """Accept no more connections."""
        for server in self._servers:
            server.close()

    async def close_all_connections(self) -> None:
        """Close the connections, and wait for the handlers."""
        for connection in list(self._state.connections):
            connection.transport.abort()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=1)
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.sleep(0)


def install() -> None:
    """Replace the server of the test cases whose application can run under an ASGI server.

    TLS and applications that are plain functions keep their server.
    """
    # Tests compare the log with the lines that they expect from Tornado.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
    logging.getLogger("uvicorn").propagate = False
    original = AsyncHTTPTestCase.get_http_server

    def get_http_server(case: Any) -> Any:
        options = case.get_httpserver_options()
        if "ssl_options" in options or not isinstance(case._app, HTTPServerConnectionDelegate):
            return original(case)
        return UvicornServer(case._app, options)

    AsyncHTTPTestCase.get_http_server = get_http_server  # type: ignore[method-assign]


__all__ = ["UvicornServer", "install"]
