"""Tests of `WebSocketClientConnection`, mostly with our own server."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import re
import socket
import weakref
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.references import gc_disabled
from tests.support.server import ExpectLog
from tests.support.streams import run_loop_iterations
from tests.support.websocket_client import answering, request_for
from tests.support.websocket_internals import traffic
from tests.support.websocket_server import Visitor, scripted
from tornado._wire import ws_connection, ws_handshake
from tornado.httpclient import HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect
from tornado.websocket._message_queue import MAX_MESSAGES

# -- messages --


async def test_messages_of_all_sizes(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _), websocket_connect(request_for(server, tls)) as conn:
        for size in (0, 1, 125, 126, 65_535, 65_536, 1_000_000):
            for message in ("é" * size, b"\xff" * size):
                await conn.write_message(message, binary=isinstance(message, bytes))
                assert await conn.read_message() == message


async def test_more_messages_than_the_queue_holds(loop_kind: str, tls: Any) -> None:
    """The client starts to read after it has sent all messages."""
    async with answering(tls) as (server, _), websocket_connect(request_for(server, tls)) as conn:
        for number in range(2000):
            await conn.write_message(str(number) * 50)
        for number in range(2000):
            assert await conn.read_message() == str(number) * 50


async def test_async_for_ends_with_the_connection(loop_kind: str, tls: Any) -> None:
    def greet(self: Any) -> None:
        self.write_message("one")
        self.write_message(b"two", binary=True)
        self.close(4001, "that is all")

    async with answering(tls, open=greet) as (server, _):
        conn = await websocket_connect(request_for(server, tls))
        assert [message async for message in conn] == ["one", b"two"]
        assert (conn.close_code, conn.close_reason) == (4001, "that is all")
        assert await conn.read_message() is None
        assert await conn.read_message() is None
        with pytest.raises(WebSocketClosedError):
            await conn.write_message("x")
        conn.close()


async def test_each_message_type_is_sent(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _), websocket_connect(request_for(server, tls)) as conn:
        await conn.write_message({"a": "é"})
        assert await conn.read_message() == '{"a": "\\u00e9"}'
        await conn.write_message("é".encode())
        assert await conn.read_message() == "é"
        with pytest.raises(TypeError, match="got int"):
            conn.write_message(1)  # type: ignore[arg-type]


async def test_read_message_with_a_callback(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _), websocket_connect(request_for(server, tls)) as conn:
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        conn.read_message(told.set_result)
        await conn.write_message("hello")
        assert (await told).result() == "hello"


async def test_message_callback_receives_messages_and_none(loop_kind: str, tls: Any) -> None:
    """The callback is called only after `websocket_connect` has returned; the last call is with None."""
    heard = []
    over = asyncio.Event()

    def on_message(message: Any) -> None:
        heard.append((message, conn))
        if message is None:
            over.set()

    def greet(self: Any) -> None:
        self.write_message("one")
        self.write_message("two")
        self.close()

    async with answering(tls, open=greet) as (server, _):
        conn: Any = None
        conn = await asyncio.wait_for(
            websocket_connect(request_for(server, tls), on_message_callback=on_message), 20
        )
        await over.wait()
        assert heard == [("one", conn), ("two", conn), (None, conn)]
        with pytest.raises(RuntimeError, match="on_message_callback"):
            conn.read_message()


async def test_async_message_callback_is_awaited(loop_kind: str, tls: Any) -> None:
    """Other awaitables that a callback returns are ignored."""
    heard: list[Any] = []
    over = asyncio.Event()

    async def slowly(message: Any) -> None:
        heard.append(("begin", message))
        await run_loop_iterations(3)
        heard.append(("end", message))
        if message is None:
            over.set()

    def greet(self: Any) -> None:
        self.write_message("one")
        self.write_message("two")
        self.close()

    async with answering(tls, open=greet) as (server, _):
        await websocket_connect(request_for(server, tls), on_message_callback=slowly)
        await over.wait()
        assert heard == [(when, message) for message in ("one", "two", None) for when in ("begin", "end")]

        over.clear()
        pending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def respond_now(message: Any) -> Any:
            heard.append(message)
            if message is None:
                over.set()
            return pending

        await websocket_connect(request_for(server, tls), on_message_callback=respond_now)
        await over.wait()
        assert heard[-3:] == ["one", "two", None]


async def test_exception_in_message_callback_closes_connection(
    loop_kind: str, tls: Any, expect_log: ExpectLog
) -> None:
    async with answering(tls) as (server, handler):

        def on_message(message: Any) -> None:
            if message is not None:
                raise ValueError("on purpose")

        conn = await websocket_connect(request_for(server, tls), on_message_callback=on_message)
        with expect_log("tornado.application", "Uncaught exception in a callback of <WebSocketClient"):
            await conn.write_message("x")
            await conn.wait_closed()
        await handler.until(("close", 1011, None))


async def test_overridden_methods_are_called(loop_kind: str, tls: Any) -> None:
    heard: list[Any] = []
    over = asyncio.Event()

    class Mine(WebSocketClientConnection):
        async def on_message(self, message: Any) -> None:
            await run_loop_iterations(1)
            heard.append(message)

        def on_ping(self, data: bytes) -> None:
            heard.append(("ping", data))

        def on_pong(self, data: bytes) -> None:
            heard.append(("pong", data))

        def on_connection_close(self) -> None:
            super().on_connection_close()
            over.set()

    def greet(self: Any) -> None:
        self.write_message("hello")
        self.ping(b"theirs")

    async with answering(tls, open=greet) as (server, handler):
        conn = await Mine(request_for(server, tls)).connect_future
        assert isinstance(conn, Mine)
        conn.ping("mine")
        await handler.until(("pong", b"theirs"))
        conn.close()
        await over.wait()
        assert heard == ["hello", ("ping", b"theirs"), ("pong", b"mine")]


async def test_callbacks_run_in_context_of_the_call(loop_kind: str, tls: Any) -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with answering(tls) as (server, _):
        who.set("caller")
        connecting = websocket_connect(
            request_for(server, tls),
            on_message_callback=lambda message: message and heard.set_result(who.get()),
        )
        who.set("somebody else")
        conn = await connecting
        await conn.write_message("x")
        assert await heard == "caller"
        conn.close()
        await conn.wait_closed()


# -- back-pressure --


async def test_reading_pauses_while_messages_are_not_read(loop_kind: str, tls: Any) -> None:
    """Messages that the client does not read remain in the buffers of the server."""
    message = b"\x82\x7e\xff\xff" + b"x" * 65_535

    async def flood(visitor: Visitor) -> None:
        visitor.accept(then=message * 400)
        visitor.send(visitor.core.close(1000))
        assert await visitor.event() == ws_connection.Close(1000, "")

    async with scripted(flood, tls) as server:
        conn = await websocket_connect(server.url, **server.trust)
        await run_loop_iterations(2000)
        protocol: Any = conn.protocol
        assert traffic(protocol).wire_bytes_in < 2**20
        assert len([message async for message in conn]) == 400


async def test_writing_waits_for_the_server(loop_kind: str, tls: Any) -> None:
    go = asyncio.Event()

    async def sluggish(visitor: Visitor) -> None:
        visitor.accept()
        await go.wait()
        await visitor.gone()

    async with scripted(sluggish, tls) as server:
        conn = await websocket_connect(server.url, **server.trust)
        waiting = None
        for _ in range(100):
            waiting = conn.write_message(b"x" * 1_000_000, binary=True)
            if not waiting.done():
                break
        assert waiting is not None
        assert not waiting.done()
        go.set()
        await waiting
        conn.close()


async def test_close_discards_messages_over_the_queue_limits(loop_kind: str, tls: Any) -> None:
    """The server's close frame follows more messages than fit in the queue."""

    async def flood(visitor: Visitor) -> None:
        visitor.accept(then=b"\x81\x01x" * (MAX_MESSAGES * 2))
        assert await visitor.event() == ws_connection.Close(1000, "")
        visitor.send(b"\x81\x01x" * (MAX_MESSAGES * 2), visitor.core.close(1000))

    async with scripted(flood, tls) as server:
        conn = await websocket_connect(server.url, **server.trust)
        await run_loop_iterations(10)
        conn.close(1000)
        await conn.wait_closed()
        assert conn.close_code == 1000
        assert MAX_MESSAGES <= len([message async for message in conn]) < MAX_MESSAGES * 4


