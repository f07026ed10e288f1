"""Tests of flow control in both directions at the same time, for deadlocks and order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.server import serving
from tests.support.streams import run_loop_iterations
from tests.support.tools import need_module
from tests.support.websocket import Recorder, opened
from tests.support.websocket_client import request_for
from tornado import web
from tornado.websocket import WebSocketHandler, websocket_connect

websockets = need_module("websockets", "test")
from websockets.asyncio.client import connect  # noqa: E402 - it may be missing

#: Far more data than fits in all socket buffers between the two sides.
COUNT, SIZE = 400, 65536
LIMITS = (65536, 1024 * 1024)
GONE = ("close", None, None)


class Echo(WebSocketHandler):
    def on_message(self, message: Any) -> None:
        self.write_message(message, binary=True)


class AsyncEcho(WebSocketHandler):
    async def on_message(self, message: Any) -> None:
        await self.write_message(message, binary=True)


class LateEcho(WebSocketHandler):
    """A handler that awaits something other than its reply."""

    async def on_message(self, message: Any) -> None:
        await asyncio.sleep(0)
        self.write_message(message, binary=True)


class Push(WebSocketHandler):
    """A handler that sends all its data when it opens, and counts the messages that the client returns."""

    async def open(self) -> None:
        self.came = 0
        self.task = asyncio.ensure_future(self.push())

    async def push(self) -> None:
        for _ in range(COUNT):
            await self.write_message(bytes(SIZE), binary=True)

    def on_message(self, message: Any) -> None:
        self.came += 1
        if self.came == COUNT:
            self.close(4000)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("handler", [Echo, AsyncEcho, LateEcho])
async def test_client_that_reads_and_writes_concurrently(
    loop_kind: str, tls: Any, handler: type[WebSocketHandler], limit: int
) -> None:
    """The client awaits each of its messages. If the server stopped reading, neither side could
    continue.
    """
    async with serving(web.Application([("/", handler)], websocket_write_limit=limit), tls=tls) as server:
        async with websocket_connect(request_for(server, tls)) as conn:

            async def write() -> None:
                for _ in range(COUNT):
                    await conn.write_message(bytes(SIZE), binary=True)

            writing = asyncio.ensure_future(write())
            for _ in range(COUNT):
                message = await conn.read_message()
                assert message is not None
                assert len(message) == SIZE
            await writing


@pytest.mark.parametrize("limit", LIMITS)
async def test_server_whose_messages_are_returned(loop_kind: str, tls: Any, limit: int) -> None:
    """The client does not read while its own message waits to be sent."""
    async with serving(web.Application([("/", Push)], websocket_write_limit=limit), tls=tls) as server:
        uri = f"{'wss' if tls else 'ws'}://localhost:{server.port}/"
        context = tls.client_context if tls else None
        async with connect(uri, host="127.0.0.1", ssl=context, proxy=None) as client:
            with pytest.raises(websockets.ConnectionClosedError) as caught:
                while True:
                    await client.send(await client.recv())
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 4000


async def test_drained_output_does_not_start_the_next_message_during_a_callback(
    loop_kind: str, tls: Any
) -> None:
    """The output is sent before the callback finishes; the next message must still wait for the callback."""
    gates = {name: asyncio.Event() for name in "ab"}

    async def on_message(self: Any, message: str) -> None:
        self.note(f"begin {message}")
        self.write_message(b"x" * 8_000_000, binary=True)
        await gates[message].wait()
        self.note(f"end {message}")

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls, websocket_write_limit=1000) as client:
        client.send("a", "b")
        assert len(await client.event()) == 8_000_000
        await run_loop_iterations(10)
        assert handler.happened == ["open", "begin a"]
        gates["a"].set()
        assert len(await client.event()) == 8_000_000
        gates["b"].set()
        await handler.until("end b")
    assert handler.happened[1:5] == ["begin a", "end a", "begin b", "end b"]


async def test_finished_callback_does_not_start_the_next_message_while_output_stalls(
    loop_kind: str, tls: Any
) -> None:
    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        self.write_message(b"x" * 8_000_000, binary=True)
        await asyncio.sleep(0)

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls, websocket_write_limit=1000) as client:
        client.stop_reading()
        client.send("a", "b")
        await handler.until("a")
        await run_loop_iterations(20)
        assert handler.happened == ["open", "a"]
        client.read_on()
        assert [len(await client.event()) for _ in "ab"] == [8_000_000] * 2
        await handler.until("b")


async def test_messages_stall_after_a_finished_callback(loop_kind: str, tls: Any) -> None:
    """The message whose reply fills the output buffer has waited for the callback of an earlier message."""
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        self.note(message)
        if message == "first":
            await gate.wait()
        else:
            self.write_message(b"x" * 8_000_000, binary=True)

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls, websocket_write_limit=1000) as client:
        client.send("first", "fills")
        await handler.until("first")
        client.stop_reading()
        gate.set()
        await handler.until("fills")
        client.send("last")
        await run_loop_iterations(20)
        assert "last" not in handler.latest.happened
        client.read_on()
        await handler.until("last")


async def test_reading_resumes_after_drained_output_during_a_callback(loop_kind: str, tls: Any) -> None:
    gate = asyncio.Event()

    async def on_message(self: Any, message: str) -> None:
        await self.write_message(b"x" * 8_000_000, binary=True)
        self.note("sent")
        await gate.wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls, websocket_write_limit=1000) as client:
        client.send("go")
        assert len(await client.event()) == 8_000_000
        await handler.until("sent")
        client.leave()
        await handler.until(GONE)
        gate.set()
