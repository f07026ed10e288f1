"""Services that use channels: metrics, readiness and the dashboard, with a Redis server that is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.admin import AdministeredService, showing
from tests.support.databases import RedisServer
from tornado.channels import connect

SOURCE = """
import contextlib

from tornado import web
from tornado.channels import ChannelHandler, Hub, RedisBroker

hub = Hub(RedisBroker({url!r}), max_disconnected=0.5)


class Rooms(ChannelHandler):
    def authorize_publish(self, channel):
        return True


@contextlib.asynccontextmanager
async def lifespan(application):
    async with hub:
        yield


application = web.Application([(r"/channels(?:/(.*))?", Rooms, {{"hub": hub}})], lifespan=lifespan)
"""


def until(condition: Callable[[], Any], deadline: float = 30.0) -> None:
    """Wait until a condition is true; each evaluation asks the service."""
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def service(redis_server: RedisServer, tmp_path) -> Iterator[AdministeredService]:
    redis_server.start()
    redis_server.flush()
    source = SOURCE.format(url=redis_server.url)
    with AdministeredService(tmp_path, "--workers=2", source=source) as running:
        yield running
        assert running.stop() == 0


@contextlib.asynccontextmanager
async def traffic(service: AdministeredService, messages: int) -> AsyncIterator[None]:
    """Publish messages, which three clients receive."""
    async with contextlib.AsyncExitStack() as stack:
        url = f"http://127.0.0.1:{service.number}/channels"
        clients = [await stack.enter_async_context(connect(url)) for _ in range(3)]
        for client in clients:
            await client.subscribe("news")
        for number in range(messages):
            await clients[0].publish("news", number)
        for client in clients:
            for number in range(messages):
                assert (await anext(client)).data == number
        yield


async def publish_some(service: AdministeredService) -> None:
    async with traffic(service, 10):
        pass


def metrics_of(service: AdministeredService) -> dict[str, float]:
    code, body = service.ask("/metrics")
    assert code == 200
    lines = [
        line.rpartition(" ") for line in body.decode().splitlines() if line.startswith("tornado_channels")
    ]
    return {name: float(value) for name, _, value in lines}


async def test_metrics(service):
    expected = {
        "tornado_channels_subscribers": 3,
        'tornado_channels_published_total{kind="stored"}': 10,
        "tornado_channels_delivered_total": 30,
        'tornado_channels_gaps_total{reason="history"}': 0,
        'tornado_channels_slow_clients_total{action="closed"}': 0,
        'tornado_channels_brokers{state="connected"}': 2,
        'tornado_channels_brokers{state="disconnected"}': 0,
        "tornado_channels_waiting_publications": 0,
    }

    def found() -> dict[str, float | None]:
        metrics = metrics_of(service)
        return {name: metrics.get(name) for name in expected}

    async with traffic(service, 10):
        # A worker reports its values after up to a second.
        await asyncio.to_thread(until, lambda: found() == expected)


def test_service_is_not_ready_while_channels_receive_nothing(service, redis_server):
    assert service.ask("/readyz") == (200, b"ready\n")
    redis_server.stop()
    until(lambda: service.ask("/readyz")[0] == 503)
    text = service.ask("/readyz")[1].decode()
    assert text.startswith("not ready: worker ")
    assert "channels have had no connection to their broker for " in text
    assert service.ask("/livez")[0] == 200
    redis_server.start()
    until(lambda: service.ask("/readyz") == (200, b"ready\n"))


@pytest.mark.browser
def test_dashboard_shows_channels(browser, service, redis_server):
    with showing(browser, service.admin) as page, ThreadPoolExecutor() as pool:
        pool.submit(asyncio.run, publish_some(service)).result(30)
        for title in ("subscriptions", "messages per second", "losses per second"):
            page.locator("figure", has_text=f"Channels: {title}").wait_for()
        redis_server.stop()
        page.locator("#notices", has_text="Channels receive no messages: 2 workers have").wait_for()
        redis_server.start()
        page.locator("#notices", has_text="Channels").wait_for(state="detached")
