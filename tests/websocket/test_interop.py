"""Tests of the server with a client of the PyPI package ``websockets``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.server import serving
from tests.support.tools import need_module
from tests.support.websocket import Recorder
from tests.support.websocket_client import Answering
from tornado import web

websockets = need_module("websockets", "test")
from websockets.asyncio.client import connect  # noqa: E402 - it may be missing


def dialled(server: Any, tls: Any, **options: Any) -> Any:
    scheme = "wss" if tls else "ws"
    context = tls.client_context if tls else None
    uri = f"{scheme}://localhost:{server.port}/"
    return connect(uri, host="127.0.0.1", ssl=context, max_size=2**24, proxy=None, **options)


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_messages_of_all_sizes(loop_kind: str, tls: Any, compression: str | None) -> None:
    async with serving(web.Application([("/", Answering.new())]), tls=tls) as server:
        async with dialled(server, tls, compression=compression, subprotocols=["a", "b"]) as client:
            assert client.subprotocol == "b"
            for size in (0, 1, 125, 126, 65_535, 65_536, 1_000_000):
                for message in ("é" * size, b"\xff" * size):
                    await client.send(message)
                    assert await client.recv() == message
            await client.send(iter(["frag", "men", "ted"]))
            assert await client.recv() == "fragmented"


async def test_many_messages_at_once(loop_kind: str, tls: Any) -> None:
    async with (
        serving(web.Application([("/", Answering.new())]), tls=tls) as server,
        dialled(server, tls) as client,
    ):

        async def send() -> None:
            for number in range(2000):
                await client.send(str(number) * 50)

        sender = asyncio.create_task(send())
        for number in range(2000):
            assert await client.recv() == str(number) * 50
        await sender


async def test_pings_are_answered_and_client_closes(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new()
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        async with dialled(server, tls) as client:
            await (await client.ping(b"hello"))
            await client.close(4001, "bye")
        assert (client.close_code, client.close_reason) == (4001, "")
        await handler.until(("close", 4001, "bye"))
    assert ("ping", b"hello") in handler.happened


async def test_close_code_of_the_server_is_received(loop_kind: str, tls: Any) -> None:
    handler = Recorder.new(on_message=lambda self, message: self.close(4002, "enough"))
    async with serving(web.Application([("/", handler)]), tls=tls) as server:
        async with dialled(server, tls) as client:
            await client.send("x")
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                await client.recv()
        assert (client.close_code, client.close_reason) == (4002, "enough")
        await handler.until(("close", 4002, "enough"))
