"""Members of channels, with a broker in memory and with Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.databases import NATSServer
from tornado.channels import (
    Broker,
    BrokerUnavailableError,
    Hub,
    MemoryBroker,
    NATSBroker,
    Presence,
    RedisBroker,
)
from tornado.channels._endpoint import endpoint_of


@pytest.fixture(params=["memory", "redis", "nats"])
def url(request: pytest.FixtureRequest) -> str | None:
    """The URL of an empty Redis or NATS server, or None for a broker in memory."""
    if request.param == "memory":
        return None
    if request.param == "nats":
        nats: NATSServer = request.getfixturevalue("nats_server")
        nats.restart_empty()
        return nats.url
    server = request.getfixturevalue("redis_server")
    server.start()
    server.flush()
    return server.url


def broker(url: str | None) -> Broker:
    if url is None:
        return MemoryBroker()
    return NATSBroker(url) if url.startswith("nats:") else RedisBroker(url)


@asynccontextmanager
async def presences(
    url: str | None, lease: float = 6.0, first: Broker | None = None
) -> AsyncIterator[tuple[Presence, Presence]]:
    """Two processes: with Redis each has a hub, and in memory they share one."""
    async with Hub(first or broker(url)) as hub, Hub(broker(url)) as other:
        while hub.disconnected_for or other.disconnected_for:
            await asyncio.sleep(0.005)
        async with Presence(hub, lease=lease) as one:
            async with Presence(hub if url is None else other, lease=lease) as two:
                yield one, two


class Observer:
    """Applies changes, and lists them."""

    def __init__(self) -> None:
        self.members: dict[str, list[object]] = {}
        self.changes: list[tuple[set[str], set[str], set[str]]] = []

    def __call__(self, change) -> None:
        self.changes.append((set(change.joined), set(change.left), set(change.updated)))
        for name, connections in {**change.joined, **change.updated}.items():
            self.members[name] = sorted(connections.values())
        for name in change.left:
            del self.members[name]

    async def sees(self, members) -> None:
        while self.members != members:
            await asyncio.sleep(0.005)


async def test_members_join_and_leave_in_all_processes(url):
    async with presences(url) as (one, two):
        observer = Observer()
        two.watch("c", observer)
        phone = await one.join("c", "alice", "phone")
        await observer.sees({"alice": ["phone"]})
        tab = await two.join("c", "alice", "tab")
        await two.join("c", "bob é", "tab")
        await observer.sees({"alice": ["phone", "tab"], "bob é": ["tab"]})
        await one.leave("c", phone)
        await one.leave("c", phone)
        await observer.sees({"alice": ["tab"], "bob é": ["tab"]})
        await two.update("c", tab, "desktop")
        await observer.sees({"alice": ["desktop"], "bob é": ["tab"]})
        await two.leave("c", tab)
        await observer.sees({"bob é": ["tab"]})
        # The first change may be the state before alice has joined.
        assert next(change for change in observer.changes if any(change)) == ({"alice"}, set(), set())
        assert observer.changes[-1] == (set(), {"alice"}, set())
        later = Observer()
        two.watch("c", later)
        assert later.members == {"bob é": ["tab"]}
        two.unwatch("c", later)
        two.unwatch("c", observer)


async def test_orderly_end_of_a_process_removes_its_members(url):
    async with presences(url) as (one, two):
        await one.join("c", "alice")
        await two.join("c", "bob")
        await one.close()
        assert set(await two.members("c")) == {"bob"}


async def test_members_of_a_dead_process_leave(url):
    first = broker(url)
    async with presences(url, 0.3, first) as (_, two):
        observer = Observer()
        two.watch("c", observer)
        # A connection of a process that never renews its lease.
        await first.add_presence("c", "dead", {"x": b'["ghost", 1]'}, 0.3)
        await two.join("c", "bob", 2)
        await observer.sees({"ghost": [1], "bob": [2]})
        await observer.sees({"bob": [2]})
        assert not await first.renew_presence("c", "dead", 0.3)


async def test_removal_that_failed_is_repeated(url, monkeypatch):
    first = broker(url)
    remove = first.remove_presence

    async def fail(channel, connections) -> None:
        monkeypatch.setattr(first, "remove_presence", remove)
        raise BrokerUnavailableError("on purpose")

    async with presences(url, lease=0.6, first=first) as (one, two):
        observer = Observer()
        two.watch("room", observer)
        await one.join("room", "bob")
        connection = await one.join("room", "ada")
        await observer.sees({"ada": [None], "bob": [None]})
        monkeypatch.setattr(first, "remove_presence", fail)
        with pytest.raises(BrokerUnavailableError):
            await one.leave("room", connection)
        await observer.sees({"bob": [None]})


async def test_registration_that_failed_is_repeated_while_the_lease_lasts(url, monkeypatch):
    first = broker(url)
    add = first.add_presence

    async def fail(*arguments) -> None:
        monkeypatch.setattr(first, "add_presence", add)
        raise BrokerUnavailableError("on purpose")

    async with presences(url, lease=0.6, first=first) as (one, two):
        observer = Observer()
        two.watch("room", observer)
        await one.join("room", "ada")
        monkeypatch.setattr(first, "add_presence", fail)
        connection = await one.join("room", "bob", 1)
        await observer.sees({"ada": [None], "bob": [1]})
        assert (await two.members("room"))["bob"] == {connection: 1}


async def test_cancelled_registration_does_not_remain(url, monkeypatch):
    first = broker(url)
    add = first.add_presence
    begun = asyncio.Event()

    async def block(*arguments) -> None:
        monkeypatch.setattr(first, "add_presence", add)
        await add(*arguments)
        begun.set()
        await asyncio.Event().wait()

    async with presences(url, lease=0.6, first=first) as (one, two):
        observer = Observer()
        two.watch("room", observer)
        await one.join("room", "ada")
        monkeypatch.setattr(first, "add_presence", block)
        joining = asyncio.ensure_future(one.join("room", "bob"))
        await begun.wait()
        joining.cancel()
        await asyncio.gather(joining, return_exceptions=True)
        while set(await two.members("room")) != {"ada"}:
            await asyncio.sleep(0.005)
        await observer.sees({"ada": [None]})


async def test_connection_that_is_stored_under_two_leases_leaves_at_once():
    first = MemoryBroker()
    async with presences(None, 60, first) as (one, two):
        await one.join("c", "stays")
        await first.remove_presence("c", list(await first.list_presence("c")))  # and the lease
        leaves = await one.join("c", "leaves")  # stored, and stored again under another lease
        await one.leave("c", leaves)
        assert set(await two.members("c")) == {"stays"}


async def test_lost_connections_are_registered_again_although_a_removal_fails(monkeypatch):
    first = MemoryBroker()
    add = first.add_presence
    begun, continued = asyncio.Event(), asyncio.Event()

    async def block(*arguments) -> bool:
        monkeypatch.setattr(first, "add_presence", add)
        begun.set()
        await continued.wait()
        return await add(*arguments)

    async def fail(*arguments) -> None:
        raise BrokerUnavailableError("no response")

    async with presences(None, 60, first) as (one, two):
        leaves = await one.join("c", "leaves")
        await one.join("c", "stays")
        await first.remove_presence("c", list(await first.list_presence("c")))  # and the lease
        monkeypatch.setattr(first, "add_presence", block)
        updating = asyncio.ensure_future(one.update("c", leaves, 1))
        await begun.wait()
        with monkeypatch.context() as patches:
            patches.setattr(first, "remove_presence", fail)
            with pytest.raises(BrokerUnavailableError):
                await one.leave("c", leaves)
            continued.set()
            await updating
        assert "stays" in await two.members("c")


async def test_registration_that_is_executed_late_does_not_remain(url, monkeypatch):
    """A broker that was suspended executes the commands of different connections in any order."""
    first = broker(url)
    add = first.add_presence
    late: list[tuple] = []

    async def fail(*arguments) -> None:
        monkeypatch.setattr(first, "add_presence", add)
        late.append(arguments)
        raise BrokerUnavailableError("no response")

    async with presences(url, lease=0.6, first=first) as (one, two):
        observer = Observer()
        two.watch("room", observer)
        await one.join("room", "ada")
        monkeypatch.setattr(first, "add_presence", fail)
        connection = await one.join("room", "bob", 1)
        await one.leave("room", connection)
        await add(*late[0])
        assert set(await two.members("room")) == {"ada", "bob"}
        await observer.sees({"ada": [None], "bob": [1]})
        await observer.sees({"ada": [None]})


async def test_connection_that_leaves_while_it_is_registered_again_is_removed(url, monkeypatch):
    first = broker(url)
    add, renew = first.add_presence, first.renew_presence
    begun, left = asyncio.Event(), asyncio.Event()

    async def lose(*arguments) -> bool:
        monkeypatch.setattr(first, "renew_presence", renew)
        monkeypatch.setattr(first, "add_presence", wait)
        return False

    async def wait(*arguments) -> bool:
        monkeypatch.setattr(first, "add_presence", add)
        begun.set()
        await left.wait()
        return await add(*arguments)

    async with presences(url, lease=0.6, first=first) as (one, two):
        await one.join("room", "ada")
        connection = await one.join("room", "bob")
        monkeypatch.setattr(first, "renew_presence", lose)
        await begun.wait()
        await one.leave("room", connection)
        left.set()
        while set(await two.members("room")) != {"ada"}:
            await asyncio.sleep(0.005)


async def test_process_registers_again_if_its_lease_is_lost(url, request):
    first = broker(url)
    async with presences(url, 0.3, first) as (one, two):
        connection = await one.join("c", "alice", 1)
        if url is None:
            await first.remove_presence("c", [f"{connection}-0"])
        else:
            request.getfixturevalue("redis_server").flush()
        while not await two.members("c"):
            await asyncio.sleep(0.005)
        assert await two.members("c") == {"alice": {connection: 1}}
        assert await first.renew_presence("d", "nothing", 1) is False


@pytest.mark.parametrize("is_lost", [True, False])
async def test_connection_that_joins_after_the_end_of_the_lease_restores_the_others(
    url, request, monkeypatch, is_lost
):
    """A broker that was restarted has lost them, but the new one begins the lease again."""
    first = broker(url)
    add = first.add_presence
    workers: list[str] = []

    def note(channel, worker, entries, lease):
        workers.append(worker)
        return add(channel, worker, entries, lease)

    monkeypatch.setattr(first, "add_presence", note)
    async with presences(url, 60, first) as (one, two):
        await one.join("c", "alice", 1)
        await one.join("c", "bob", 1)
        if not is_lost:
            await add("c", workers[0], {}, 0)
            assert await two.members("c") == {}
        elif url is None:
            await first.remove_presence("c", list(await first.list_presence("c")))  # and the lease
        elif url.startswith("nats:"):
            nats = pytest.importorskip("nats")
            client = await nats.connect(url, allow_reconnect=False)
            await client.jetstream().delete_stream("channels-_presence")
            await client.close()
        else:
            request.getfixturevalue("redis_server").flush()
        await one.join("c", "carol", 1)
        assert set(await two.members("c")) == {"alice", "bob", "carol"}


async def test_exception_of_an_observer_is_logged(url, expect_log):
    async with presences(url) as (one, two):
        observer = Observer()
        two.watch("c", lambda change: 1 / 0)
        two.watch("c", observer)
        with expect_log("tornado.application", "Exception in presence observer"):
            await one.join("c", "alice", 1)
            await observer.sees({"alice": [1]})


def test_invalid_lease_is_rejected():
    with pytest.raises(ValueError, match="lease must be a positive number"):
        Presence(Hub(MemoryBroker()), lease=0)


async def test_observer_survives_an_unexpected_error(expect_log):
    class Failing(MemoryBroker):
        fails = False

        async def list_presence(self, channel):
            if self.fails:
                self.fails = False
                raise LookupError("unexpected")
            return await super().list_presence(channel)

    first = Failing()
    async with presences(None, 0.3, first) as (one, two):
        observer = Observer()
        two.watch("c", observer)
        while not observer.changes:
            await asyncio.sleep(0)
        first.fails = True
        with expect_log("tornado.general", "Exception while presence in 'c' was read"):
            await one.join("c", "alice", 1)
            await observer.sees({"alice": [1]})


async def test_channels_that_do_not_respond_do_not_delay_the_others(expect_log):
    """Leases are renewed at the same time."""

    class Slow(MemoryBroker):
        waiting = peak = 0

        async def renew_presence(self, channel, worker, lease):
            if channel.startswith("slow"):
                self.waiting += 1
                self.peak = max(self.peak, self.waiting)
                try:
                    await asyncio.sleep(0.2)
                finally:
                    self.waiting -= 1
                raise BrokerUnavailableError("no response")
            renewed.append(channel)
            return await super().renew_presence(channel, worker, lease)

    renewed: list[str] = []
    first = Slow()
    async with presences(None, 0.3, first) as (one, _):
        for number in range(20):
            await one.join(f"slow{number}", "bob")
        await one.join("c", "alice")
        while len(renewed) < 3:
            await asyncio.sleep(0.005)
        assert 1 < first.peak <= 32
        assert set(await one.members("c")) == {"alice"}


async def test_departure_is_announced_when_the_hub_is_closed():
    sent: list[str] = []

    class Recording(MemoryBroker):
        async def send(self, message):
            sent.append(message.channel)
            await super().send(message)

    async with Hub(Recording()) as hub:
        await endpoint_of(hub).presence.join("c", "alice")
        sent.clear()
    assert sent == ["$presence:c"]


async def test_observer_of_a_closed_hub_leaves_nothing():
    async with Hub(MemoryBroker()) as hub:
        presence = Presence(hub)
    with pytest.raises(BrokerUnavailableError):
        presence.watch("c", print)
    presence.unwatch("c", print)
    async with hub:
        observer = Observer()
        presence.watch("c", observer)
        while not observer.changes:
            await asyncio.sleep(0)
        await presence.close()


async def test_many_departures_in_an_outage_end_with_the_lease():
    class Failing(MemoryBroker):
        fails = False
        removed = 0

        async def remove_presence(self, channel, connections):
            if self.fails:
                raise BrokerUnavailableError("no response")
            self.removed += len(connections)
            await super().remove_presence(channel, connections)

        async def renew_presence(self, channel, worker, lease):
            if self.fails:
                raise BrokerUnavailableError("no response")
            return await super().renew_presence(channel, worker, lease)

    first = Failing()
    async with presences(None, 0.3, first) as (one, _):
        await one.join("c", "alice", 0)
        connections = [await one.join("c", "bob") for _ in range(1500)]
        first.fails = True
        for connection in connections:
            with pytest.raises(BrokerUnavailableError):
                await one.leave("c", connection)
        first.fails = False
        while set(await one.members("c")) != {"alice"}:
            await asyncio.sleep(0.01)
        assert first.removed == 0


async def test_entry_that_cannot_be_encoded_is_not_registered():
    async with presences(None) as (one, _):
        for data, error in (
            (object(), TypeError),
            ("\ud800", UnicodeEncodeError),
            (float("inf"), ValueError),
        ):
            with pytest.raises(error):
                await one.join("c", "alice", data)
        assert await one.members("c") == {}
