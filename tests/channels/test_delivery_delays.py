"""The delay of messages that a process publishes and receives itself."""

from __future__ import annotations

import asyncio

import pytest

from tornado.channels import Hub, MemoryBroker, Position
from tornado.channels import _delivery_delays as module
from tornado.channels._counts import channel_metrics, counts
from tornado.channels._delivery_delays import DeliveryDelays


class Delays:
    """A histogram that lists its values."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def record(self, value: float) -> None:
        self.values.append(value)

    def as_json(self) -> dict[str, object]:
        return {"values": self.values}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays that were recorded."""
    delays = Delays()
    monkeypatch.setattr(counts, "delays", delays)
    return delays.values


@pytest.fixture(autouse=True)
def times(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The present time in a list."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def test_message_that_arrives_before_its_position_is_known(recorded: list[float], times: list[float]) -> None:
    delays = DeliveryDelays()
    delays.begin()
    times[0] = 101.0
    delays.arrived("a", Position("e", 1))
    delays.arrived("a", Position("e", 2))  # of another process
    times[0] = 105.0
    delays.published("a", Position("e", 1), 100.0, Position("e", 2))
    delays.end()
    assert recorded == [1.0]
    assert not delays


def test_message_that_arrives_after_its_position_is_known(recorded: list[float], times: list[float]) -> None:
    delays = DeliveryDelays()
    delays.begin()
    delays.published("a", Position("e", 1), 100.0, Position("e", 0))
    delays.end()
    assert delays
    times[0] = 103.0
    delays.arrived("b", Position("e", 1))
    delays.arrived("a", Position("e", 1))
    delays.arrived("a", Position("e", 1))
    assert recorded == [3.0]
    assert not delays


def test_message_that_was_stored_earlier_is_not_awaited(recorded: list[float]) -> None:
    delays = DeliveryDelays()
    for last in (Position("e", 1), Position("e", 9), None):
        delays.begin()
        delays.published("a", Position("e", 1), 100.0, last)
        delays.end()
        assert not delays
    assert recorded == []


def test_number_of_messages_that_do_not_arrive_is_limited(recorded: list[float]) -> None:
    delays = DeliveryDelays()
    for number in range(1, 2001):
        delays.begin()
        delays.published("a", Position("e", number), 0.0, Position("e", 0))
        delays.end()
    delays.arrived("a", Position("e", 1000))
    assert recorded == []
    for number in range(1001, 2001):
        delays.arrived("a", Position("e", number))
    assert len(recorded) == 1000
    assert not delays


async def test_hub_measures_channels_with_receivers(recorded: list[float]) -> None:
    async with Hub(MemoryBroker()) as hub:
        await hub.publish("a", 1)
        assert recorded == []
        async with hub.subscribe("a", await hub.head("a")) as messages:
            while hub.position("a") is None:
                await asyncio.sleep(0)
            for number in range(3):
                await hub.publish("a", number)
                await anext(messages)
                assert len(recorded) == number + 1
            await hub.send("a", 1)
            await hub.publish("$presence:a", 1)
        assert len(recorded) == 3


async def test_nothing_is_measured_without_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "delays", None)
    async with Hub(MemoryBroker()) as hub, hub.subscribe("a", await hub.head("a")) as messages:
        while hub.position("a") is None:
            await asyncio.sleep(0)
        await hub.publish("a", 1)
        await anext(messages)
        metrics = channel_metrics(Delays)
        assert metrics is not None
        assert metrics["histograms"]["tornado.channels.delivery.delay"] == {"values": []}
        await hub.publish("a", 1)
        assert len(metrics["histograms"]["tornado.channels.delivery.delay"]["values"]) == 1