# -- closing --


async def test_close_code_and_reason_are_sent_once(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, handler):
        conn = await websocket_connect(request_for(server, tls))
        assert "open" in repr(conn)
        conn.close(4001, "bye")
        conn.close()
        await handler.until(("close", 4001, "bye"))
        await conn.wait_closed()
        await conn.wait_closed()
        assert conn.close_code == 4001
        assert conn.stream.closed()
        assert conn.protocol is None
        assert "closed" in repr(conn)
        for call in (lambda: conn.write_message("x"), conn.ping):
            with pytest.raises(WebSocketClosedError):
                call()


async def test_invalid_close_code_is_rejected(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _), websocket_connect(request_for(server, tls)) as conn:
        with pytest.raises(ValueError, match="999"):
            conn.close(999)
        await conn.write_message("x")
        assert await conn.read_message() == "x"


async def test_cancelled_wait_closed(loop_kind: str, tls: Any) -> None:
    """Other waiting callers are not affected."""
    async with answering(tls) as (server, _), websocket_connect(request_for(server, tls)) as conn:
        first, second = (asyncio.ensure_future(conn.wait_closed()) for _ in range(2))
        await run_loop_iterations()
        first.cancel()
        await run_loop_iterations()
        conn.close()
        await second
        assert first.cancelled()


