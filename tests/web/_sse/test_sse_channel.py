"""Channels: delivery to many streams, the history, and clients that do not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from tests.support.server import ExpectLog, serving
from tests.support.sse import bypass_nothing, is_over, set_finished, stream_of
from tests.web._sse.test_sse_handler import Client, open_stream
from tornado import web
from tornado._wire.sse import Event
from tornado.web._sse import _sse_delivery
from tornado.web._sse._event_stream import EventStream
from tornado.web._sse._sse_channel import delivery_of
from tornado.web._sse._sse_delivery import EncodedEvent


class Source(web.EventSourceHandler):
    """A stream that subscribes to the channels in the application's settings."""

    keep_alive = 0
    max_unsent = 100_000

    def open(self) -> None:
        self.settings["sources"].append(self)
        for channel in self.settings["channels"]:
            self.subscribe(channel, backlog=int(self.get_argument("backlog", "0")))

    def on_finish(self) -> None:
        self.settings["ended"].set()


@asynccontextmanager
async def broadcasting(*channels: web.EventChannel, **options: Any) -> AsyncIterator[Any]:
    application = web.Application([("/", Source)], channels=channels, sources=[], ended=asyncio.Event())
    async with serving(application, **options) as server:
        server.handlers = application.settings["sources"]
        server.ended = application.settings["ended"]
        yield server


async def test_all_subscribers_receive_all_events(loop_kind: str, tls: Any) -> None:
    channel = web.EventChannel()
    async with broadcasting(channel, tls=tls) as server:
        channel.publish("before the first subscription")
        clients = [await open_stream(server) for _ in range(5)]
        assert len(channel) == 5
        first = channel.publish({"n": 1}, event="number")
        second = channel.publish("two\nlines", id="mine")
        assert second == "mine"
        for client in clients:
            assert await client.events(2) == [
                Event('{"n": 1}', "number", first),
                Event("two\nlines", id="mine"),
            ]
        await clients[0].peer.close()
        await server.ended.wait()
        assert len(channel) == 4
        assert bool(channel)
        channel.publish("three")
        for client in clients[1:]:
            assert await client.data(1) == ["three"]


@pytest.mark.parametrize("limits", [{"BATCH": 2}, {"MAX_TIME": 0.0, "SUBSCRIBERS_PER_CHECK": 2}])
async def test_delivery_in_several_iterations(
    monkeypatch: pytest.MonkeyPatch, limits: dict[str, float]
) -> None:
    """The event loop runs between batches, and events published in the meantime arrive in order."""
    for name, value in limits.items():
        monkeypatch.setattr(_sse_delivery, name, value)
    channel = web.EventChannel()
    async with broadcasting(channel) as server:
        clients = [await open_stream(server) for _ in range(5)]
        for number in range(6):
            channel.publish(str(number))
            if number % 2:
                await asyncio.sleep(0)
        for client in clients:
            got: list[str] = []
            while len(got) < 6:
                client.parser.receive_data(await client.chunk())
                while (event := client.parser.next_event()) is not None:
                    got.append(event.data)
            assert got == list("012345")


async def test_delivery_yields_to_the_event_loop_if_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sse_delivery, "MAX_TIME", 0.0)
    monkeypatch.setattr(_sse_delivery, "SUBSCRIBERS_PER_CHECK", 1)
    served: list[EventStream] = []
    send = EventStream.send

    def record(self: EventStream, event: EncodedEvent, now: float) -> None:
        served.append(self)
        send(self, event, now)

    channel = web.EventChannel()
    async with broadcasting(channel) as server:
        clients = [await open_stream(server) for _ in range(4)]
        monkeypatch.setattr(EventStream, "send", record)
        channel.publish("one")
        counts = [0]
        while counts[-1] < 4:
            await asyncio.sleep(0)
            counts.append(len(served))
        assert {after - before for before, after in pairwise(counts)} <= {0, 1}
        assert [await collected(client, 1) for client in clients] == [["one"]] * 4


@pytest.mark.parametrize("history", [0, 1, 3])
async def test_burst_longer_than_the_history(history: int) -> None:
    """Clients that read receive all events."""
    channel = web.EventChannel(history)
    async with broadcasting(channel) as server:
        clients = [await open_stream(server) for _ in range(3)]
        for number in range(10):
            channel.publish(str(number))
        for client in clients:
            assert await collected(client, 10) == [str(number) for number in range(10)]


async def collected(client: Client, count: int) -> list[str]:
    """Read `count` events, in any number of chunks, and return their data."""
    got: list[str] = []
    while len(got) < count:
        client.parser.receive_data(await client.chunk())
        while (event := client.parser.next_event()) is not None:
            got.append(event.data)
    return got


