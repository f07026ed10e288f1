"""Streams of server-sent events, received by a client."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import weakref
import zlib
from typing import Any

import pytest

from tests.support.references import gc_disabled
from tests.support.server import ExpectLog, Peer, Response, ask, raised, serving
from tests.support.sse import is_over, subscribe_although_over
from tornado import web
from tornado._wire.sse import Event, Parser
from tornado.iostream import StreamClosedError


class Client:
    """A client of one stream, which parses chunks and events."""

    def __init__(self, peer: Peer, head: Response) -> None:
        self.peer = peer
        self.head = head
        self.parser = Parser()
        self.raw = b""

    async def chunk(self) -> bytes:
        """Return the next chunk, which is empty at the end of the stream."""
        size = int(await self.peer.reader.readline(), 16)
        data = await self.peer.reader.readexactly(size + 2)
        assert data.endswith(b"\r\n")
        return data[:-2]

    async def events(self, count: int) -> list[Event]:
        """Read `count` events, and check that no other event follows in the same chunk."""
        events: list[Event] = []
        while len(events) < count:
            data = await self.chunk()
            assert data, "the stream has ended"
            self.raw += data
            self.parser.receive_data(data)
            while (event := self.parser.next_event()) is not None:
                events.append(event)
        assert len(events) == count
        return events

    async def data(self, count: int) -> list[str]:
        """Read `count` events and return their data."""
        return [event.data for event in await self.events(count)]


async def open_stream(server: Any, path: str = "/", *fields: str, **options: Any) -> Client:
    peer = await server.connect()
    peer.get(path, *fields, **options)
    return Client(peer, await peer.response(to_head=True))


class Ends:
    """A recorder of how handlers end."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.ended = asyncio.Event()

    def handler(self, **members: Any) -> Any:
        """Return a handler class with these methods and attributes, whose end is recorded."""

        class Source(web.EventSourceHandler):
            keep_alive = 0

            def on_connection_close(source) -> None:
                self.entries.append("on_connection_close")

            def on_finish(source) -> None:
                self.entries.append("on_finish")
                self.ended.set()

        return type("Source", (Source,), members)


def storing_open(handlers: list[Any]) -> Any:
    """Return an `open` method that appends its handler to a list."""
    return lambda handler: handlers.append(handler)


# -- one stream --


async def test_events_of_a_stream(loop_kind: str, tls: Any) -> None:
    ends = Ends()

    async def stream(self: Any, name: str) -> None:
        await self.send_event("Hello, " + name)
        await self.send_event({"a": [1, None]}, event="json", id="7", retry=100)
        await asyncio.sleep(0)
        await self.send_event("two\nlines")
        await self.send_comment("not to be seen")
        await self.send_event(b"bytes")

    application = web.Application([("/(.*)", ends.handler(stream=stream))])
    async with serving(application, tls=tls) as server:
        client = await open_stream(server, "/Ann")
        assert client.head.code == 200
        assert client.head.get("content-type") == "text/event-stream; charset=utf-8"
        assert client.head.get("cache-control") == "no-store"
        assert client.head.get("x-accel-buffering") == "no"
        assert client.head.get("content-length") is None
        assert await client.events(4) == [
            Event("Hello, Ann"),
            Event('{"a": [1, null]}', "json", "7"),
            Event("two\nlines", id="7"),
            Event("bytes", id="7"),
        ]
        assert client.parser.retry == 100
        assert b": not to be seen\n\n" in client.raw
        assert await client.chunk() == b""  # the end; afterwards the connection can be reused
        again = await client.peer.fetch("/Bob")
        assert b"Hello, Bob" in again.body
    assert ends.entries == ["on_finish"] * 2


async def test_each_event_is_sent_immediately() -> None:
    step = asyncio.Event()

    async def stream(self: Any) -> None:
        for number in range(3):
            await self.send_event(number)
            await step.wait()
            step.clear()

    async with serving(web.Application([("/", Ends().handler(stream=stream))])) as server:
        client = await open_stream(server)
        for number in range(3):
            assert await client.data(1) == [str(number)]
            step.set()
        assert await client.chunk() == b""


