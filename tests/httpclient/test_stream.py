"""ResponseStream: reading a response as it arrives."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from tests.support.client_server import Visit, scripted
from tests.support.streams import run_loop_iterations
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.simple_httpclient import HTTPStreamClosedError, SimpleAsyncHTTPClient


def make(**options: Any) -> AsyncHTTPClient:
    return SimpleAsyncHTTPClient(force_instance=True, **options)


async def test_chunks_are_yielded_as_they_arrive(loop_kind: str) -> None:
    more = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send("HTTP/1.1 200 Fine\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 6\r\n\r\nabc")
        await more.wait()
        visit.send("def")
        await visit.end()

    async with scripted(script) as server, make().stream(server.url) as response:
        assert (response.code, response.reason) == (200, "Fine")
        assert response.headers.get_list("X-A") == ["1", "2"]
        chunks = []
        async for chunk in response:
            chunks.append(chunk)
            more.set()
        assert chunks == [b"abc", b"def"]


async def test_whole_body_is_read(loop_kind: str) -> None:
    async with scripted("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") as server:
        client = make()
        for _ in range(3):
            async with client.stream(HTTPRequest(server.url)) as response:
                assert await response.read() == b"hello"
                assert await response.read() == b""
    assert server.connections == 1


async def test_compressed_body_is_decoded() -> None:
    packed = gzip.compress(b"plain" * 1000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    async with scripted(head.encode() + packed) as server, make().stream(server.url) as response:
        assert "Content-Encoding" not in response.headers
        assert await response.read() == b"plain" * 1000


async def test_response_without_body_has_no_chunks() -> None:
    async with scripted("HTTP/1.1 204 No Content\r\n\r\n") as server:
        async with make().stream(server.url) as response:
            assert [chunk async for chunk in response] == []


async def test_status_error_has_the_body() -> None:
    async with scripted("HTTP/1.1 404 Gone\r\nContent-Length: 3\r\n\r\nwhy") as server:
        with pytest.raises(HTTPClientError) as caught:
            async with make().stream(server.url):
                pytest.fail("entered")
        assert caught.value.response is not None
        assert caught.value.response.body == b"why"
        async with make().stream(server.url, raise_error=False) as response:
            assert (response.code, await response.read()) == (404, b"why")


async def test_refused_connection_raises() -> None:
    with pytest.raises(OSError, match="refused"):
        async with make().stream("http://127.0.0.1:1/"):
            pytest.fail("entered")


async def test_truncated_body_raises_after_its_chunks() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        visit.close()

    async with scripted(script) as server, make().stream(server.url) as response:
        chunks = []
        with pytest.raises(HTTPStreamClosedError, match="3 bytes before the end"):
            chunks.append(await anext(aiter(response)))
            await response.read()
        assert chunks == [b"abc"]


async def test_leaving_early_closes_the_connection(loop_kind: str) -> None:
    gone = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        await visit.end()
        gone.set()

    async with scripted(script) as server:
        client = make()
        async with client.stream(server.url) as response:
            pass
        await gone.wait()
        assert not client.active  # type: ignore[attr-defined]
        with pytest.raises(RuntimeError, match="async with"):
            await response.read()


async def test_slow_reader_pauses_the_connection(loop_kind: str) -> None:
    """The server can send only as much data as fits in the read-ahead buffer and the kernel's buffers."""
    size = 64 * 1024 * 1024
    sending = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * size)
        sending.set()
        await visit.end()

    async with scripted(script) as server, make().stream(server.url) as response:
        await sending.wait()
        (visit,) = server.visits
        before = 0
        while before != (left := visit.writer.transport.get_write_buffer_size()):
            before = left
            await run_loop_iterations(100)
        assert left > size / 2
        assert "bytes to be read" in repr(response)


async def test_invalid_arguments_raise() -> None:
    client = make()
    with pytest.raises(ValueError, match="streaming_callback"):
        client.stream("http://x/", streaming_callback=print)
    with pytest.raises(ValueError, match="only together with a URL"):
        client.stream(HTTPRequest("http://x/"), method="GET")