# -- the history --


@pytest.mark.parametrize(
    ("last", "backlog", "expected"),
    [
        ("", 0, []),
        ("", 2, ["4", "5"]),
        ("", 9, ["3", "4", "5"]),
        ("id-5", 0, []),
        ("id-4", 0, ["5"]),
        ("id-2", 0, ["3", "4", "5"]),
        ("id-1", 0, ["3", "4", "5"]),
        ("of another run", 0, ["3", "4", "5"]),
        ("of another run", 1, ["3", "4", "5"]),
    ],
)
async def test_history_is_sent_to_late_subscribers(last: str, backlog: int, expected: list[str]) -> None:
    channel = web.EventChannel(history=3)
    for number in range(6):
        channel.publish(str(number), id=f"id-{number}")
    async with broadcasting(channel) as server:
        client = await open_stream(server, f"/?backlog={backlog}", f"Last-Event-ID: {last}")
        channel.publish("news")
        assert await collected(client, len(expected) + 1) == [*expected, "news"]


async def test_generated_ids_are_unique() -> None:
    channels = [web.EventChannel(), web.EventChannel()]
    ids = [channel.publish("x") for channel in channels for _ in range(3)]
    assert len(set(ids)) == 6
    async with broadcasting(channels[0]) as server:
        client = await open_stream(server, "/", f"Last-Event-ID: {ids[1]}")
        assert await client.events(1) == [Event("x", id=ids[2])]


async def test_no_history() -> None:
    channel = web.EventChannel(history=0)
    channel.publish("x", id="1")
    async with broadcasting(channel) as server:
        client = await open_stream(server, "/?backlog=5", "Last-Event-ID: unknown")
        channel.publish("y")
        assert await collected(client, 1) == ["y"]


async def test_repeated_id() -> None:
    channel = web.EventChannel(history=3)
    for data in "abcde":
        channel.publish(data, id="same" if data in "ad" else data)
    async with broadcasting(channel) as server:
        client = await open_stream(server, "/", "Last-Event-ID: same")
        assert await collected(client, 1) == ["e"]


async def test_two_channels_on_one_stream() -> None:
    channels = [web.EventChannel(), web.EventChannel()]
    async with broadcasting(*channels) as server:
        client = await open_stream(server)
        channels[1].publish("b")
        assert await collected(client, 1) == ["b"]
        channels[0].publish("a")
        assert await collected(client, 1) == ["a"]
        await client.peer.close()
        await server.ended.wait()
        assert [len(channel) for channel in channels] == [0, 0]


# -- clients that do not read --

LARGE = "x" * 1_000_000


async def fill(channel: web.EventChannel, handler: Any) -> int:
    """Publish until the handler's client is slow, and return the number of events."""
    for number in range(1000):
        if stream_of(handler).is_slow():
            return number
        channel.publish(f"{number} {LARGE}")
        while delivery_of(channel).is_scheduled:
            await asyncio.sleep(0)
    raise AssertionError("the kernel has accepted all data")


async def test_slow_client_receives_missed_events_later() -> None:
    channel = web.EventChannel(history=5)
    async with broadcasting(channel) as server:
        slow = await open_stream(server)
        slow.peer.writer.transport.pause_reading()
        count = await fill(channel, server.handlers[0])
        quick = await open_stream(server)
        unsent = stream_of(server.handlers[0]).unsent()
        for number in range(count, count + 3):
            channel.publish(f"{number} short")
            assert (await collected(quick, 1))[0] == f"{number} short"
        assert stream_of(server.handlers[0]).unsent() <= unsent  # no further output is buffered
        slow.peer.writer.transport.resume_reading()
        got = await collected(slow, count + 3)
        assert [int(data.partition(" ")[0]) for data in got] == list(range(count + 3))


async def test_slow_client_is_disconnected_if_history_is_exceeded() -> None:
    channel = web.EventChannel(history=2)
    async with broadcasting(channel) as server:
        slow = await open_stream(server)
        slow.peer.writer.transport.pause_reading()
        count = await fill(channel, server.handlers[0])
        for number in range(4):
            channel.publish(str(number))
            await asyncio.sleep(0)
        assert len(channel) == 1
        slow.peer.writer.transport.resume_reading()
        with pytest.raises((asyncio.IncompleteReadError, ValueError)):
            await collected(slow, count + 1)
        await server.ended.wait()
        assert len(channel) == 0


async def test_slow_client_is_disconnected_with_drop() -> None:
    channel = web.EventChannel(slow="drop")
    async with broadcasting(channel) as server:
        slow = await open_stream(server)
        slow.peer.writer.transport.pause_reading()
        await fill(channel, server.handlers[0])
        channel.publish("x")
        await server.ended.wait()
        assert len(channel) == 0


