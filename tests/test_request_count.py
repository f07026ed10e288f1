"""`HTTPServer.count_requests`, on the fast path and where hooks are overridden."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler


class _Counted(HTTPServer):
    """A server with an overridden hook."""

    def start_request(self, server_conn: Any, request_conn: Any) -> Any:
        return super().start_request(server_conn, request_conn)


class _Routed(Application):
    """An application whose hook is overridden, so that its fast path declines requests."""

    def start_request(self, server_conn: Any, request_conn: Any) -> Any:
        return super().start_request(server_conn, request_conn)


@pytest.mark.parametrize(
    ("server_class", "application_class", "options"),
    [
        (HTTPServer, Application, {}),
        (HTTPServer, Application, {"xheaders": True}),
        (HTTPServer, Application, {"decompress_request": True}),
        (HTTPServer, _Routed, {}),
        (_Counted, Application, {}),
    ],
)
async def test_each_request_is_counted_once(server_class, application_class, options):
    class Both(RequestHandler):
        def get(self) -> None:
            self.write("ok")

        post = get

    server = server_class(application_class([("/", Both)]), **options)
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    count = server.count_requests()
    assert server.count_requests() is count
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number, head in enumerate(
        [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"], 1
    ):
        writer.write(head)
        await reader.readuntil(b"\r\n\r\nok")
        assert count.total == number
    writer.close()
    await server.drain(grace=1)
