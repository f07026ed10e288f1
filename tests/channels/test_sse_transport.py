"""The delivery of messages to many event streams: slices, order, and clients that leave or join."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.support.asgi import Call, calls
from tests.support.channels import PATTERN, ChannelServer, Open, StreamClient, serving_channels
from tests.support.streams import record_sends
from tests.support.websocket_internals import suspend_broadcasts
from tornado import web
from tornado.asgi import ASGIAdapter
from tornado.asgi._exchange import ASGIExchange
from tornado.channels import Hub, MemoryBroker, Message, SlowPolicy
from tornado.channels._values import Position
from tornado.web._sse._event_stream import EventStream
from tornado.web._sse._sse_delivery import EncodedEvent
from tornado.websocket import _broadcast_scheduler


class Compressed(Open):
    """A handler with compressed streams. It counts its calls of `flush` while `is_counting`."""

    compress_events = True
    is_counting = False
    flushes = 0

    def flush(self, include_footers: bool = False) -> Any:
        Compressed.flushes += Compressed.is_counting
        return super().flush(include_footers)


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count the calls of `Compressed.flush` from the first call of the returned function on."""
    monkeypatch.setattr(Compressed, "flushes", 0)
    monkeypatch.setattr(Compressed, "is_counting", False)

    def count() -> int:
        Compressed.is_counting = True
        return Compressed.flushes

    return count


@pytest.fixture
def one_stream_per_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the scheduler end each of its iterations after one stream."""
    monkeypatch.setattr(_broadcast_scheduler, "TIME_PER_ITERATION", 0.0)
    monkeypatch.setattr(_broadcast_scheduler, "CONNECTIONS_PER_CHECK", 1)
    monkeypatch.setattr("tornado.channels._sse_transport.CONNECTIONS_PER_CHECK", 1)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list of the streams that have collected output, in the order of their release."""
    streams: list[Any] = []
    release = EventStream.release_output

    def record(stream: EventStream) -> None:
        streams.append(stream)
        release(stream)

    monkeypatch.setattr(EventStream, "release_output", record)
    return streams


async def subscribed(
    server: ChannelServer, position: str, count: int = 1, *fields: str
) -> list[StreamClient]:
    """Return clients that have received all that precedes their messages."""
    wanted = [{"channel": "a", "position": position}]
    streams = [await server.stream(*fields, subscribe=wanted) for _ in range(count)]
    for stream in streams:
        assert [(await stream.receive())["type"] for _ in range(2)] == ["connected", "subscribed"]
    return streams


async def data_of(stream: StreamClient, count: int) -> list[Any]:
    """Return the data of the next messages."""
    return [(await stream.receive())["data"] for _ in range(count)]


