"""Streaming large bodies in both directions with constant memory.

The plain connection under asyncio transfers a gigabyte; the other three variants transfer an eighth of it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.support.server import serving
from tornado import web

GIGABYTE = 1 << 30
PIECE = b"x" * (1 << 18)
#: The memory growth in bytes that is allowed for buffers and the allocator's overhead.
ALLOWED = 24 << 20
#: The memory is measured each time this number of bytes has been transferred.
SAMPLE = 1 << 24

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


@pytest.fixture
def size(loop_kind, tls):
    """The size of the body in bytes for this variant."""
    return GIGABYTE if loop_kind == "asyncio" and tls is None else GIGABYTE // 8


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def send_body(server, size):
    """Upload `size` bytes from a thread and return the response."""
    with server.dial() as client:
        client.sendall(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(PIECE)):
            client.sendall(PIECE)
        answer = b""
        while not answer.endswith(b"\r\n\r\n%d" % size):
            received = client.recv(65536)
            assert received, answer
            answer += received
    return answer


def receive_body(server):
    """Download in a thread and return the number of received bytes, including the head and chunk sizes."""
    buffer = bytearray(1 << 18)
    total = 0
    with server.dial() as client:
        client.sendall(b"GET /down HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while count := client.recv_into(buffer):
            total += count
    return total


@pytest.mark.deadline(120)
@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_streamed_body_uses_constant_memory(kind, size, tls):
    seen = {"bytes": 0, "highest": 0}

    def take(chunk):
        seen["bytes"] += len(chunk)
        if seen["bytes"] % SAMPLE < len(chunk):
            seen["highest"] = max(seen["highest"], resident())

    @web.stream_request_body
    class Plain(web.RequestHandler):
        def prepare(self):
            self.request.connection.set_max_body_size(size)

        def data_received(self, chunk):
            take(chunk)

        def post(self):
            self.write(str(seen["bytes"]))

    class Async(Plain):
        async def data_received(self, chunk):
            await asyncio.sleep(0)
            take(chunk)

    routes = [("/up", Plain if kind == "plain" else Async)]
    async with serving(web.Application(routes), tls=tls) as server:
        before = resident()
        answer = await asyncio.to_thread(send_body, server, size)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert 0 < seen["highest"] < before + ALLOWED


@pytest.mark.deadline(120)
async def test_streamed_response_uses_constant_memory(size, tls):
    highest = 0

    class Handler(web.RequestHandler):
        async def get(self):
            nonlocal highest
            for number in range(size // len(PIECE)):
                self.write(PIECE)
                await self.flush()
                if number % (SAMPLE // len(PIECE)) == 0:
                    highest = max(highest, resident())

    async with serving(web.Application([("/down", Handler)]), tls=tls) as server:
        before = resident()
        assert await asyncio.to_thread(receive_body, server) > size
    assert 0 < highest < before + ALLOWED
