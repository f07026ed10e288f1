"""The delivery of messages to many event streams: slices, order, and clients that leave or join."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from tests.support.channels import ChannelServer, Open, StreamClient, serving_channels
from tests.support.streams import record_sends
from tests.support.websocket_internals import suspend_broadcasts
from tornado.channels import Message, SlowPolicy
from tornado.channels._values import Position
from tornado.web._sse._event_stream import EventStream
from tornado.web._sse._sse_delivery import EncodedEvent
from tornado.websocket import _broadcast_scheduler


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


async def subscribed(server: ChannelServer, position: str, count: int = 1) -> list[StreamClient]:
    """Return clients that have received all that precedes their messages."""
    streams = [await server.stream(subscribe=[{"channel": "a", "position": position}]) for _ in range(count)]
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
