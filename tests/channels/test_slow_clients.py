"""Clients of a `ChannelHandler` that read too slowly, with each policy."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from tests.support.channels import ChannelServer, Open, SocketClient, serving_channels
from tornado.channels import Message, Position, SlowPolicy
from tornado.channels._limits import ClientLimits, RequestCounter, count_request
from tornado.channels._slow_clients import SlowReceiver

BLOCK = "x" * 10_000
#: Smaller buffers of the kernel would delay each segment.
BUFFER = 64 * 1024


def handler_with(action: str, limit: int = 50_000) -> Any:
    """Return a handler whose kernel buffers are small, so that few messages fill them."""

    class Handler(Open):
        def slow_policy(self, channel: str) -> SlowPolicy:
            return SlowPolicy(action, limit)  # type: ignore[arg-type]

        def open(self, *args: str, **kwargs: str) -> None:
            super().open(*args, **kwargs)
            connection: Any = self.ws_connection
            connection.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)

    return Handler


async def connect(server: ChannelServer) -> SocketClient:
    client = await server.connect()
    client.client.peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    await client.subscribe("a")
    return client


async def publish(server: ChannelServer, count: int, keys: int = 1) -> None:
    for number in range(count):
        await server.hub.publish("a", [number, BLOCK], key=f"k{number % keys}")
        await asyncio.sleep(0)


async def test_close_disconnects_and_client_resumes_without_loss(loop_kind: str) -> None:
    async with serving_channels(handler_with("close")) as server:
        client, other = await connect(server), await connect(server)
        client.client.stop_reading()
        for number in range(400):
            await server.hub.publish("a", [number, BLOCK])
            assert (await other.receive())["data"][0] == number
        assert len(server.sessions) == 1
        client.client.read_on()
        numbers, position = [], ""
        while isinstance(event := await client.client.event(), str):
            message = json.loads(event)
            numbers.append(message["data"][0])
            position = message["position"]
        assert event.code == 1013
        again = await server.connect()
        await again.subscribe("a", position=position)
        numbers += [(await again.receive())["data"][0] for _ in range(400 - len(numbers))]
        assert numbers == list(range(400))


async def test_skip_reports_what_is_left_out_as_gap(loop_kind: str) -> None:
    async with serving_channels(handler_with("skip")) as server:
        client = await connect(server)
        client.client.stop_reading()
        await publish(server, 400)
        client.client.read_on()
        offsets: list[int] = []
        missed = 0
        while missed + len(offsets) < 400:
            found = await client.receive()
            if found["type"] == "gap":
                assert int(found["after"].rpartition(":")[2]) == missed + len(offsets)
                missed += found["missed"]
            else:
                offsets.append(int(found["position"].rpartition(":")[2]))
                assert offsets[-1] == missed + len(offsets)
        assert missed > 0
        await server.hub.publish("a", "live")
        assert (await client.receive())["data"] == "live"


async def test_latest_sends_last_message_of_each_key(loop_kind: str) -> None:
    async with serving_channels(handler_with("latest", 100_000)) as server:
        client = await connect(server)
        client.client.stop_reading()
        await publish(server, 400, keys=3)
        client.client.read_on()
        numbers: list[int] = []
        while not numbers or numbers[-1] != 399:
            found = await client.receive()
            assert found["type"] == "message"
            numbers.append(found["data"][0])
        assert numbers == sorted(numbers)
        assert numbers[-3:] == [397, 398, 399]
        assert len(numbers) < 400
        await server.hub.publish("a", "live")
        assert (await client.receive())["data"] == "live"


async def test_latest_with_too_many_keys_disconnects(loop_kind: str) -> None:
    async with serving_channels(handler_with("latest")) as server:
        client = await connect(server)
        client.client.stop_reading()
        await publish(server, 400, keys=400)
        assert server.sessions == []
        client.client.read_on()
        assert (await client.closed())[0] == 1013


async def test_slow_client_that_disconnects_leaves_nothing(loop_kind: str) -> None:
    async with serving_channels(handler_with("skip")) as server:
        client = await connect(server)
        client.client.stop_reading()
        await publish(server, 400)
        assert server.hub.position("a") is not None
        client.client.drop()
        await server.has_sessions(0)
        assert server.hub.position("a") is None  # there is no receiver


def test_requests_are_counted_on_average() -> None:
    limits = ClientLimits(rate=2.0, burst=3)
    free_at, waits = 0.0, []
    for now in (10.0, 10.0, 10.0, 10.0, 10.5, 10.5, 20.0):
        free_at, wait = count_request(limits, free_at, now)
        waits.append(wait)
    assert waits == [0, 0, 0, 0.5, 0, 0.5, 0]


def publish_as(counter: RequestCounter, limits: ClientLimits, user: str, now: float) -> float:
    return counter.count_publication(limits, user, "192.0.2.1", now)


def test_counter_forgets_users_that_have_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tornado.channels._limits._MAX_ALLOWANCES", 2)
    counter, limits = RequestCounter(), ClientLimits(rate=1.0, burst=1)
    assert [publish_as(counter, limits, "a", 1.0) for _ in range(2)] == [0, 1.0]
    assert [publish_as(counter, limits, name, 5.0) for name in "bcd"] == [0, 0, 0]
    assert publish_as(counter, limits, "d", 5.0) == 1.0
    assert publish_as(counter, limits, "a", 5.0) == 0


def test_counter_of_users_that_are_all_active_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have sent the most are not forgotten."""
    monkeypatch.setattr("tornado.channels._limits._MAX_ALLOWANCES", 4)
    counter, limits = RequestCounter(), ClientLimits(rate=0.1, burst=2)
    assert [publish_as(counter, limits, "most active", 1.0) for _ in range(2)] == [0, 0]
    for number in range(100):
        assert publish_as(counter, limits, f"other {number}", 1.0) == 0
    assert [publish_as(counter, limits, "other 0", 1.0) for _ in range(2)] == [0, 0]  # forgotten
    assert publish_as(counter, limits, "most active", 1.0) > 0


