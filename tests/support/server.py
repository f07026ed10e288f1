"""An HTTP server in the event loop of the test, and a client that sends given bytes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Any

from tests.support.httpserver import connections
from tests.support.logs import Expectation
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

#: The fixture `expect_log`.
ExpectLog = Callable[..., AbstractContextManager[Expectation]]


class Response:
    """A response as it was received."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head = head
        self.body = body
        self.code = int(head.split(b" ", 2)[1])
        self.headers = [
            (name.decode().lower(), value.strip().decode("latin-1"))
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
        ]

    def get(self, name: str) -> Any:
        """Return the first value of a header field, or None."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header field."""
        return [value for key, value in self.headers if key == name.lower()]


class Peer:
    """The client's end of a connection, with access to each byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode("latin-1") if isinstance(data, str) else data)

    def get(
        self,
        path: str,
        *fields: str,
        method: str = "GET",
        version: str = "HTTP/1.1",
        body: bytes | None = None,
    ) -> None:
        """Send a request, by default a GET request without a body."""
        if body is not None:
            fields = (f"Content-Length: {len(body)}", *fields)
        if not any(field.lower().startswith("host:") for field in fields):
            fields = ("Host: localhost", *fields)
        head = "\r\n".join([f"{method} {path} {version}", *fields, "", ""])
        self.send(head.encode("latin-1") + (body or b""))

    async def response(self, *, to_head: bool = False) -> Response:
        """Read one response.

        :param to_head: whether it is the response to a HEAD request, which has no body.
        """
        head = await self.reader.readuntil(b"\r\n\r\n")
        response = Response(head[:-2], b"")
        if to_head or response.code in (204, 304) or response.code < 200:
            return response
        length = response.get("content-length")
        if length is not None:
            response.body = await self.reader.readexactly(int(length))
        elif (response.get("transfer-encoding") or "") == "chunked":
            response.body = await self.chunks()
        else:
            response.body = await self.reader.read()
        return response

    async def chunks(self) -> bytes:
        """Read the rest of a chunked body."""
        body = b""
        while size := int((await self.reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        assert await self.reader.readexactly(2) == b"\r\n"
        return body

    async def rest(self) -> bytes:
        """Read until the server closes the connection."""
        return await self.reader.read()

    async def fetch(self, path: str, *fields: str, **options: Any) -> Response:
        """Send a request and read its response."""
        self.get(path, *fields, **options)
        return await self.response(to_head=options.get("method") == "HEAD")

    async def close(self) -> None:
        # After a reset over TLS, asyncio raises EPIPE with OpenSSL 3.5, and keeps the socket.
        try:
            self.writer.close()
        except OSError:
            self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Server:
    """A running `HTTPServer`; use ``async with serving(application) as server``."""

    def __init__(
        self, server: HTTPServer, listener: socket.socket, client_context: ssl.SSLContext | None
    ) -> None:
        self.server = server
        self.family = listener.family
        self.address = listener.getsockname()
        self._client_context = client_context
        self._peers: list[Peer] = []

    @property
    def port(self) -> int:
        """The TCP port."""
        port: int = self.address[1]
        return port

    @property
    def connections(self) -> set[Any]:
        """The open connections of the server; the set changes when connections open and close."""
        return connections(self.server)

    def dial(self) -> socket.socket:
        """Connect a blocking socket, including the TLS handshake, for clients in threads."""
        sock = socket.socket(self.family)
        sock.connect(self.address)
        if self._client_context is not None:
            return self._client_context.wrap_socket(sock, server_hostname="localhost")
        return sock

    async def connect(self) -> Peer:
        """Open a connection."""
        sock = socket.socket(self.family)
        try:
            sock.setblocking(False)
            if self.family in (socket.AF_INET, socket.AF_INET6):
                # Otherwise a small piece may wait 40 ms for the acknowledgement of the previous one.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, self.address)
        except BaseException:
            sock.close()
            raise
        reader, writer = await asyncio.open_connection(
            sock=sock,
            ssl=self._client_context,
            server_hostname="localhost" if self._client_context else None,
            limit=2**24,
        )
        peer = Peer(reader, writer)
        self._peers.append(peer)
        return peer

    async def fetch(self, path: str, *fields: str, **options: Any) -> Response:
        """Send a request on a new connection, and read its response."""
        peer = await self.connect()
        try:
            return await peer.fetch(path, *fields, **options)
        finally:
            await peer.close()

    async def exchange(self, data: bytes | str) -> bytes:
        """Send bytes on a new connection, and read until the server closes it."""
        peer = await self.connect()
        peer.send(data)
        return await peer.rest()


@contextlib.asynccontextmanager
async def serving(
    application: Any,
    *,
    tls: Any = None,
    server_class: type[HTTPServer] = HTTPServer,
    access_log: int = logging.CRITICAL,
    listener: socket.socket | None = None,
    **options: Any,
) -> AsyncIterator[Server]:
    """Serve `application` on an unused port, or on `listener`.

    :param tls: the fixture ``tls`` or ``certificates``; None for no TLS.
    :param access_log: the level of the access log.
    :param options: settings of the server.
    """
    # Many tests expect error responses, so the access log is disabled by default.
    logging.getLogger("tornado.access").setLevel(access_log)
    if listener is None:
        (listener,) = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
    server = server_class(application, ssl_options=tls.server_context if tls else None, **options)
    server.add_sockets([listener])
    running = Server(server, listener, tls.client_context if tls else None)
    try:
        yield running
    finally:
        server.stop()
        for peer in running._peers:
            await peer.close()
        await server.close_all_connections()
        logging.getLogger("tornado.access").setLevel(logging.NOTSET)


async def ask(
    handler: type[web.RequestHandler] | list[Any],
    *fields: str,
    path: str = "/",
    method: str = "GET",
    body: bytes | None = None,
    pattern: str = "/.*",
    **settings: Any,
) -> Response:
    """Send one request to an application.

    :param handler: the only handler of the application, or a list of routes.
    :param pattern: the pattern for the only handler.
    :param settings: settings of the application.
    """
    routes = handler if isinstance(handler, list) else [(pattern, handler)]
    async with serving(web.Application(routes, **settings)) as server:
        return await server.fetch(path, *fields, method=method, body=body)


def handler_of(base: type[web.RequestHandler] = web.RequestHandler, **members: Any) -> Any:
    """Return a handler class with these methods and attributes."""
    return type("Handler", (base,), members)


def raised(expected: Expectation) -> BaseException:
    """Return the exception in the first expected record."""
    exc_info = expected.records[0].exc_info
    assert exc_info is not None
    assert exc_info[1] is not None
    return exc_info[1]