async def test_http_1_0_client_reads_until_close() -> None:
    async def stream(self: Any) -> None:
        await self.send_event("x")

    async with serving(web.Application([("/", Ends().handler(stream=stream))])) as server:
        peer = await server.connect()
        response = await peer.fetch("/", version="HTTP/1.0")
        assert response.body == b"data: x\n\n"
        assert response.get("transfer-encoding") is None


async def test_stream_with_open_has_no_task() -> None:
    handlers: list[Any] = []
    ends = Ends()
    async with serving(
        web.Application([("/", ends.handler(open=storing_open(handlers), retry=50))])
    ) as server:
        before = len(asyncio.all_tasks())
        client = await open_stream(server)
        assert len(asyncio.all_tasks()) == before
        assert await client.chunk() == b"retry: 50\n\n"
        _ = handlers[0].send_event("pushed")
        assert await client.data(1) == ["pushed"]
        _ = handlers[0].finish()
        assert await client.chunk() == b""
    assert ends.entries == ["on_finish"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_event_sent_in_open(asynchronous: bool) -> None:
    def open_now(self: Any) -> None:
        self.set_header("X-Mine", "yes")
        self.set_header("Cache-Control", "no-cache")
        _ = self.send_event("first")

    async def open_later(self: Any) -> None:
        await asyncio.sleep(0)
        open_now(self)

    handler = Ends().handler(open=open_later if asynchronous else open_now)
    async with serving(web.Application([("/", handler)])) as server:
        client = await open_stream(server)
        assert (client.head.get("x-mine"), client.head.get("cache-control")) == ("yes", "no-cache")
        assert await client.data(1) == ["first"]


@pytest.mark.parametrize("code", [204, 403, 302])
@pytest.mark.parametrize("where", ["prepare", "open", "async open"])
async def test_rejected_stream(where: str, code: int) -> None:
    """After a response with the status 204, a browser does not reconnect."""
    channel = web.EventChannel()

    def refuse(self: Any) -> None:
        if where != "prepare":
            self.subscribe(channel)
        if code == 302:
            self.redirect("/elsewhere")
        else:
            raise web.HTTPError(code)

    async def refuse_later(self: Any) -> None:
        await asyncio.sleep(0)
        refuse(self)

    name, hook = ("open", refuse_later) if where == "async open" else (where, refuse)
    response = await ask(Ends().handler(**{name: hook}))
    assert response.code == code
    assert response.get("content-type") != "text/event-stream; charset=utf-8"
    assert len(channel) == 0


async def test_post() -> None:
    async def stream(self: Any) -> None:
        await self.send_event(self.request.body.decode())

    handler = Ends().handler(stream=stream, post=web.EventSourceHandler.get)
    assert (await ask(handler, method="POST", body=b"question")).body == b"data: question\n\n"


async def test_exception_in_stream_closes_the_connection(expect_log: ExpectLog) -> None:
    """The response is incomplete, so that a browser reconnects."""
    ends = Ends()

    async def stream(self: Any) -> None:
        await self.send_event("x")
        raise ZeroDivisionError

    with expect_log("tornado.application", "Uncaught exception"):
        with expect_log("tornado.general", "Cannot send error response"):
            async with serving(web.Application([("/", ends.handler(stream=stream))])) as server:
                client = await open_stream(server)
                assert await client.peer.rest() == b"9\r\ndata: x\n\n\r\n"
    assert ends.entries[-1] == "on_finish"


# -- the id of the last event --


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (None, ""),
        ("", ""),
        ("7", "7"),
        ("a b", "a b"),
        ("é世".encode().decode("latin-1"), "é世"),
    ],
)
async def test_last_event_id(field: str | None, expected: str) -> None:
    async def stream(self: Any) -> None:
        await self.send_event([self.last_event_id])

    fields = [] if field is None else [f"Last-Event-ID: {field}"]
    response = await ask(Ends().handler(stream=stream), *fields)
    parser = Parser()
    parser.receive_data(response.body)
    event = parser.next_event()
    assert event is not None
    assert json.loads(event.data) == [expected]


