"""The broker in memory: what it stores, and for how long."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from tests.support.channels import memory_use
from tests.support.clock import FakeClock
from tornado.channels import Gap, History, Hub, MemoryBroker, Position


async def test_unused_channels_are_forgotten(clock: FakeClock) -> None:
    broker = MemoryBroker()
    async with Hub(broker) as hub:
        first = await hub.publish("c", 1)
        kept = await hub.publish("room:7", 7)
        assert await hub.head("c") == first
        await broker.subscribe("room:7")
        clock.advance(90_000.0)
        await hub.publish("other", 1)
        assert await hub.head("room:7") == kept
        assert (await hub.head("c")).offset == 0
        assert set(await broker.channels("*")) == {"room:7", "other"}


async def test_channels_are_kept_until_their_history_has_ended(clock: FakeClock) -> None:
    ages = {"short": 1.0, "long": 100_000.0}
    async with Hub(MemoryBroker(), history=lambda channel: History(age=ages.get(channel, 1.0))) as hub:
        positions = {channel: await hub.publish(channel, 1) for channel in ages}
        clock.advance(90_000.0)
        await hub.publish("other", 1)
        assert await hub.head("long") == positions["long"]
        assert (await hub.head("short")).offset == 0


async def test_nothing_is_stored_for_channels_without_messages() -> None:
    async with Hub(MemoryBroker()) as hub:
        heads = [await hub.head(f"room:{number}") for number in range(100)]
        assert await hub.broker.channels("*") == []
        await hub.publish("room:7", 1)
        async with hub.subscribe("room:7", heads[7]) as messages:
            assert (await anext(messages)).data == 1


@pytest.mark.parametrize("age", [1.0, 100.0, 500.0])
async def test_messages_and_keys_of_idle_channels_end_by_their_age(clock: FakeClock, age: float) -> None:
    broker = MemoryBroker()
    async with Hub(broker, history=History(age=age)) as hub:
        positions = [await hub.publish(f"room:{number}", "x" * 1000) for number in range(50)]
        assert memory_use(broker) == (50, 50, 50)
        for end in sorted({age, 120.0}):
            clock.advance(end + 0.2 - clock() % 1)  # without a use of the channels
            await asyncio.sleep(0.2)
        assert memory_use(broker) == (50, 0, 0)
        assert broker.size == 0
        async with hub.subscribe("room:7", Position(positions[7].epoch, 0)) as messages:
            assert await anext(messages) == Gap("room:7", Position(positions[7].epoch, 0), positions[7])


async def test_messages_end_also_after_the_hub_was_closed(clock: FakeClock) -> None:
    broker = MemoryBroker()
    hub = Hub(broker, history=History(age=1.0))
    async with hub:
        await hub.publish("c", 1)
    clock.advance(200.0)
    async with hub:
        await asyncio.sleep(0.2)
        assert memory_use(broker) == (1, 0, 0)


async def test_number_of_channels_is_limited() -> None:
    broker = MemoryBroker(max_channels=10)
    async with Hub(broker) as hub:
        absent = await hub.head("absent")
        async with hub.subscribe("kept", await hub.head("kept")) as messages:
            first = await hub.publish("kept", 0)
            for number in range(100):
                await hub.publish(f"room:{number}", number)
            assert memory_use(broker) == (10, 10, 10)
            assert await hub.head("kept") == first
            assert (await hub.head("room:99")).offset == 1
            assert (await anext(messages)).data == 0
        # The channel may have been there and have been forgotten.
        await hub.publish("absent", 1)
        async with hub.subscribe("absent", absent) as messages:
            assert isinstance(await anext(messages), Gap)


async def test_size_of_all_channels_is_limited() -> None:
    broker = MemoryBroker(max_bytes=1_000_000)
    async with Hub(broker) as hub:
        first = await hub.publish("idle", "x" * 10_000)
        for number in range(300):
            await hub.publish("busy" if number % 2 else f"room:{number}", "x" * 10_000)
            assert broker.size <= broker.max_bytes
        assert broker.size > 900_000
        async with hub.subscribe("idle", Position(first.epoch, 0)) as messages:
            assert await anext(messages) == Gap("idle", Position(first.epoch, 0), first)
        # A message that is larger than the limit is distributed, and not stored.
        async with hub.subscribe("large") as messages:
            await hub.publish("large", 1)
            assert (await anext(messages)).data == 1
            large = await hub.publish("large", "x" * 1_000_001)
            assert (await anext(messages)).position == large
        assert broker.size == 0


async def test_memory_is_bounded_for_a_flood_of_names() -> None:
    broker = MemoryBroker(max_channels=500, max_bytes=2**20)
    async with Hub(broker) as hub:
        gc.collect()
        tracemalloc.start()
        try:
            for number in range(5000):
                await hub.publish(f"room:{number}", "x" * 2000)
            gc.collect()
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # The limit counts texts and an estimate of their objects, and the channels are counted separately.
    assert used < 3 * 2**20


@pytest.mark.parametrize("name", ["max_channels", "max_bytes"])
def test_invalid_limits_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a positive number"):
        MemoryBroker(**{name: 0})


async def test_ended_leases_are_forgotten(clock: FakeClock) -> None:
    broker = MemoryBroker()
    await broker.add_presence("c", "one", {"a": b"1"}, 6.0)
    clock.advance(5.0)
    await broker.add_presence("c", "two", {"b": b"2"}, 6.0)
    clock.advance(2.0)
    assert await broker.list_presence("c") == {"b": b"2"}
    assert not await broker.renew_presence("c", "one", 6.0)
    assert await broker.renew_presence("c", "two", 6.0)
