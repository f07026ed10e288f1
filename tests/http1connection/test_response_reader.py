"""The client side of an exchange: responses, and delegates that raise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.references import find_garbage, gc_disabled
from tests.support.server import ExpectLog
from tests.support.streams import stream_pair
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate
from tornado.iostream import IOStream, UnsatisfiableReadError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class RecordingDelegate(HTTPMessageDelegate):
    """A delegate that records its calls, and raises an exception in the methods that the test specifies."""

    def __init__(self, **raises: BaseException) -> None:
        self.events: list[Any] = []
        self.raises = raises

    def note(self, name: str, event: Any) -> None:
        self.events.append(event)
        if name in self.raises:
            raise self.raises[name]

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self.note("headers_received", start_line.code)

    def data_received(self, chunk: bytes) -> None:
        self.note("data_received", chunk)

    def finish(self) -> None:
        self.note("finish", "finish")

    def on_connection_close(self) -> None:
        self.note("on_connection_close", "closed")


@asynccontextmanager
async def exchange(
    certificates: Certificates, **params: Any
) -> AsyncIterator[tuple[HTTP1Connection, IOStream, IOStream]]:
    """Open a connection; yield the client's exchange, its stream, and the server's stream."""
    async with stream_pair("plain", certificates) as (server, client):
        yield HTTP1Connection(client, True, HTTP1ConnectionParameters(**params)), client, server


async def test_response_is_delivered_and_connection_is_reusable(certificates: Certificates) -> None:
    async with exchange(certificates) as (connection, client, server):
        delegate = RecordingDelegate()
        await server.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK + b"rest")
        assert await connection.read_response(delegate) is True
        assert delegate.events == [103, 200, b"hello", "finish"]
        assert not client.closed()
        assert await client.read_bytes(4) == b"rest"


@pytest.mark.parametrize(
    ("method", "events"),
    [
        ("headers_received", [200]),
        ("data_received", [200, b"hello"]),
        ("finish", [200, b"hello", "finish"]),
    ],
)
async def test_on_connection_close_is_called_after_delegate_raised(
    method: str, events: list[Any], certificates: Certificates, expect_log: ExpectLog
) -> None:
    async with exchange(certificates) as (connection, client, server):
        delegate = RecordingDelegate(**{method: ValueError(method)})
        await server.write(OK)
        with expect_log("tornado.application", "Uncaught exception in a message delegate") as expected:
            assert await connection.read_response(delegate) is False
        (record,) = expected.records
        assert record.exc_info[1] is delegate.raises[method]
        assert delegate.events == [*events, "closed"]
        assert client.closed()


async def test_second_error_in_on_connection_close_is_logged(
    certificates: Certificates, expect_log: ExpectLog
) -> None:
    async with exchange(certificates) as (connection, client, server):
        delegate = RecordingDelegate(data_received=ValueError("one"), on_connection_close=ValueError("two"))
        await server.write(OK)
        with expect_log("tornado.application", "Uncaught exception in a") as expected:
            assert await connection.read_response(delegate) is False
        assert [str(record.exc_info[1]) for record in expected.records] == ["one", "two"]
        assert delegate.events == [200, b"hello", "closed"]
        assert client.closed()


async def test_cancelled_awaitable_of_delegate_is_not_logged(certificates: Certificates) -> None:
    class Waits(RecordingDelegate):
        def data_received(self, chunk: bytes) -> Any:
            super().data_received(chunk)
            waiting = asyncio.get_running_loop().create_future()
            waiting.get_loop().call_soon(waiting.cancel)
            return waiting

    async with exchange(certificates) as (connection, client, server):
        delegate = Waits()
        await server.write(OK)
        assert await connection.read_response(delegate) is False
        assert delegate.events == [200, b"hello", "closed"]
        assert client.closed()


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1024, b"HTTP/1.1 200 " + b"x" * 1024], ids=["fields", "line"]
)
async def test_head_over_limit_closes_connection(
    data: bytes, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with exchange(certificates, max_header_size=512) as (connection, client, server):
        delegate = RecordingDelegate()
        await server.write(data)
        with caplog.at_level("INFO", "tornado.general"):
            assert await connection.read_response(delegate) is False
        (text,) = caplog.messages
        assert text.startswith("Unsatisfiable read from None: ")
        assert "longer than 512 bytes" in text
        assert isinstance(client.error, UnsatisfiableReadError)
        assert delegate.events == ["closed"]


async def test_malformed_response_closes_connection(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with exchange(certificates) as (connection, client, server):
        delegate = RecordingDelegate()
        await server.write(b"SSH-2.0-x\r\n\r\n")
        with caplog.at_level("INFO", "tornado.general"):
            assert await connection.read_response(delegate) is False
        assert caplog.messages[0].startswith("Malformed HTTP message from None: ")
        assert (delegate.events, client.closed(), client.error) == (["closed"], True, None)


async def test_malformed_response_leaves_no_reference_cycle(certificates: Certificates) -> None:
    with gc_disabled():
        async with exchange(certificates) as (connection, _, server):
            await server.write(b"HTTP/1.1 abc\r\n\r\n")
            assert await connection.read_response(RecordingDelegate()) is False
            del connection, _
            assert not [each for each in find_garbage() if isinstance(each, HTTP1Connection)]
