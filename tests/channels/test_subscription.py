"""What a program publishes after it has subscribed, and channels that do not exist, with each broker."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.brokers import KINDS, broker_url
from tests.support.channels import stream_names
from tornado.channels import History, Hub, Position, create_broker


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str:
    return broker_url(request)


@pytest.mark.parametrize("method", [Hub.subscribe, Hub.subscribe_pattern])
async def test_first_messages_inside_of_the_block_are_received(url, method):
    async with Hub(create_broker(url)) as hub:
        for number in range(20):
            channel = f"own {number}"
            async with method(hub, channel) as messages:
                await hub.send(channel, "ephemeral")
                await hub.publish(channel, number)
                assert [(await anext(messages)).data for _ in range(2)] == ["ephemeral", number]


async def test_replies_on_private_channels_are_received(url):
    """The client and the server are in different processes."""

    async def serve(hub: Hub, ready: asyncio.Event) -> None:
        async with hub.subscribe("requests") as requests:
            ready.set()
            async for request in requests:
                reply, value = request.data
                await hub.send(reply, value + 1)

    async with Hub(create_broker(url)) as hub:
        other = hub if url == "memory:" else Hub(create_broker(url))
        if other is not hub:
            await other.start()
        ready = asyncio.Event()
        server = asyncio.ensure_future(serve(other, ready))
        await ready.wait()
        for number in range(20):
            reply = f"reply {number}"
            async with hub.subscribe(reply) as replies:
                await hub.publish("requests", [reply, number])
                assert (await anext(replies)).data == number + 1
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
        await other.close()


async def test_reading_and_subscribing_create_nothing(request, url):
    """Clients may subscribe to any name. None of these must remain in the broker."""
    async with Hub(create_broker(url)) as hub, Hub(create_broker(url)) as other:
        await hub.publish("exists", 1)
        before = await objects_of(request, url, hub)
        for number in range(20):
            channel = f"invented {number}"
            head = await hub.head(channel)
            async with hub.subscribe(channel), other.subscribe(channel, head):
                await hub.read_history([channel], 1.0)
        async with hub.subscribe_pattern("invented*"):
            assert set(await hub.broker.channels("*")) == {"exists"}
        await hub.broker.heads([f"invented {number}" for number in range(30)], lambda channel: History())
        assert await objects_of(request, url, hub) == before


async def objects_of(request, url, hub):
    """Return what the broker stores."""
    if url == "memory:":
        return set(await hub.broker.channels("*"))
    if url.startswith("redis:"):
        return request.getfixturevalue("redis_server").run("KEYS *")
    return await stream_names(hub)


@pytest.mark.parametrize("positions", ["of the same process", "of another process"])
async def test_channel_that_is_created_later_has_no_gap(url, positions):
    """Any process may have read that it does not exist, and any may create it."""
    async with Hub(create_broker(url)) as hub:
        other = hub if url == "memory:" or positions == "of the same process" else Hub(create_broker(url))
        if other is not hub:
            await other.start()
        heads = [await hub.head("c"), await other.head("c")]
        async with hub.subscribe("c") as live, hub.subscribe_pattern("*") as matching:
            async with hub.subscribe("c", heads[0]), other.subscribe("c", heads[1]) as late:
                position = await other.publish("c", 1)
                assert position.offset == 1
                for messages in (live, matching, late):
                    assert (await anext(messages)).position == position
        for head in heads:
            async with hub.subscribe("c", head) as messages:
                assert (await anext(messages)).position == position
        await other.close()


async def test_position_before_an_earlier_channel_of_the_name_has_a_gap(url):
    """The time for which a channel exists at least has passed, so another one may have ended."""
    async with Hub(create_broker(url)) as hub:
        absent = await hub.head("c")
        run, _, time = absent.epoch.removeprefix("~").rpartition(".")
        old = Position(f"~{run}.{int(time, 16) - 50_000_000:x}", 0)
        foreign = Position(f"~other.{time}", 0)
        malformed = Position(f"~{run}.{'f' * 90}", 0)
        await hub.publish("c", 1)
        for position in (old, foreign, malformed, Position(absent.epoch, 1)):
            async with hub.subscribe("c", position) as messages:
                gap = await anext(messages)
                assert (gap.after, gap.until.offset, gap.missed) == (position, 0, None)
                assert (await anext(messages)).data == 1
