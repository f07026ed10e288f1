"""Tasks that are cancelled at each of their awaits. `asyncio.wait_for` of Python 3.11 loses cancellations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tornado.channels import (
    BrokerUnavailableError,
    Gap,
    History,
    Hub,
    MemoryBroker,
    Message,
    Position,
    Presence,
)
from tornado.channels._broker import Page

CANCELLED = pytest.mark.parametrize("loses", [False, True], ids=["effective", "lost"])


class Stopping(MemoryBroker):
    """A broker in which one operation does not end before it is cancelled.

    :param loses: whether the operation then succeeds instead of being cancelled.
    """

    def __init__(self, loses: bool) -> None:
        super().__init__()
        self.loses = loses
        #: The names of the operations in their order.
        self.calls: list[str] = []
        #: The operation that stops next, and the operations that fail.
        self.stops_at: str | None = None
        self.failing: set[str] = set()
        self.is_stopped = asyncio.Event()
        self.ends_leases = False

    async def stop_at(self, name: str) -> None:
        """Wait until an operation has stopped."""
        self.stops_at = name
        await self.is_stopped.wait()

    async def _begin(self, name: str) -> None:
        self.calls.append(name)
        if name == self.stops_at:
            self.stops_at = None
            self.is_stopped.set()
            with contextlib.suppress(*[asyncio.CancelledError] if self.loses else []):
                await asyncio.get_running_loop().create_future()
        if name in self.failing:
            raise BrokerUnavailableError("on purpose")

    async def subscribe(self, channel: str) -> None:
        await self._begin("subscribe")
        await super().subscribe(channel)

    async def subscribe_pattern(self, pattern: str) -> None:
        await self._begin("subscribe_pattern")
        await super().subscribe_pattern(pattern)

    async def channels(self, pattern: str) -> Collection[str]:
        await self._begin("channels")
        return await super().channels(pattern)

    async def read(self, channel: str, after: Position | None, limit: int, history: History) -> Page:
        await self._begin("read")
        return await super().read(channel, after, limit, history)

    async def send(self, message: Message) -> None:
        await self._begin("send")
        await super().send(message)

    async def add_presence(
        self, channel: str, worker: str, entries: Mapping[str, bytes], lease: float
    ) -> bool:
        await self._begin("add")
        return await super().add_presence(channel, worker, entries, lease)

    async def renew_presence(self, channel: str, worker: str, lease: float) -> bool:
        await self._begin("renew")
        if self.ends_leases:
            await super().add_presence(channel, worker, {}, 0)
        return await super().renew_presence(channel, worker, lease)

    async def remove_presence(self, channel: str, connections: Sequence[str]) -> None:
        await self._begin("remove")
        await super().remove_presence(channel, connections)

    async def list_presence(self, channel: str) -> Mapping[str, bytes]:
        await self._begin("list")
        return await super().list_presence(channel)


class Receiver:
    """Collects the data of messages, and gaps."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        self.got += [each if isinstance(each, Gap) else each.data for each in items]


async def nothing_runs(broker: Stopping) -> None:
    """Check that no task is left after a second, and that nothing is done later."""
    await asyncio.sleep(1)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    calls = list(broker.calls)
    await asyncio.sleep(60)
    assert broker.calls == calls


# -- presence --


@CANCELLED
@pytest.mark.parametrize("at", [None, "renew", "add", "send", "remove"])
async def test_close_ends_renewal_of_leases(clock: FakeClock, at: str | None, loses: bool) -> None:
    broker = Stopping(loses)
    async with Hub(broker) as hub:
        presence = Presence(hub)
        presence.start()
        _ = [await presence.join(channel, "alice") for channel in ("a", "b")]
        second = await presence.join("a", "bob")
        broker.failing = {"remove"}
        with pytest.raises(BrokerUnavailableError):
            await presence.leave("a", second)
        broker.failing = set()
        broker.ends_leases = True
        if at is not None:
            await broker.stop_at(at)
        await presence.close()
        assert [await presence.members(channel) for channel in ("a", "b")] == [{}, {}]
        await nothing_runs(broker)