async def test_context_manager_closes_connection(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, handler):
        with pytest.raises(LookupError):
            async with websocket_connect(request_for(server, tls)) as conn:
                raise LookupError
        assert conn.stream.closed()
        async with await websocket_connect(request_for(server, tls)) as conn:
            assert not conn.stream.closed()
        assert conn.stream.closed()
        await handler.until(("close", None, None))


async def test_server_shutdown_closes_with_1001(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _):
        conn = await websocket_connect(request_for(server, tls))
        await server.server.close_all_connections()
        assert await conn.read_message() is None
        assert conn.close_code == 1001


def test_repr_of_uninitialized_test_double() -> None:
    """jupyter_server logs its mock of a connection, a subclass that does not call our ``__init__``."""

    class StandIn(WebSocketClientConnection):
        def __init__(self) -> None:
            pass

    assert "StandIn object at" in repr(StandIn())


def test_unclosed_connection_warns() -> None:
    """The warning is issued after the event loop is closed, because the loop holds a reference to the
    connection.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    peers = []

    async def connect() -> None:
        connecting = websocket_connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        peer, _ = await asyncio.to_thread(listener.accept)
        peers.append(peer)
        head = await asyncio.to_thread(peer.recv, 65536)
        (key,) = re.findall(rb"(?i)sec-websocket-key: (.*?)\r\n", head)
        fields = ws_handshake.response_headers(ws_handshake.Offer(key.decode(), "13", (), ()))
        lines = [f"{name}: {value}" for name, value in fields]
        peer.sendall("\r\n".join(["HTTP/1.1 101 Go", *lines, "", ""]).encode())
        await connecting

    async def forget_closed_loops() -> None:
        IOLoop.current()

    def forget() -> None:
        asyncio.run(connect())
        asyncio.run(forget_closed_loops())
        gc.collect()

    with pytest.warns(ResourceWarning) as warned:
        forget()
    told = [str(each.message) for each in warned]
    assert any(re.match("unclosed <WebSocketClientConnection ws://127.* open>", each) for each in told), told
    for each in (*peers, listener):
        each.close()


async def test_closed_connection_does_not_warn(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _):
        conn = await websocket_connect(request_for(server, tls))
        conn.close()
        await conn.wait_closed()
        del conn
        gc.collect()


async def test_idle_connection_has_no_task_and_no_timer(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _):
        before = asyncio.all_tasks()
        conns = [await websocket_connect(request_for(server, tls)) for _ in range(3)]
        await run_loop_iterations(5)
        assert asyncio.all_tasks() == before
        for conn in conns:
            conn.close()
            await conn.wait_closed()


@pytest.mark.parametrize("decompress_response", [True, False])
@pytest.mark.parametrize("with_callback", [True, False])
async def test_closed_connection_is_freed_by_its_last_reference(
    loop_kind: str, tls: Any, with_callback: bool, decompress_response: bool
) -> None:
    """The Future whose result is the connection is freed, too."""
    options: dict[str, Any] = {"decompress_response": decompress_response}
    heard: list[Any] = []
    async with answering(tls) as (server, _):
        with gc_disabled():
            request = request_for(server, tls, **options)
            connecting = websocket_connect(
                request, on_message_callback=heard.append if with_callback else None, compression_options={}
            )
            conn = await connecting
            references = [weakref.ref(each) for each in (conn, conn.protocol, connecting)]
            await conn.write_message("x")
            if with_callback:
                while not heard:
                    await asyncio.sleep(0)
            else:
                assert await conn.read_message() == "x"
            conn.close()
            await conn.wait_closed()
            del conn, connecting
            await run_loop_iterations(5)
            assert [reference() for reference in references] == [None] * 3


@pytest.mark.parametrize("path", ["/page?code=403", "/page", "/page?code=302&to=/page"])
async def test_rejected_connection_is_freed(loop_kind: str, tls: Any, path: str) -> None:
    async with answering(tls) as (server, _):
        with gc_disabled():
            conn = WebSocketClientConnection(request_for(server, tls, path, follow_redirects=True))
            reference, connecting = weakref.ref(conn), conn.connect_future
            del conn
            await asyncio.wait([connecting])
            assert connecting.exception() is not None
            del connecting
            await run_loop_iterations(5)
            assert reference() is None


async def test_refused_connection_is_freed(loop_kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    with gc_disabled():
        conn = WebSocketClientConnection(HTTPRequest(url))
        reference, connecting = weakref.ref(conn), conn.connect_future
        del conn
        await asyncio.wait([connecting])
        assert isinstance(connecting.exception(), ConnectionRefusedError)
        del connecting
        await run_loop_iterations(5)
        assert reference() is None


async def test_connect_future_is_available_later(loop_kind: str, tls: Any) -> None:
    """The property returns the same Future until that Future is done."""
    async with answering(tls) as (server, _):
        conn = WebSocketClientConnection(request_for(server, tls))
        assert conn.connect_future is conn.connect_future
        assert await conn.connect_future is conn
        assert conn.connect_future.done()
        assert await conn.connect_future is conn
        async with conn.connect_future as again:
            assert again is conn
        assert conn.stream.closed()


async def test_handshake_timeouts_do_not_apply_to_open_connection(clock: FakeClock, tls: Any) -> None:
    async with answering(tls) as (server, _):
        request = request_for(server, tls, request_timeout=5, connect_timeout=5)
        async with websocket_connect(request) as conn:
            await asyncio.sleep(100)
            await conn.write_message("x")
            assert await conn.read_message() == "x"


async def test_future_of_open_connection_cannot_be_cancelled(loop_kind: str, tls: Any) -> None:
    async with answering(tls) as (server, _), websocket_connect(request_for(server, tls)) as conn:
        assert not conn.connect_future.cancel()
        await conn.write_message("x")
        assert await conn.read_message() == "x"
