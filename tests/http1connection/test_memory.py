"""Bodies of a gigabyte, in and out, while the server's memory stays where it is."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from tests.support.server import serving
from tornado import web

GIGABYTE = 1 << 30
PIECE = b"x" * (1 << 18)
#: Growth that is no sign of keeping the body: a few buffers and the allocator's slack.
ALLOWED = 24 << 20

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


def resident() -> int:
    """Bytes of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def send_gigabyte(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % GIGABYTE)
        for _ in range(GIGABYTE // len(PIECE)):
            client.sendall(PIECE)
        return client.recv(65536)


def receive_gigabyte(port: int) -> int:
    buffer = bytearray(1 << 18)
    total = 0
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /down HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while count := client.recv_into(buffer):
            total += count
    return total


@pytest.mark.deadline(120)
@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_streamed_body_is_not_kept(kind):
    seen = {"bytes": 0, "most": 0}

    def take(chunk):
        seen["bytes"] += len(chunk)
        if seen["bytes"] % (1 << 24) < len(chunk):
            seen["most"] = max(seen["most"], resident())

    @web.stream_request_body
    class Plain(web.RequestHandler):
        def prepare(self):
            self.request.connection.set_max_body_size(GIGABYTE)

        def data_received(self, chunk):
            take(chunk)

        def post(self):
            self.write(str(seen["bytes"]))

    class Async(Plain):
        async def data_received(self, chunk):
            await asyncio.sleep(0)
            take(chunk)

    async with serving(web.Application([("/up", Plain if kind == "plain" else Async)])) as server:
        before = resident()
        answer = await asyncio.to_thread(send_gigabyte, server.port)
    assert answer.endswith(b"\r\n\r\n%d" % GIGABYTE)
    assert seen["most"] - before < ALLOWED


@pytest.mark.deadline(120)
async def test_a_streamed_response_is_not_kept():
    most = 0

    class Handler(web.RequestHandler):
        async def get(self):
            nonlocal most
            for number in range(GIGABYTE // len(PIECE)):
                self.write(PIECE)
                await self.flush()
                if number % 64 == 0:
                    most = max(most, resident())

    async with serving(web.Application([("/down", Handler)])) as server:
        before = resident()
        assert await asyncio.to_thread(receive_gigabyte, server.port) > GIGABYTE
    assert most - before < ALLOWED
