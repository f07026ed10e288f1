"""docs/guide/channels.md."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.guides import Run
from tests.support.server import serving
from tornado import web
from tornado.channels import (
    ChannelHandler,
    ChannelRequestError,
    Hub,
    MemoryBroker,
    Message,
    NATSBroker,
    Position,
    RedisBroker,
    SubscriptionEnd,
    connect,
)


async def check_rooms(run: Run) -> None:
    """The page and its module are served; a client may publish in rooms only."""
    assert b"/channels/channels.js" in (await run.server.fetch("/")).body
    assert b"export { ChannelError, connect }" in (await run.server.fetch("/channels/channels.js")).body
    async with connect(f"http://127.0.0.1:{run.server.port}/channels") as client:
        await client.subscribe("room:7")
        position = await client.publish("room:7", "Hello")
        item = await anext(client)
        assert isinstance(item, Message)
        assert (item.data, item.position) == ("Hello", position)
        with pytest.raises(ChannelRequestError, match="forbidden"):
            await client.publish("hall", 1)


async def check_start(run: Run) -> None:
    async with Hub(MemoryBroker()) as hub:
        for number in range(5):
            await hub.publish("room:7", number)
        for count, first in ((2, 3), (9, 0)):
            start = Position.parse(await run.program["start_of"](hub, "room:7", count))
            async with hub.subscribe("room:7", start) as messages:
                assert (await anext(messages)).data == first


async def check_members(run: Run) -> None:
    """A member may enter with a token until the membership ends; others are refused."""
    url = f"http://127.0.0.1:{run.server.port}/channels"
    application = run.program["application"]
    secret = application.settings["cookie_secret"]

    async def token(user: str) -> str:
        cookie = web.create_signed_value(secret, "user", user).decode()
        return (await run.server.fetch("/token", f"Cookie: user={cookie}")).body.decode()

    for wrong in (None, "x", (await token("ada"))[:-1]):
        with pytest.raises(ChannelRequestError, match="refuses the connection"):
            await connect(url, token=wrong)
    async with connect(url, token=await token("eve")) as client:
        with pytest.raises(ChannelRequestError, match="forbidden"):
            await client.subscribe("room:7")
    async with connect(url, token=lambda: token("ada")) as client:
        await client.subscribe("room:7")
        await client.publish("room:7", 1)
        assert (await anext(client)).data == 1
        await run.program["remove"]("room:7", "ada")
        assert await anext(client) == SubscriptionEnd("room:7", "revoked")
        with pytest.raises(ChannelRequestError, match="forbidden"):
            await client.subscribe("room:7")


async def check_orders(run: Run) -> None:
    async with Hub(MemoryBroker()) as hub:
        start = await hub.head("orders")
        for number in (1, 1, 2):
            await run.program["publish_order"](hub, {"id": str(number)})
        assert (await hub.head("orders")).offset == start.offset + 2


async def check_ticker(run: Run) -> None:
    async with Hub(MemoryBroker()) as hub:
        assert await run.program["last_prices"](hub, 3) == [1.0, 1.01, 1.02]


async def check_listen(run: Run) -> None:
    async with Hub(MemoryBroker()) as hub:
        application = web.Application([("/channels", ChannelHandler, {"hub": hub})])
        async with serving(application) as server:
            url = f"http://127.0.0.1:{server.port}/channels"
            listening = asyncio.ensure_future(run.program["first_message"](url, "news"))
            while not listening.done():
                await hub.publish("news", {"text": "Hello"})
                await asyncio.sleep(0)
            assert await listening == {"text": "Hello"}


async def check_audit(run: Run) -> None:
    async with Hub(MemoryBroker()) as hub:
        listening = asyncio.ensure_future(run.program["first_messages"](hub, 2))
        number = 0
        while not listening.done():
            number += 1
            for channel in ("room:1", "room:2", "other"):
                await hub.publish(channel, number)
            await asyncio.sleep(0)
        assert set(await listening) == {"room:1", "room:2"}


async def check_brokers(run: Run) -> None:
    make_hub = run.program["make_hub"]
    pytest.importorskip("redis")
    pytest.importorskip("nats")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("BROKER", raising=False)
        assert isinstance(make_hub().broker, MemoryBroker)
        environment.setenv("BROKER", "redis://localhost:6379/0")
        assert isinstance(make_hub().broker, RedisBroker)
        environment.setenv("BROKER", "nats://localhost:4222")
        assert isinstance(make_hub().broker, NATSBroker)
