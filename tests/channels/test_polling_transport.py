"""The delivery of messages to many polls: slices, order, and polls that end or begin between them."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.channels import ChannelServer, serving_channels
from tests.support.observation import restored_process
from tests.support.streams import record_sends
from tornado._loop import time_sliced_queue
from tornado.channels._polling_transport import Poll
from tornado.web._observation._in_flight import describe_requests
from tornado.web._observation._snapshot import take_snapshot

#: The number of polls that are woken in the first iteration, and in each later one.
FIRST, LATER = 4, 1


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_sliced_queue, "_MAX_BATCH", LATER)


async def are_waiting(server: ChannelServer, count: int) -> None:
    """Wait until this number of polls waits for messages: a session exists before that."""
    while sum(server.hub.subscriber_counts()) != count:
        await asyncio.sleep(0)


def begin(server: ChannelServer, position: str, count: int) -> list[asyncio.Future[Any]]:
    """Begin polls."""
    wanted = [{"channel": "a", "position": position}]
    return [asyncio.ensure_future(server.poll(subscribe=wanted)) for _ in range(count)]


async def test_other_callbacks_run_between_the_responses_to_polls(
    loop_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving_channels() as server:
        polls = begin(server, str(await server.hub.head("a")), 20)
        await are_waiting(server, 20)
        sends = record_sends(monkeypatch)
        await server.hub.publish("a", 1)
        counts = [0]
        while counts[-1] < 20:
            await asyncio.sleep(0)
            counts.append(len(sends))
        assert max(after - before for before, after in pairwise(counts)) <= FIRST
        for found in await asyncio.gather(*polls):
            assert [each["data"] for each in found] == [1]


async def test_polls_between_slices_lose_and_double_nothing(loop_kind: str) -> None:
    async with serving_channels() as server:
        start = str(await server.hub.head("a"))
        polls = begin(server, start, 12)
        gone = await server.server.connect()
        request = {"type": "poll", "subscribe": [{"channel": "a", "position": start}]}
        gone.get(f"/channels?request={quote(json.dumps(request))}")
        await are_waiting(server, 13)
        await server.hub.publish("a", 1)
        await server.has_sessions(13 - FIRST)  # the responses of the first slice
        await gone.close()
        polls += begin(server, start, 1)
        await server.hub.publish("a", 2)
        firsts = await asyncio.gather(*polls)
        sizes = {len(found) for found in firsts}
        assert sizes == {1, 2}  # the later slices contain both messages
        for found in firsts:
            rest = []
            if len(found) == 1:
                rest = await server.poll(subscribe=[{"channel": "a", "position": found[-1]["position"]}])
            assert [each["data"] for each in (*found, *rest)] == [1, 2]
        await server.has_sessions(0)


async def test_message_before_the_wait_ends_it() -> None:
    poll = Poll()
    assert poll.add(b"{}") is False  # nothing to wake
    assert poll.is_ready
    await poll.wait(50)
    assert poll.response() == b'{"messages":[{}],"retry":0}'


@pytest.mark.parametrize(("retry", "shortest", "longest"), [(None, 1, 5000), (2000, 1000, 3000), (0, 0, 0)])
async def test_polls_that_a_drain_ends_are_repeated_at_different_times(
    loop_kind: str, retry: int | None, shortest: int, longest: int
) -> None:
    async with serving_channels() as server:
        position = str(await server.hub.head("a"))
        wanted = [{"channel": "a", "position": position}]
        polls = [asyncio.ensure_future(server.post(type="poll", subscribe=wanted)) for _ in range(40)]
        await are_waiting(server, 40)
        await server.server.server.drain(5, retry=retry)
        found = [json.loads(response.body)["retry"] for response in await asyncio.gather(*polls)]
        assert all(shortest <= each <= longest for each in found)
        if longest:
            middle = (shortest + longest) / 2
            assert min(found) < middle < max(found)
            assert len(set(found)) > 10


async def test_polls_and_streams_wait_by_design() -> None:
    with restored_process():
        await check_waiting()


async def check_waiting() -> None:
    async with serving_channels(metrics=True) as server:
        observer: Any = server.server.server.request_callback.observer  # type: ignore[attr-defined]
        position = str(await server.hub.head("a"))
        polls = begin(server, position, 2)
        await are_waiting(server, 2)
        stream = await server.stream(subscribe=[{"channel": "a", "position": position}])
        connections = take_snapshot(observer)["gauges"]["tornado.connections"]
        assert {name: connections[name] for name in ("active", "waiting", "event_stream")} == {
            "active": 0,
            "waiting": 2,
            "event_stream": 1,
        }
        assert [each["is_waiting"] for each in describe_requests(observer)] == [True] * 3
        await server.hub.publish("a", 1)
        await asyncio.gather(*polls)
        await stream.peer.close()
