"""The HTTP client, the WebSocket client and streams."""

from __future__ import annotations

from typing import Any, Unpack, assert_type

from tornado.concurrent import Future
from tornado.httpclient import AsyncHTTPClient, HTTPClient, HTTPRequest, HTTPRequestOptions, HTTPResponse
from tornado.iostream import IOStream, SSLIOStream
from tornado.process import Subprocess
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer
from tornado.websocket import WebSocketClientConnection, websocket_connect


async def fetching(client: AsyncHTTPClient, **options: Unpack[HTTPRequestOptions]) -> None:
    assert_type(client.fetch("http://a"), Future[HTTPResponse])
    assert_type(await client.fetch("http://a", method="POST", json={"a": 1}), HTTPResponse)
    assert_type(await client.fetch(HTTPRequest("http://a"), raise_error=False), HTTPResponse)
    assert_type(await client.fetch("http://a", False, **options), HTTPResponse)
    async with client.stream("http://a", request_timeout=0) as response:
        assert_type(response.code, int)
        async for chunk in response:
            assert_type(chunk, bytes)
    await client.fetch("http://a", metod="POST")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
    await client.fetch(HTTPRequest("http://a"), method="POST")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]


def waiting(options: dict[str, Any]) -> None:
    assert_type(HTTPClient().fetch("http://a", method="DELETE"), HTTPResponse)
    assert_type(HTTPClient().fetch("http://a", **options), HTTPResponse)
    HTTPRequest("http://a", connect_timeout="1")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def messages() -> None:
    connection = await websocket_connect("ws://a", connect_timeout=1, headers={"A": "b"})
    assert_type(connection, WebSocketClientConnection)
    assert_type(await connection.read_message(), str | bytes | None)
    async for message in connection:
        assert_type(message, str | bytes)
    async with websocket_connect(HTTPRequest("ws://a")) as other:
        await other.write_message({"a": 1})


class Echo(TCPServer):
    async def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        assert_type(await stream.read_until(b"\n", max_bytes=10), bytes)
        assert_type(await stream.read_into(bytearray(10)), int)
        assert_type(stream.write(b"a"), Future[None])


async def streams() -> None:
    stream = await TCPClient().connect("a", 1)
    assert_type(stream, IOStream)
    assert_type(await stream.start_tls(False), SSLIOStream)
    child = Subprocess(["ls"], stdout=Subprocess.STREAM, cwd="/")
    assert_type(await child.wait_for_exit(), int)
    Subprocess(["ls"], pwd="/")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]