@CANCELLED
@pytest.mark.parametrize("at", [None, "list"])
@pytest.mark.parametrize("ends", ["unwatch", "close"])
async def test_end_of_observation_ends_reading_of_members(
    clock: FakeClock, at: str | None, ends: str, loses: bool
) -> None:
    broker = Stopping(loses)
    async with Hub(broker) as hub:
        presence = Presence(hub)
        changes: list[Any] = []
        presence.watch("a", changes.append)
        while not changes:
            await asyncio.sleep(0.1)
        if at is not None:
            await broker.stop_at(at)
        if ends == "unwatch":
            presence.unwatch("a", changes.append)
        else:
            await presence.close()
        _ = await presence.join("a", "alice")
        later: list[Any] = []
        presence.watch("a", later.append)
        await asyncio.sleep(10)
        assert [dict(each.joined).keys() for each in later] == [{"alice"}]
        assert len(changes) == 1
        await presence.close()
        await nothing_runs(broker)


# -- the hub --


@CANCELLED
@pytest.mark.parametrize("at", ["subscribe", "read", "delay"])
async def test_detached_channel_is_read_no_more(clock: FakeClock, at: str, loses: bool) -> None:
    broker = Stopping(loses)
    async with Hub(broker) as hub:
        start = await hub.head("a")
        receiver, later = Receiver(), Receiver()
        hub.attach("a", receiver, start)
        if at == "delay":
            broker.failing = {"read"}
            while broker.calls.count("read") < 4:
                await asyncio.sleep(0.01)
        else:
            await broker.stop_at(at)
        hub.detach("a", receiver)
        hub.attach("a", later, start)
        broker.failing = set()
        for number in range(3):
            await hub.publish("a", number)
        await asyncio.sleep(1)
        assert (receiver.got, later.got) == ([], [0, 1, 2])
        await hub.publish("a", 3)
        await asyncio.sleep(1)
        assert later.got == [0, 1, 2, 3]
        hub.detach("a", later)
        await nothing_runs(broker)


@CANCELLED
async def test_channel_that_waits_for_other_reads_is_not_read_after_its_end(
    clock: FakeClock, loses: bool
) -> None:
    broker = Stopping(loses)
    async with Hub(broker) as hub:
        start = await hub.head("a")
        broker.failing = {"read"}
        receiver = Receiver()
        for number in range(40):
            hub.attach(f"other {number}", receiver, start)
        hub.attach("a", receiver, start)
        await asyncio.sleep(0)
        hub.detach("a", receiver)
        for number in range(40):
            hub.detach(f"other {number}", receiver)
        await nothing_runs(broker)
        broker.failing = set()
        hub.attach("a", receiver, start)  # all permits were released
        await hub.publish("a", 1)
        await asyncio.sleep(1)
        assert receiver.got == [1]


@CANCELLED
@pytest.mark.parametrize("at", ["subscribe", "read", "subscribe_pattern", "channels"])
async def test_hub_closes_while_broker_cannot_be_reached(clock: FakeClock, at: str, loses: bool) -> None:
    broker = Stopping(loses)
    hub = Hub(broker)
    await hub.start()
    start = await hub.head("a")
    if at in ("subscribe", "read"):
        hub.attach("a", Receiver(), start)
    else:
        hub.attach_pattern("*", Receiver())
    await broker.stop_at(at)
    broker.failing = {"subscribe", "read", "subscribe_pattern", "channels"}
    async with asyncio.timeout(10):
        await hub.close()
    await nothing_runs(broker)


@CANCELLED
async def test_hub_closes_while_position_of_new_channel_is_read(
    clock: FakeClock, loses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Stopping(loses)
    hub = Hub(broker)
    await hub.start()
    hub.attach_pattern("*", Receiver())
    await hub.established("*")
    with monkeypatch.context() as interruption:
        interruption.setattr(hub, "received", lambda message: None)
        await hub.publish("a", 1)
    await hub.publish("a", 2)
    await broker.stop_at("read")
    broker.failing = {"read"}
    async with asyncio.timeout(10):
        await hub.close()
    await nothing_runs(broker)


@CANCELLED
@pytest.mark.parametrize("at", ["subscribe_pattern", "channels"])
async def test_detached_pattern_is_subscribed_no_more(clock: FakeClock, at: str, loses: bool) -> None:
    broker = Stopping(loses)
    async with Hub(broker) as hub:
        receiver = Receiver()
        hub.attach_pattern("*", receiver)
        await broker.stop_at(at)
        broker.failing = {"subscribe_pattern", "channels"}
        hub.detach_pattern("*", receiver)
        await nothing_runs(broker)
