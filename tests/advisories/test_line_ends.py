"""Line breaks, NUL and other control characters in output, which could begin another field or response."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, serving
from tornado import httputil, web
from tornado.httpclient import HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

INJECTED = [
    "a\r\nSet-Cookie: b=c",
    "a\nSet-Cookie: b=c",
    "a\rSet-Cookie: b=c",
    "a\0b",
    "\r\n\r\n<script>",
    "a\x0bb",
    "a\x7fb",
]


@pytest.mark.parametrize("value", INJECTED)
@pytest.mark.parametrize("way", ["set_header", "add_header", "bytes", "redirect", "headers", "content type"])
async def test_cve_2012_2374_response_headers(value: str, way: str, expect_log: ExpectLog) -> None:
    def get(self: Any) -> None:
        if way == "set_header":
            self.set_header("X-A", value)
        elif way == "bytes":
            self.set_header("X-A", value.encode())
        elif way == "add_header":
            self.add_header("X-A", value)
        elif way == "redirect":
            self.redirect("/" + value)
        elif way == "headers":
            self._headers["X-A"] = value
        else:
            self.set_header("Content-Type", value)

    with expect_log("tornado.application", "Uncaught exception"):
        response = await ask(handler_of(get=get))
    assert response.code == 500
    assert response.get("set-cookie") is None
    assert b"Set-Cookie" not in response.head
    assert b"<script>" not in response.head


@pytest.mark.parametrize("name", ["X-A\r\nX-B", "X A", "X:A", "", "X\0", "X-\xe4"])
async def test_cve_2012_2374_names_of_response_headers(name: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception"):
        response = await ask(handler_of(get=lambda self: self.set_header(name, "b")))
    assert response.code == 500
    assert b"X-B" not in response.head


@pytest.mark.parametrize(
    "reason", ["OK\r\nSet-Cookie: b=c", "OK\nX: y", "OK\r\n\r\n<script>", "O\0K", "<script>x</script>"]
)
@pytest.mark.parametrize("way", ["set_status", "HTTPError", "send_error"])
async def test_cve_2025_67724_reason_phrases(reason: str, way: str) -> None:
    def get(self: Any) -> None:
        if way == "set_status":
            self.set_status(404, reason)
        elif way == "send_error":
            self.send_error(404, reason=reason)
        else:
            raise web.HTTPError(404, reason=reason)

    response = await ask(handler_of(get=get))
    assert response.head.split(b"\r\n")[0] == b"HTTP/1.1 404 Unknown"
    assert response.get("set-cookie") is None
    assert response.get("x") is None
    assert b"<script" not in response.body


def test_cve_2025_67724_reasons_below_the_framework() -> None:
    from tornado._wire.h1 import status_line

    with pytest.raises(httputil.HTTPOutputError):
        status_line("HTTP/1.1", 200, "OK\r\nX: y")


@pytest.mark.parametrize("value", INJECTED)
async def test_ghsa_w235_7p84_xx57_headers_of_the_client(value: str) -> None:
    """The error is raised before any byte of the request is sent."""
    received: list[bytes] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())
        writer.close()
        await writer.wait_closed()
        if b"last" in received[-1]:
            done.set()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    url = f"http://{host}:{port}/"
    client = SimpleAsyncHTTPClient(force_instance=True)
    try:
        for fields in ({"X-A": value}, {value: "x"}, {"User-Agent": value}):
            with pytest.raises((ValueError, httputil.HTTPInputError, httputil.HTTPOutputError)):
                await client.fetch(HTTPRequest(url, headers=fields))
        with pytest.raises((ValueError, httputil.HTTPInputError, httputil.HTTPOutputError)):
            await client.fetch(HTTPRequest(url, user_agent=value))
        # Connections are accepted in order, so all others have been served before the last one.
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"last")
        writer.close()
        await writer.wait_closed()
        await done.wait()
    finally:
        client.close()
        listening.close()
        await listening.wait_closed()
    assert b"".join(received) == b"last"


@pytest.mark.parametrize("target", ["a\r\nX: y", "a b", "a\0", "a\x7fb", "a\x0bb"])
async def test_ghsa_w235_7p84_xx57_urls_of_the_client(target: str) -> None:
    async with serving(web.Application([("/.*", web.RequestHandler)])) as server:
        client = SimpleAsyncHTTPClient(force_instance=True)
        with pytest.raises(ValueError, match="Illegal characters in request line"):
            await client.fetch(f"http://127.0.0.1:{server.port}/{target}")
        client.close()


@pytest.mark.parametrize("method", ["GET / HTTP/1.1\r\nX: y\r\n\r\nPOST", "GE T", "", "G\0T"])
async def test_ghsa_w235_7p84_xx57_methods_of_the_client(method: str) -> None:
    async with serving(web.Application([("/.*", web.RequestHandler)])) as server:
        client = SimpleAsyncHTTPClient(force_instance=True)
        url = f"http://127.0.0.1:{server.port}/"
        with pytest.raises(KeyError, match="unknown method"):
            await client.fetch(HTTPRequest(url, method=method))
        with pytest.raises(ValueError, match="Illegal characters in request line"):
            await client.fetch(HTTPRequest(url, method=method, allow_nonstandard_methods=True))
        client.close()