def test_many_client_ids_do_not_displace_the_count_of_their_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tornado.channels._limits._MAX_ALLOWANCES", 4)
    counter, limits = RequestCounter(), ClientLimits(rate=0.01, burst=1, clients_per_user=10)
    waits = [counter.count_reception(limits, "ada", "", f"client {number}", 1.0) for number in range(100)]
    assert waits[:10] == [0] * 10
    assert all(waits[10:])


@pytest.mark.parametrize(
    ("first", "second", "are_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
    ],
)
def test_clients_without_a_user_are_counted_by_address(first: str, second: str, are_one: bool) -> None:
    counter, limits = RequestCounter(), ClientLimits(rate=1.0, burst=1, clients_per_address=1)
    assert counter.count_publication(limits, None, first, 1.0) == 0
    assert (counter.count_publication(limits, None, second, 1.0) > 0) is are_one
    assert counter.count_reception(limits, None, first, "client 1", 1.0) == 0
    assert (counter.count_reception(limits, None, second, "client 2", 1.0) > 0) is are_one
    assert counter.count_publication(limits, first or "ada", first, 1.0) == 0  # a user with this name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SlowPolicy("drop"), "action must be one of 'close', 'skip', 'latest', got 'drop'"),  # type: ignore[arg-type]
        (lambda: SlowPolicy(limit=0), "limit must be a positive number of bytes, got 0"),
        (lambda: ClientLimits(rate=-1), "rate must be a positive number, got -1"),
    ],
)
def test_invalid_limit_is_rejected(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_latest_messages_of_many_keys_are_limited() -> None:
    overflows: list[bool] = []
    slow = SlowReceiver("c", Position("e", 0), "latest", 64 * 1024, lambda: overflows.append(True))
    for number in range(1, 2001):
        slow.deliver([Message("c", b"1", Position("e", number), f"{number:0>190}")])
    assert overflows == [True]
    assert slow.take() == []