@pytest.mark.parametrize("field", ["\xff", "caf\xe9"])
async def test_malformed_last_event_id_leads_to_400(field: str, expect_log: ExpectLog) -> None:
    async def stream(self: Any) -> None:
        await self.send_event(self.last_event_id)

    with expect_log("tornado.general", "400 GET .*Last-Event-ID"):
        response = await ask(
            Ends().handler(open=lambda self: self.subscribe(web.EventChannel())), f"Last-Event-ID: {field}"
        )
    assert response.code == 400


# -- the end of a stream --


@pytest.mark.parametrize("kind", ["stream", "open", "async open", "async open and stream"])
@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
async def test_disconnect_of_the_client(kind: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ends = Ends()
    channel = web.EventChannel()

    def open_now(self: Any) -> None:
        self.subscribe(channel)

    async def open_later(self: Any) -> None:
        await asyncio.sleep(0)
        self.subscribe(channel)

    async def stream(self: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.entries.append("finally")

    members: dict[str, Any] = {"open": open_later if "async" in kind else open_now}
    if "stream" in kind:
        members["stream"] = stream
    application = web.Application([("/", ends.handler(**members))])
    async with serving(application, access_log=logging.INFO) as server:
        client = await open_stream(server)
        assert len(channel) == 1
        if how == "half-close":
            client.peer.writer.write_eof()
        elif how == "reset":
            client.peer.writer.transport.abort()
        else:
            await client.peer.close()
        await ends.ended.wait()
        assert len(channel) == 0
    middle = ["finally"] if "stream" in kind else []
    assert ends.entries == ["on_connection_close", *middle, "on_finish"]
    lines = [each.getMessage() for each in caplog.records if each.name == "tornado.access"]
    assert [line.rpartition(" ")[0] for line in lines] == ["200 GET / (127.0.0.1)"]


async def test_disconnect_while_open_is_suspended() -> None:
    ends = Ends()
    channel = web.EventChannel()
    started = asyncio.Event()

    async def open_for_ever(self: Any) -> None:
        self.subscribe(channel)
        started.set()
        await asyncio.Event().wait()

    async with serving(web.Application([("/", ends.handler(open=open_for_ever))])) as server:
        peer = await server.connect()
        peer.get("/")
        await started.wait()
        await peer.close()
        await ends.ended.wait()
        assert len(channel) == 0


@pytest.mark.parametrize("kind", ["stream", "open"])
async def test_closing_the_server_ends_streams(kind: str) -> None:
    ends = Ends()

    async def stream(self: Any) -> None:
        await asyncio.Event().wait()

    members: dict[str, Any] = {"stream": stream} if kind == "stream" else {"open": lambda self: None}
    async with serving(web.Application([("/", ends.handler(**members))])) as server:
        client = await open_stream(server)
        await server.server.close_all_connections()
        await ends.ended.wait()
        assert await client.peer.rest() == b""


async def test_send_and_subscribe_after_the_end_raise() -> None:
    handlers: list[Any] = []
    ends = Ends()
    async with serving(web.Application([("/", ends.handler(open=storing_open(handlers)))])) as server:
        client = await open_stream(server)
        (handler,) = handlers
        await client.peer.close()
        await ends.ended.wait()
        with pytest.raises(StreamClosedError):
            await handler.send_event("x")
        with pytest.raises(RuntimeError, match="after the stream had ended"):
            handler.subscribe(web.EventChannel())


async def test_disconnect_without_cancellation_raises_at_next_event() -> None:
    """With ``cancel_on_disconnect = False``, the next `send_event` raises an exception."""
    ends = Ends()
    learned = asyncio.Event()

    async def stream(self: Any) -> None:
        await ends.ended.wait()
        try:
            await self.send_event("x")
        except StreamClosedError:
            learned.set()
            raise

    handler = ends.handler(stream=stream, cancel_on_disconnect=False)
    async with serving(web.Application([("/", handler)])) as server:
        client = await open_stream(server)
        await client.peer.close()
        await learned.wait()


async def test_handler_timeout_does_not_apply() -> None:
    async def stream(self: Any) -> None:
        await asyncio.sleep(0.05)
        await self.send_event("x")

    assert (await ask(Ends().handler(stream=stream), handler_timeout=0.01)).body == b"data: x\n\n"


@pytest.mark.parametrize("cancel", [True, False])
async def test_subscribe_after_disconnect_has_no_effect(cancel: bool) -> None:
    """`subscribe` has no effect if the cancellation was suppressed, and if cancellation is disabled."""
    ends = Ends()
    channel = web.EventChannel()
    started, go_on = asyncio.Event(), asyncio.Event()
    handlers: list[Any] = []

    async def open_late(self: Any) -> None:
        handlers.append(self)
        started.set()
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            pass
        self.subscribe(channel)

    handler = ends.handler(open=open_late, cancel_on_disconnect=cancel)
    async with serving(web.Application([("/", handler)])) as server:
        peer = await server.connect()
        peer.get("/")
        await started.wait()
        linger = struct.pack("ii", 1, 0)  # so that closing sends a reset
        peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        peer.writer.transport.abort()
        while not is_over(handlers[0]):
            await asyncio.sleep(0)
        go_on.set()
        await ends.ended.wait()
        assert len(channel) == 0


async def test_subscription_during_cancellation_is_removed() -> None:
    ends = Ends()
    channel = web.EventChannel()
    started = asyncio.Event()

    async def open_late(self: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            subscribe_although_over(self, channel)

    async with serving(web.Application([("/", ends.handler(open=open_late))])) as server:
        peer = await server.connect()
        peer.get("/")
        await started.wait()
        peer.writer.transport.abort()
        await ends.ended.wait()
        assert len(channel) == 0


@pytest.mark.parametrize(
    "attributes",
    [
        {"keep_alive": -1},
        {"keep_alive": True},
        {"keep_alive": None},
        {"keep_alive": float("nan")},
        {"keep_alive": float("inf")},
        {"max_unsent": -1},
        {"max_unsent": "1"},
        {"retry": -1},
        {"retry": 1.5},
    ],
)
async def test_invalid_attributes(attributes: Any, expect_log: ExpectLog) -> None:
    (name,) = attributes
    with expect_log("tornado.application", "Uncaught") as expected:
        response = await ask(Ends().handler(open=lambda self: None, **attributes))
    assert response.code == 500
    assert f"Source.{name} must be " in str(raised(expected))


# -- keep-alive --


@pytest.mark.parametrize("compress", [False, True])
async def test_keep_alive_comments(compress: bool) -> None:
    members: dict[str, Any] = {"keep_alive": 0.01, "compress_events": compress, "open": lambda self: None}
    application = web.Application([("/", Ends().handler(**members))], compress_response=True)
    async with serving(application) as server:
        client = await open_stream(server)
        for _ in range(3):
            assert await client.chunk() == b":\n\n"


async def test_stalled_client_is_disconnected_by_keep_alive() -> None:
    ends = Ends()
    handlers: list[Any] = []
    members: dict[str, Any] = {"keep_alive": 0.01, "open": storing_open(handlers)}
    async with serving(web.Application([("/", ends.handler(**members))])) as server:
        client = await open_stream(server)
        client.peer.writer.transport.pause_reading()
        _ = handlers[0].send_event("x" * 50_000_000)
        await ends.ended.wait()
    assert ends.entries == ["on_connection_close", "on_finish"]


# -- limits --


async def test_slow_client_is_disconnected_if_events_are_not_awaited() -> None:
    ends = Ends()
    handlers: list[Any] = []
    members: dict[str, Any] = {"max_unsent": 1000, "open": storing_open(handlers)}
    async with serving(web.Application([("/", ends.handler(**members))])) as server:
        client = await open_stream(server)
        client.peer.writer.transport.pause_reading()
        (handler,) = handlers
        # One event may be larger than the limit.
        large = handler.send_event("x" * 50_000_000)
        assert not large.done()
        after = handler.send_event("y")
        with pytest.raises(StreamClosedError):
            await after
        with pytest.raises(StreamClosedError):
            await large
        await ends.ended.wait()


async def test_awaited_events_never_exceed_max_unsent() -> None:
    total = 0

    async def stream(self: Any) -> None:
        for _ in range(50):
            await self.send_event(b"x" * 1_000_000)

    handler = Ends().handler(stream=stream, max_unsent=1)
    async with serving(web.Application([("/", handler)])) as server:
        client = await open_stream(server)
        while data := await client.chunk():
            total += len(data)
    assert total == 50 * (1_000_000 + len("data: \n\n"))


# -- content codings and overridden methods --


async def test_compressed_events_are_flushed() -> None:
    """Each event can be decoded when it arrives."""
    handlers: list[Any] = []
    members: dict[str, Any] = {"compress_events": True, "open": storing_open(handlers)}
    channel = web.EventChannel()
    application = web.Application([("/", Ends().handler(**members))], compress_response=True)
    async with serving(application) as server:
        client = await open_stream(server, "/", "Accept-Encoding: gzip")
        assert client.head.get("content-encoding") == "gzip"
        assert client.head.get("vary") == "Accept-Encoding"
        (handler,) = handlers
        handler.subscribe(channel)
        decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
        seen = b""
        _ = handler.send_event("one")
        while not seen.endswith(b"data: one\n\n"):
            seen += decompressor.decompress(await client.chunk())
        channel.publish("two", id="2")
        while not seen.endswith(b"id: 2\ndata: two\n\n"):
            seen += decompressor.decompress(await client.chunk())


async def test_events_are_not_compressed_by_default() -> None:
    async def stream(self: Any) -> None:
        await self.send_event("x")

    response = await ask(Ends().handler(stream=stream), "Accept-Encoding: gzip", compress_response=True)
    assert response.get("content-encoding") is None
    assert response.body == b"data: x\n\n"


@pytest.mark.parametrize("hook", ["write", "flush"])
async def test_overridden_write_and_flush_are_called_for_channels(hook: str) -> None:
    calls: list[str] = []
    channel = web.EventChannel()

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(hook)
        return getattr(web.RequestHandler, hook)(self, *args, **kwargs)

    members = {hook: counted, "open": lambda self: self.subscribe(channel)}
    async with serving(web.Application([("/", Ends().handler(**members))])) as server:
        client = await open_stream(server)
        calls.clear()
        channel.publish("x")
        assert await client.data(1) == ["x"]
    assert calls == [hook]


# -- programming errors, reported before the stream begins --


async def generator(self: Any) -> Any:
    yield "event"


def subscribed_to_a_name(self: Any) -> None:
    self.subscribe("chan")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "must override stream() or open()"),
        ({"stream": lambda self: None}, "must be an 'async def' function; it returned None"),
        ({"stream": generator}, "stream() must not contain yield: use 'await self.send_event(...)'"),
        ({"open": subscribed_to_a_name}, "subscribe() expects an EventChannel, got 'chan'"),
    ],
)
async def test_programming_errors_lead_to_500(members: Any, words: str, expect_log: ExpectLog) -> None:
    handler = type("Source", (web.EventSourceHandler,), members)
    with expect_log("tornado.application", "Uncaught") as expected:
        assert (await ask(handler)).code == 500
    assert words in str(raised(expected))


async def test_stream_may_be_a_function_that_returns_a_coroutine() -> None:
    async def work(self: Any) -> None:
        await self.send_event("one")

    handler = type("Source", (web.EventSourceHandler,), {"stream": lambda self: work(self)})
    assert b"data: one" in (await ask(handler)).body


async def test_detached_stream_ends_and_is_freed() -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()

    class Detaching(web.EventSourceHandler):
        async def stream(self) -> None:
            alive.add(self)
            await self.send_event("x")
            self.detach().close()

    async with serving(web.Application([("/", Detaching)])) as server:
        with gc_disabled():
            client = await open_stream(server)
            await client.peer.rest()
            for _ in range(20):
                if not alive:
                    break
                await asyncio.sleep(0)
            assert not alive
