"""Tests of the client with a server of the PyPI package ``websockets``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest

from tests.support.tools import need_module
from tornado.httpclient import HTTPClientError
from tornado.websocket import websocket_connect

websockets = need_module("websockets", "test")
from websockets.asyncio.server import serve  # noqa: E402 - it may be missing
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory  # noqa: E402


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


@contextlib.asynccontextmanager
async def serving(handler: Any = echo, tls: Any = None, **options: Any) -> AsyncIterator[tuple[str, Any]]:
    """Run a server; yield its URL and the arguments to trust its certificate."""
    context = tls.server_context if tls else None
    async with serve(handler, "127.0.0.1", 0, ssl=context, max_size=2**24, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield (
            f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/",
            {"ca_certs": str(tls.ca_file)} if tls else {},
        )


#: Our options, and the parameters that their server must agree to.
COMPRESSION: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
    "none": (None, {}),
    "plain": ({}, {}),
    "small windows": ({"server_max_window_bits": 9, "client_max_window_bits": 9}, {}),
    "on its own": ({"server_no_context_takeover": True, "client_no_context_takeover": True}, {}),
    "server without takeover": ({}, {"server_no_context_takeover": True}),
    "client without takeover": ({}, {"client_no_context_takeover": True}),
    "server's windows": ({}, {"server_max_window_bits": 10, "client_max_window_bits": 10}),
}


@pytest.mark.parametrize("name", COMPRESSION)
async def test_messages_of_all_sizes(name: str, loop_kind: str, tls: Any) -> None:
    options, theirs = COMPRESSION[name]
    factory = ServerPerMessageDeflateFactory(**theirs)
    async with serving(tls=tls, compression=None, extensions=[factory]) as (url, trust):
        async with websocket_connect(url, compression_options=options, **trust) as conn:
            assert ("Sec-WebSocket-Extensions" in conn.headers) == (options is not None)
            for size in (0, 1, 125, 126, 65_535, 65_536, 300_000):
                for message in ("é" * size, b"\xff" * size):
                    await conn.write_message(message, binary=isinstance(message, bytes))
                    assert await conn.read_message() == message


async def test_many_messages_at_once(loop_kind: str, tls: Any) -> None:
    async with serving(tls=tls) as (url, trust), websocket_connect(url, **trust) as conn:

        async def send() -> None:
            for number in range(2000):
                await conn.write_message(str(number) * 50)

        sender = asyncio.create_task(send())
        for number in range(2000):
            assert await conn.read_message() == str(number) * 50
        await sender


async def test_pings_are_answered_and_client_closes(loop_kind: str, tls: Any) -> None:
    seen: dict[str, Any] = {}

    async def handler(connection: Any) -> None:
        await (await connection.ping(b"theirs"))
        with contextlib.suppress(websockets.ConnectionClosed):
            await connection.send(await connection.recv())
            await connection.recv()
        seen["code"], seen["reason"] = connection.close_code, connection.close_reason

    async with serving(handler, tls, subprotocols=["b"]) as (url, trust):
        conn = await websocket_connect(url, subprotocols=["a", "b"], **trust)
        assert conn.selected_subprotocol == "b"
        await conn.write_message("x")
        assert await conn.read_message() == "x"
        conn.close(4001, "bye")
        await conn.wait_closed()
        assert conn.close_code == 4001
    assert seen == {"code": 4001, "reason": "bye"}


async def test_close_code_of_the_server_is_received(loop_kind: str, tls: Any) -> None:
    async def handler(connection: Any) -> None:
        await connection.send(["frag", "ment", "ed"])
        await connection.close(4002, "enough")

    async with serving(handler, tls) as (url, trust):
        conn = await websocket_connect(url, **trust)
        assert [message async for message in conn] == ["fragmented"]
        assert (conn.close_code, conn.close_reason) == (4002, "enough")


async def test_server_rejects_handshake(loop_kind: str, tls: Any) -> None:
    def refuse(connection: Any, request: Any) -> Any:
        return connection.respond(HTTPStatus.UNAUTHORIZED, "who are you?\n")

    async with serving(tls=tls, process_request=refuse) as (url, trust):
        with pytest.raises(HTTPClientError) as caught:
            await websocket_connect(url, **trust)
        assert caught.value.response is not None
        assert (caught.value.code, caught.value.response.body) == (401, b"who are you?\n")