async def test_disconnect_of_slow_client() -> None:
    channel = web.EventChannel()
    async with broadcasting(channel) as server:
        slow = await open_stream(server)
        slow.peer.writer.transport.pause_reading()
        await fill(channel, server.handlers[0])
        channel.publish("x")
        await asyncio.sleep(0)
        assert delivery_of(channel).waiting
        slow.peer.writer.transport.abort()
        await server.ended.wait()
        assert not delivery_of(channel).waiting
        assert len(channel) == 0


async def test_exception_while_sending_affects_one_client(
    expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If sending to one client raises an exception, the other clients still receive the event."""
    channel = web.EventChannel()
    async with broadcasting(channel) as server:
        clients = [await open_stream(server) for _ in range(2)]

        def fail(*args: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(server.handlers[0], "write", fail)
        bypass_nothing(server.handlers[0])
        with expect_log("tornado.application", "Uncaught exception while sending an event"):
            channel.publish("x")
            assert await collected(clients[1], 1) == ["x"]
        assert await clients[0].peer.rest() == b""


async def test_close_finishes_streams() -> None:
    channel = web.EventChannel()
    async with broadcasting(channel) as server:
        clients = [await open_stream(server) for _ in range(2)]
        channel.close()
        for client in clients:
            assert await client.chunk() == b""
        assert len(channel) == 0


@pytest.mark.parametrize("how", ["close", "finish"])
async def test_events_published_before_the_end_are_sent(how: str) -> None:
    channel = web.EventChannel()
    async with broadcasting(channel) as server:
        client = await open_stream(server)
        channel.publish("bye")
        _ = channel.close() if how == "close" else server.handlers[0].finish()  # type: ignore[func-returns-value]
        assert await client.data(1) == ["bye"]
        assert await client.chunk() == b""
        assert len(channel) == 0


async def test_order_of_published_and_sent_events() -> None:
    channel = web.EventChannel()
    async with broadcasting(channel) as server:
        client = await open_stream(server)
        channel.publish("first")
        _ = server.handlers[0].send_event("second")
        assert await collected(client, 2) == ["first", "second"]
        channel.publish("third")
        assert await client.data(1) == ["third"]


async def test_close_finishes_client_that_missed_too_many_events() -> None:
    channel = web.EventChannel(history=2)
    async with broadcasting(channel) as server:
        slow = await open_stream(server)
        slow.peer.writer.transport.pause_reading()
        (handler,) = server.handlers
        await fill(channel, handler)
        for number in range(5):
            channel.publish(number)
        channel.close()
        assert len(channel) == 0
        assert is_over(handler)
        slow.peer.writer.transport.abort()
        await server.ended.wait()


async def test_finished_handler_is_removed() -> None:
    channel = web.EventChannel()
    async with broadcasting(channel) as server:
        client = await open_stream(server)
        (handler,) = server.handlers
        set_finished(handler, True)
        channel.publish("x")
        while len(channel):
            await asyncio.sleep(0)
        delivery_of(channel).attach(stream_of(handler), "", 0)
        channel.close()
        assert len(channel) == 0
        set_finished(handler, False)
        _ = handler.finish()
        assert await client.chunk() == b""


async def test_int_as_id() -> None:
    channel = web.EventChannel()
    assert channel.publish("x", id=5) == "5"
    assert delivery_of(channel).number_of("5") == 1
    with pytest.raises(TypeError, match="^event must"):
        channel.publish("x", event=5)  # type: ignore[arg-type]


# -- misuse --


@pytest.mark.parametrize("arguments", [{"history": -1}, {"slow": "never"}])
def test_invalid_arguments(arguments: Any) -> None:
    with pytest.raises(ValueError, match="history must be|slow must be"):
        web.EventChannel(**arguments)


@pytest.mark.parametrize("arguments", [{"id": ""}, {"id": "a\n"}, {"event": "a\rb"}])
def test_invalid_events(arguments: Any) -> None:
    channel = web.EventChannel()
    with pytest.raises(ValueError, match="must not be empty|must not contain"):
        channel.publish("x", **arguments)


async def test_publish_from_another_thread() -> None:
    channel = web.EventChannel()
    async with broadcasting(channel) as server:
        client = await open_stream(server)
        with pytest.raises(RuntimeError, match="no running event loop"):
            await asyncio.to_thread(channel.publish, "x")
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(loop.call_soon_threadsafe, channel.publish, "y")
        assert await collected(client, 1) == ["y"]
