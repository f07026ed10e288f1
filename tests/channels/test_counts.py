"""The metrics of channels, and the problems that a readiness check reports."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.channels.test_slow_clients import connect, handler_with, publish
from tests.support.channels import PATTERN, Open, serving_channels
from tornado import web
from tornado.channels import BrokerUnavailableError, Gap, History, Hub, MemoryBroker, PublishError
from tornado.channels import _counts as counting
from tornado.channels._counts import broker_problems, channel_metrics
from tornado.web._observation._catalog import CATALOG
from tornado.web._observation._histogram import Histogram
from tornado.web._observation._prometheus import metrics_text
from tornado.web._observation._snapshot import take_snapshot


class Silent(MemoryBroker):
    """A broker without a connection, until the test connects it."""

    listener: Any

    async def start(self, listener: Any) -> None:
        self.listener = listener

    async def publish(self, *arguments: Any) -> Any:
        raise BrokerUnavailableError("no connection")


class Change:
    """The difference between the metrics now and at the beginning of the test."""

    def __init__(self) -> None:
        self._before = self._metrics()

    def _metrics(self) -> dict[str, Any]:
        metrics = channel_metrics(Histogram)
        if metrics is None:
            return {}
        counters, histogram = metrics["counters"], metrics["histograms"]["tornado.channels.publish.duration"]
        found = {"published_in_time": sum(histogram["counts"])}
        for name, value in counters.items():
            parts = value if isinstance(value, dict) else {"": value}
            found.update(
                {f"{name.removeprefix('tornado.channels.')} {part}".strip(): parts[part] for part in parts}
            )
        return found

    def of(self, name: str) -> Any:
        """Return the increase of a counter."""
        return self._metrics()[name] - self._before.get(name, 0)


def gauges() -> dict[str, Any]:
    metrics = channel_metrics(Histogram)
    assert metrics is not None
    return {name.removeprefix("tornado.channels."): value for name, value in metrics["gauges"].items()}


async def test_messages_and_subscribers_are_counted() -> None:
    async with Hub(MemoryBroker()) as hub:
        change = Change()
        async with (
            hub.subscribe("a") as first,
            hub.subscribe("a") as second,
            hub.subscribe("$presence:a") as internal,
        ):
            await hub.head("a")
            while hub.position("a") is None or hub.position("$presence:a") is None:
                await asyncio.sleep(0)
            assert (gauges()["subscribers"], gauges()["active_channels"]) == (2, 1)
            await hub.publish("a", 1)
            await hub.send("a", 2)
            await hub.publish("$presence:a", 3)
            for messages, data in ((first, [1, 2]), (second, [1, 2]), (internal, [3])):
                assert [(await anext(messages)).data for _ in data] == data  # type: ignore[union-attr]
        assert (change.of("published stored"), change.of("published ephemeral")) == (1, 1)
        assert change.of("published_in_time") == 1
        assert change.of("delivered") == 4
        assert (gauges()["subscribers"], gauges()["active_channels"]) == (0, 0)


async def test_counters_do_not_decrease_when_hub_is_closed() -> None:
    async with Hub(MemoryBroker()) as hub:
        change = Change()
        await hub.publish("a", 1)
        connected = gauges()["brokers"]["connected"]
    assert change.of("published stored") == 1
    assert gauges()["brokers"]["connected"] == connected - 1


async def test_gap_is_counted_for_each_receiver() -> None:
    async with Hub(MemoryBroker(), history=History(count=1), tail=1) as hub:
        start = await hub.head("a")
        for number in range(3):
            await hub.publish("a", number)
        change = Change()
        async with hub.subscribe("a", since=start) as first, hub.subscribe("a", since=start) as second:
            assert isinstance(await anext(first), Gap)
            assert isinstance(await anext(second), Gap)
        assert change.of("gaps history") == 2


@pytest.mark.parametrize(
    ("action", "counted"), [("close", "closed"), ("skip", "skipped"), ("latest", "latest")]
)
async def test_slow_client_is_counted_by_policy(action: str, counted: str) -> None:
    async with serving_channels(handler_with(action)) as server:
        client = await connect(server)
        client.client.stop_reading()
        change = Change()
        await publish(server, 400, keys=2)
        # The buffers of the kernel may grow, so that the client catches up and falls behind again.
        for each in ("closed", "skipped", "latest"):
            assert bool(change.of(f"slow_clients {each}")) == (each == counted)
        client.client.read_on()
        received = gaps = 0
        while isinstance(event := await client.client.event(), str):
            members = json.loads(event)
            received += 1
            gaps += members["type"] == "gap"
            if members.get("position", members.get("until", "")).endswith(":400"):
                break
        # A message during which the client was found to be slow may count although it is not sent.
        assert received <= change.of("delivered") <= received + change.of(f"slow_clients {counted}")
        assert change.of("gaps slow") == gaps
        assert bool(gaps) == (action == "skip")


async def test_failed_and_waiting_publications_are_counted() -> None:
    async with Hub(Silent(), timeout=0.01) as hub:
        change = Change()
        publishing = asyncio.ensure_future(hub.publish("a", 1))
        await asyncio.sleep(0)
        assert gauges()["waiting_publications"] == 1
        with pytest.raises(PublishError):
            await publishing
        assert gauges()["waiting_publications"] == 0
        assert (change.of("publish_failures"), change.of("published stored")) == (1, 0)


async def test_broker_that_is_away_too_long_is_a_problem_until_it_returns() -> None:
    broker = Silent()
    async with Hub(broker, max_disconnected=1e-9):
        change = Change()
        [problem] = broker_problems()
        assert problem == "channels have had no connection to their broker for 0 s"
        assert gauges()["brokers"]["disconnected"] == 1
        broker.listener.connected()
        assert broker_problems() == []
        assert gauges()["brokers"]["disconnected"] == 0
        during = change.of("broker.disconnected")
        assert during > 0
        assert change.of("broker.disconnected") == during
        broker.listener.disconnected()
        assert len(broker_problems()) == 1
    assert broker_problems() == []


@pytest.mark.parametrize("limit", [60.0, None])
async def test_short_interruption_is_no_problem(limit: float | None) -> None:
    async with Hub(Silent(), max_disconnected=limit):
        assert broker_problems() == []


@pytest.mark.parametrize("limit", [0, float("nan")])
def test_invalid_limit_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="max_disconnected must be"):
        Hub(MemoryBroker(), max_disconnected=limit)


async def test_process_without_hub_has_no_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_was_started", [])
    assert channel_metrics(Histogram) is None


async def test_metrics_handler_lists_all_metrics_of_channels() -> None:
    async with Hub(MemoryBroker()) as hub:
        routes: list[Any] = [(PATTERN, Open, {"hub": hub}), ("/metrics", web.MetricsHandler)]
        application = web.Application(routes, metrics=True)
        assert application.observer is not None
        text = metrics_text([take_snapshot(application.observer)]).decode()
        for name, metric in CATALOG.items():
            if name.startswith("tornado.channels."):
                assert f"# HELP {'_'.join(filter(None, (name.replace('.', '_'), metric.unit)))}" in text
