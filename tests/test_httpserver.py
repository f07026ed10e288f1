"""`HTTPServer`: where a request comes from, as a proxy tells."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.server import serving
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest, ResponseStartLine
from tornado.web import Application, RequestHandler

FIRST = ("X-Real-Ip: 10.0.0.1", "X-Scheme: https")
SECOND = ("X-Real-Ip: 10.0.0.2",)


class Late(RequestHandler):
    """Keeps the request of each answer."""

    seen: list[HTTPServerRequest]

    async def get(self) -> None:
        self.seen.append(self.request)
        self.write("ok")

    post = get


class Overridden(HTTPServer):
    """A server that the short way to the application does not hold for."""

    def start_request(self, *args: Any) -> Any:
        return super().start_request(*args)


@pytest.mark.parametrize("server_class", [HTTPServer, Overridden])
@pytest.mark.parametrize("body", [None, b"x"])
async def test_a_request_keeps_its_own_address(server_class: type[HTTPServer], body: bytes | None) -> None:
    seen: list[HTTPServerRequest] = []
    application = Application([("/", type("Handler", (Late,), {"seen": seen}))])
    method = "GET" if body is None else "POST"
    async with serving(application, server_class=server_class, xheaders=True) as server:
        peer = await server.connect()
        for fields in (FIRST, SECOND, ()):
            assert (await peer.fetch("/", *fields, method=method, body=body)).body == b"ok"
        # Only now does anybody ask.
        assert [(r.remote_ip, r.protocol) for r in seen] == [
            ("10.0.0.1", "https"),
            ("10.0.0.2", "http"),
            ("127.0.0.1", "http"),
        ]
        contexts: list[Any] = [request.connection.context for request in seen]  # type: ignore[union-attr]
        assert {context._orig_remote_ip for context in contexts} == {"127.0.0.1"}
        (connection,) = server.server._connections
        assert str(connection.context) == connection.context.remote_ip == "127.0.0.1"


async def test_a_plain_callable_has_them_too() -> None:
    seen: list[HTTPServerRequest] = []

    def answer(request: HTTPServerRequest) -> None:
        seen.append(request)
        connection: Any = request.connection
        connection.write_headers(ResponseStartLine("HTTP/1.1", 204, "No Content"), type(request.headers)())
        connection.finish()

    async with serving(answer, xheaders=True) as server:
        peer = await server.connect()
        for fields in (FIRST, SECOND):
            assert (await peer.fetch("/", *fields)).code == 204
        assert [request.remote_ip for request in seen] == ["10.0.0.1", "10.0.0.2"]


async def test_fields_are_not_believed_unless_told_to() -> None:
    seen: list[HTTPServerRequest] = []
    application = Application([("/", type("Handler", (Late,), {"seen": seen}))])
    async with serving(application) as server:
        await asyncio.gather(server.fetch("/", *FIRST), server.fetch("/", *SECOND))
    assert {(request.remote_ip, request.protocol) for request in seen} == {("127.0.0.1", "http")}
