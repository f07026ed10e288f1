"""Limits of a user, or an address, with any number of connections."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, ClassVar

from tests.support.channels import Open, serving_channels
from tornado.channels import ClientLimits, Hub, Identity, MemoryBroker
from tornado.channels._limits import ClientLimits as Limits
from tornado.channels._sources import Sources


class Limited(Open):
    """Each user may use the limits of two clients, and each address those of three."""

    client_limits: ClassVar[ClientLimits] = ClientLimits(  # type: ignore[misc]
        subscriptions=4, presences=2, rate=0.001, burst=20, clients_per_user=2, clients_per_address=3
    )

    def authenticate(self, token: str | None) -> Identity:
        return Identity(token)


async def clients_of(server: Any, token: str | None, count: int) -> list[Any]:
    clients = [await server.connect() for _ in range(count)]
    for client in clients:
        assert (await client.ask(type="connect", token=token))["type"] == "connected"
    return clients


async def accepted(requests: Any) -> int:
    """Execute requests in their order. Return the number of those that were not refused with `limit`."""
    replies = [await request for request in requests]
    refused = [each for each in replies if each["type"] == "error"]
    assert {each["code"] for each in refused} <= {"limit"}
    return len(replies) - len(refused)


async def test_channels_that_only_one_source_has_opened_are_limited() -> None:
    async with serving_channels(Limited) as server:
        for user, expected in (("ada", 8), (None, 12), ("bob", 8)):
            clients = await clients_of(server, user, 5)
            assert (
                await accepted(
                    client.ask(type="subscribe", channel=f"{user} {number} {each}")
                    for each, client in enumerate(clients)
                    for number in range(4)
                )
                == expected
            )
            # Channels with receivers cost nothing more.
            assert (await clients[-1].ask(type="subscribe", channel=f"{user} 0 0"))["type"] == "subscribed"
            await clients[0].ask(type="unsubscribe", channel=f"{user} 1 0")
            assert (await clients[-1].ask(type="subscribe", channel=f"{user} new"))["type"] == "subscribed"
            # The channel has a receiver still.
            await clients[0].ask(type="unsubscribe", channel=f"{user} 0 0")
            reply = await clients[-1].ask(type="subscribe", channel=f"{user} newer")
            assert (reply["code"], reply["message"]) == ("limit", f"too many channels of the {name(user)}")
        for client in clients:
            client.client.peer.writer.close()


def name(user: str | None) -> str:
    return "address 127.0.0.1" if user is None else f"user {user}"


async def test_presences_of_all_connections_are_limited() -> None:
    async with serving_channels(Limited) as server:
        clients = await clients_of(server, "ada", 4)
        for client in clients:
            for number in range(3):
                await client.subscribe(f"room:{number}")
        joins = [(client, number) for client in clients for number in range(3)]
        assert (
            await accepted(client.ask(type="join", channel=f"room:{number}") for client, number in joins) == 4
        )
        # Changing the data is not another presence.
        assert (await clients[0].ask(type="join", channel="room:0", data=1))["type"] == "joined"
        await clients[0].ask(type="leave", channel="room:0")
        await clients[1].ask(type="unsubscribe", channel="room:0")
        assert (await clients[2].ask(type="join", channel="room:0"))["type"] == "joined"
        assert (await clients[3].ask(type="join", channel="room:0"))["type"] == "joined"
        assert (await clients[3].ask(type="join", channel="room:1"))["code"] == "limit"


async def test_presence_of_polls_is_limited() -> None:
    async with serving_channels(Limited) as server:

        async def poll(client: str, channel: str) -> str:
            subscription = {"channel": channel, "join": 1}
            messages = await server.poll(token="ada", client=client, wait=0, subscribe=[subscription])
            return next((each["code"] for each in messages if each["type"] == "error"), "joined")

        for _ in range(3):  # the same clients
            assert [await poll(f"client-{number}", "c") for number in range(4)] == ["joined"] * 4
        assert await poll("client-5", "c") == "limit"


async def test_rate_of_publications_of_all_connections_is_limited() -> None:
    async with serving_channels(Limited) as server:
        clients = await clients_of(server, "ada", 5)
        codes = [
            (await client.ask(type="publish", channel="c", data=1, id=f"{number:020}")).get("code")
            for number in range(15)
            for client in clients
        ]
        assert codes == [None] * 40 + ["rate"] * 35
        [other] = await clients_of(server, "bob", 1)
        assert (await other.ask(type="publish", channel="c", data=1, id="0" * 20))["type"] == "published"


async def test_end_of_all_sessions_releases_everything() -> None:
    async with serving_channels(Limited) as server:
        for _ in range(3):
            async with contextlib.AsyncExitStack():
                clients = await clients_of(server, "ada", 2)
                for each, client in enumerate(clients):
                    for number in range(4):
                        await client.subscribe(f"{each} {number}")
                    for number in range(2):
                        await client.ask(type="join", channel=f"{each} {number}")
                for client in clients:
                    client.client.peer.writer.close()
            await server.has_sessions(0)
            while any(True for _ in server.hub.subscriber_counts()):
                await asyncio.sleep(0)


def test_sources_that_use_nothing_are_forgotten() -> None:
    sources, limits = Sources(Hub(MemoryBroker())), Limits(rate=1.0, burst=1)
    used = sources.acquire("used", "", 0.0)
    assert used.count_request(limits, 0.0) == 0.0
    sources.release(used, 0.01)
    assert sources.acquire("used", "", 0.01) is used  # its allowance is not complete
    sources.release(used, 0.01)
    kept = sources.acquire("kept", "", 0.0)
    for number in range(3000):
        source = sources.acquire(f"user {number}", "", 10.0)
        source.count_request(limits, 10.0)
        sources.release(source, 10.0)
    assert sources.acquire("kept", "", 10.0) is kept
    assert sources.acquire("used", "", 10.0) is not used