@pytest.mark.usefixtures("one_stream_per_iteration")
async def test_other_callbacks_run_between_the_streams_of_a_message(
    loop_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving_channels() as server:
        streams = await subscribed(server, str(await server.hub.head("a")), 6)
        sends = record_sends(monkeypatch)
        await server.hub.publish("a", 1)
        counts = [0]
        while counts[-1] < 6:
            await asyncio.sleep(0)
            counts.append(len(sends))
        assert {after - before for before, after in pairwise(counts)} <= {0, 1}
        assert [await data_of(stream, 1) for stream in streams] == [[1]] * 6
        assert len({data for _, data in sends}) == 1


@pytest.mark.usefixtures("one_stream_per_iteration")
async def test_messages_published_between_slices_arrive_once_and_in_order(
    loop_kind: str, held: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving_channels() as server:
        streams = await subscribed(server, str(await server.hub.head("a")), 5)
        sends = record_sends(monkeypatch)
        for number in range(20):
            await server.hub.publish("a", number)
            await asyncio.sleep(0)
        assert [await data_of(stream, 20) for stream in streams] == [[*range(20)]] * 5
        await server.hub.publish("a", "last")
        assert [await data_of(stream, 1) for stream in streams] == [["last"]] * 5
        assert held
        assert len(sends) < 5 * 21  # messages that wait together are sent together


@pytest.mark.usefixtures("one_stream_per_iteration")
async def test_streams_that_join_or_end_between_slices_lose_and_double_nothing(
    loop_kind: str, held: list[Any]
) -> None:
    async with serving_channels() as server:
        start = str(await server.hub.head("a"))
        streams = await subscribed(server, start, 6)
        sessions = server.sessions
        await server.hub.publish("a", 1)
        while not held:  # the first slice; four streams wait
            await asyncio.sleep(0)
        gone, finished = streams.pop(), streams.pop()
        gone.peer.writer.transport.abort()
        sessions[4].close(1012, "restart")
        joining = asyncio.ensure_future(subscribed(server, start))
        await server.hub.publish("a", 2)
        [joined] = await joining
        await server.hub.publish("a", 3)
        assert [await data_of(stream, 3) for stream in (*streams, joined)] == [[1, 2, 3]] * 5
        assert await data_of(finished, 1) == [1]
        assert await finished.event() is None
        await server.has_sessions(5)
        await server.hub.publish("a", 4)
        assert [await data_of(stream, 1) for stream in (*streams, joined)] == [[4]] * 5


async def test_output_of_one_iteration_is_not_unsent_output(
    loop_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Handler(Open):
        def slow_policy(self, channel: str) -> SlowPolicy:
            return SlowPolicy("close", 1000)

    async with serving_channels(Handler) as server:
        [stream] = await subscribed(server, str(await server.hub.head("a")))
        [connection] = server.server.connections
        collected = []
        send = EventStream.send

        def record(self: EventStream, event: EncodedEvent, now: float) -> None:
            send(self, event, now)
            collected.append(connection.stream.corked_size)

        monkeypatch.setattr(EventStream, "send", record)
        position = await server.hub.publish("a", 0)
        for number in range(1, 30):  # 300 kB in one iteration
            position = Position(position.epoch, position.offset + 1)
            server.hub.received(Message("a", b'["%b", %d]' % (b"x" * 10_000, number), position))
        found = await data_of(stream, 30)
        assert [each[1] for each in found[1:]] == [*range(1, 30)]
        assert 50_000 < max(collected) < 64 * 1024


async def test_replies_do_not_wait_for_the_slices_of_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving_channels() as server:
        _ = await subscribed(server, str(await server.hub.head("a")), 3)
        with monkeypatch.context() as patch:
            suspend_broadcasts(patch)
            await server.hub.publish("a", 1)
            [stream] = await subscribed(server, str(await server.hub.head("a")))
        assert stream.response.code == 200


# -- streams whose events pass through the handler --


@contextlib.asynccontextmanager
async def compressed(count: int) -> AsyncIterator[tuple[ChannelServer, list[StreamClient]]]:
    """Yield a server, and clients with compressed streams."""
    async with serving_channels(Compressed, compress_response=True) as server:
        position = str(await server.hub.head("a"))
        streams = await subscribed(server, position, count, "Accept-Encoding: gzip")
        assert {each.response.get("content-encoding") for each in streams} == {"gzip"}
        yield server, streams


@pytest.mark.usefixtures("one_stream_per_iteration")
async def test_compressed_streams_are_sent_to_in_slices(loop_kind: str, flushes: Callable[[], int]) -> None:
    async with compressed(6) as (server, streams):
        counts = [flushes()]
        await server.hub.publish("a", 1)
        while counts[-1] < 6:
            await asyncio.sleep(0)
            counts.append(flushes())
        assert {after - before for before, after in pairwise(counts)} <= {0, 1}
        assert [await data_of(stream, 1) for stream in streams] == [[1]] * 6


@pytest.mark.usefixtures("one_stream_per_iteration")
async def test_messages_that_wait_together_are_compressed_together(
    loop_kind: str, flushes: Callable[[], int]
) -> None:
    async with compressed(5) as (server, streams):
        _ = flushes()
        for number in range(20):
            await server.hub.publish("a", number)
            await asyncio.sleep(0)
        assert [await data_of(stream, 20) for stream in streams] == [[*range(20)]] * 5
        assert flushes() < 5 * 20
        await server.hub.publish("a", "last")
        assert [await data_of(stream, 1) for stream in streams] == [["last"]] * 5


@pytest.mark.usefixtures("one_stream_per_iteration")
async def test_compressed_stream_that_ends_between_slices_sends_everything(
    loop_kind: str, held: list[Any]
) -> None:
    async with compressed(4) as (server, streams):
        sessions = server.sessions
        await server.hub.publish("a", 1)
        while not held:
            await asyncio.sleep(0)
        sessions[3].close(1012, "restart")
        assert await data_of(streams[3], 1) == [1]
        assert await streams[3].event() is None
        assert [await data_of(stream, 1) for stream in streams[:3]] == [[1]] * 3


@pytest.mark.usefixtures("one_stream_per_iteration")
async def test_failure_of_a_handler_between_slices_ends_only_its_stream(
    loop_kind: str, monkeypatch: pytest.MonkeyPatch, expect_log: Any
) -> None:
    async with compressed(4) as (server, streams):
        failing = server.sessions[2]
        flush = Compressed.flush

        def fail(self: Compressed, include_footers: bool = False) -> Any:
            if self.http_session is failing:
                raise RuntimeError("flush has failed")
            return flush(self, include_footers)

        monkeypatch.setattr(Compressed, "flush", fail)
        with expect_log("tornado.application", "Exception while events were sent to <EventStream"):
            await server.hub.publish("a", 1)
            await server.has_sessions(3)
        assert [await data_of(streams[number], 1) for number in (0, 1, 3)] == [[1]] * 3
        with pytest.raises(asyncio.IncompleteReadError):
            await streams[2].event()


@pytest.mark.usefixtures("one_stream_per_iteration")
async def test_streams_of_an_asgi_server_are_sent_to_in_slices(
    loop_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Hub(MemoryBroker()) as hub:
        adapter = ASGIAdapter(web.Application([(PATTERN, Open, {"hub": hub})]))
        subscription = {"channel": "a", "position": str(await hub.head("a"))}
        request = json.dumps({"type": "stream", "subscribe": [subscription]}).encode()
        fields = [(b"host", b"example.com"), (b"content-type", b"application/json")]
        async with calls(adapter) as call:
            clients = [call("POST", "/channels", request, headers=fields) for _ in range(6)]
            for client in clients:
                assert await types_of(client, 2) == ["connected", "subscribed"]
            sent: list[Any] = []
            put_body = ASGIExchange.put_body
            monkeypatch.setattr(
                ASGIExchange, "put_body", lambda self, part: (sent.append(part), put_body(self, part))[1]
            )
            await hub.publish("a", 1)
            counts = [0]
            while counts[-1] < 6:
                await asyncio.sleep(0)
                counts.append(len(sent))
            assert {after - before for before, after in pairwise(counts)} <= {0, 1}
            assert [await types_of(client, 1) for client in clients] == [["message"]] * 6


async def types_of(client: Call, count: int) -> list[str]:
    """Return the types of the next objects in the body of a response."""
    found: list[str] = []
    while len(found) < count:
        body = (await client.take()).get("body", b"")
        found += [json.loads(line[6:])["type"] for line in body.splitlines() if line.startswith(b"data: ")]
    return found
