"""What a program publishes after it has subscribed, with each broker."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.brokers import KINDS, broker_url
from tornado.channels import Hub, create_broker


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
