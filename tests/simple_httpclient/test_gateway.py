"""A gateway handler that relays a response as it arrives, and whose client disconnects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.support.client_server import Visit, scripted
from tests.support.server import serving
from tornado import web
from tornado.simple_httpclient import SimpleAsyncHTTPClient


@pytest.mark.parametrize("waits", [True, False], ids=["awaits flush", "cancelled"])
async def test_gateway_whose_client_disconnects(loop_kind: str, caplog: Any, waits: bool) -> None:
    """The fetch is cancelled, and nothing is logged at level WARNING or above."""
    caplog.set_level(logging.INFO)
    ended = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                await visit.write(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        finally:
            ended.set()

    class Gateway(web.RequestHandler):
        cancel_on_disconnect = not waits

        def relay(self, chunk: bytes) -> Awaitable[None] | None:
            self.write(chunk)
            flushed = self.flush()
            return flushed if waits else None

        async def get(self) -> None:
            await client.fetch(origin.url, streaming_callback=self.relay, request_timeout=0)

    client = SimpleAsyncHTTPClient(force_instance=True)
    async with scripted(script) as origin, serving(web.Application([("/", Gateway)])) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readexactly(200_000)
        writer.transport.abort()
        await ended.wait()
        await origin.all_closed()
        assert not client.active
    assert len(caplog.records) <= 1  # the line of the access log
    assert all(record.levelno == logging.INFO for record in caplog.records)
