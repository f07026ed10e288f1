"""Clients of `ChannelHandler` that move between two workers, which are connected by Redis."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.channels import ChannelServer, Open, serving_channels
from tests.support.server import ExpectLog
from tornado.channels import Gap, Hub, Identity, Message, RedisBroker, connect, revoke

COUNT = 150


class Users(Open):
    """A handler whose tokens are the names of the users."""

    def authenticate(self, token: str | None) -> Identity:
        return Identity(token)


@contextlib.asynccontextmanager
async def workers(redis_server: Any) -> AsyncIterator[tuple[ChannelServer, ChannelServer]]:
    """Serve the same channels twice, with two hubs."""
    redis_server.start()
    redis_server.flush()
    async with (
        serving_channels(Users, Hub(RedisBroker(redis_server.url))) as one,
        serving_channels(Users, Hub(RedisBroker(redis_server.url))) as two,
    ):
        yield one, two


def url_of(server: ChannelServer) -> str:
    return f"http://127.0.0.1:{server.server.port}/channels"


@pytest.mark.parametrize("transport", ["websocket", "stream", "poll"])
async def test_client_that_changes_workers_receives_each_message_once(
    redis_server: Any, transport: str
) -> None:
    randomness = random.Random(transport)
    async with workers(redis_server) as servers:

        async def receive() -> list[int]:
            numbers: list[int] = []
            position = None
            while len(numbers) < COUNT:
                url = url_of(randomness.choice(servers))
                async with connect(url, transports=[transport], token="a") as client:
                    await client.subscribe("a", position or start)
                    for _ in range(randomness.randint(1, 40)):
                        item = await anext(client)
                        assert isinstance(item, Message), item
                        numbers.append(item.data)
                        position = item.position
                        if len(numbers) == COUNT:
                            break
            return numbers

        start = await servers[0].hub.publish("a", "start")
        receivers = [asyncio.ensure_future(receive()) for _ in range(4)]
        for number in range(COUNT):
            await servers[number % 2].hub.publish("a", number)
        for numbers in await asyncio.gather(*receivers):
            assert numbers == list(range(COUNT))


async def test_revocation_and_presence_reach_other_worker(redis_server: Any) -> None:
    async with workers(redis_server) as (one, two):
        async with (
            connect(url_of(one), token="alice") as alice,
            connect(url_of(two), token="bob") as bob,
        ):
            await bob.subscribe("a", watch=True)
            await alice.subscribe("a", join=1)
            change: Any = await anext(bob)
            assert list(change.joined) == ["alice"]
            await revoke(two.hub, "alice", "a")
            ended: Any = await anext(alice)
            assert (ended.channel, ended.code) == ("a", "revoked")
            change = await anext(bob)
            assert list(change.left) == ["alice"]


async def test_lost_history_is_reported_as_gap(redis_server: Any, expect_log: ExpectLog) -> None:
    async with workers(redis_server) as (one, two):
        async with connect(url_of(one), token="alice", transports=["stream"]) as client:
            await client.subscribe("a")
            before = await one.hub.publish("a", 1)
            first: Any = await anext(client)
            with expect_log("tornado.general", "The connection to Redis"):
                redis_server.stop()
                redis_server.start()
                after = await one.hub.publish("a", 2, timeout=20)
                while one.hub.disconnected_for or two.hub.disconnected_for:
                    await asyncio.sleep(0.01)
            assert first.position == before
            gap = await anext(client)
            assert isinstance(gap, Gap)
            assert gap.after == before
            assert gap.missed is None
            found: Any = await anext(client)
            assert (found.data, found.position) == (2, after)
