"""Snapshots of a process, and their form for Prometheus."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import Server, serving
from tornado import web, websocket
from tornado.httpclient import AsyncHTTPClient
from tornado.web._observation import _prometheus
from tornado.web._observation._catalog import CATALOG, REQUESTS
from tornado.web._observation._snapshot import take_snapshot

LINUX = sys.platform == "linux"


class Plain(web.RequestHandler):
    def get(self) -> None:
        self.write("12345")


class Echo(websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


class Events(web.EventSourceHandler):
    closing: asyncio.Event

    async def get(self) -> None:
        self.send_event("hello")
        await self.closing.wait()


ROUTES: list[Any] = [("/", Plain), ("/echo", Echo), ("/events", Events), ("/metrics", web.MetricsHandler)]


def snapshot_of(application: web.Application) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(take_snapshot(application.observer)))  # type: ignore[arg-type]
    return found


async def samples(server: Server) -> dict[str, float]:
    """Return the samples that Prometheus reads, by name and labels."""
    response = await server.fetch("/metrics")
    assert response.get("content-type").startswith("text/plain; version=0.0.4")
    return {
        ",".join([each.name, *(f"{name}={value}" for name, value in sorted(each.labels.items()))]): each.value
        for family in text_string_to_metric_families(response.body.decode())
        for each in family.samples
    }


async def test_connections_are_counted_by_kind() -> None:
    Events.closing = asyncio.Event()
    application = web.Application(ROUTES, metrics=True)
    async with serving(application) as server:
        idle, stream = await server.connect(), await server.connect()
        await idle.fetch("/")
        stream.get("/events")
        await stream.reader.readuntil(b"hello")
        async with websocket.websocket_connect(f"ws://127.0.0.1:{server.port}/echo") as connection:
            # Messages are counted per process, in which other tests may have sent some.
            before = snapshot_of(application)["counters"]["tornado.websocket.messages"]
            for text in ("one", "two"):
                await connection.write_message(text)
                assert await connection.read_message() == text
            gauges = snapshot_of(application)["gauges"]
            after = snapshot_of(application)["counters"]["tornado.websocket.messages"]
        Events.closing.set()
    assert gauges["tornado.connections"] == {
        "active": 0,
        "idle": 1,
        "waiting": 0,
        "event_stream": 1,
        "websocket": 1,
    }
    assert gauges["http.server.active_requests"] == 1
    # At both ends of the connection.
    assert {name: after[name] - before[name] for name in after} == {"received": 4, "sent": 4}


@pytest.mark.skipif(not LINUX, reason="requires Linux")
async def test_connections_that_wait_to_be_accepted_are_counted() -> None:
    application = web.Application(ROUTES, metrics=True)
    async with serving(application) as server:
        clients = [socket.create_connection(server.address) for _ in range(3)]
        # The event loop has not run since then, so it has not accepted them.
        assert snapshot_of(application)["gauges"]["tornado.accept.backlog"] == 3
        for client in clients:
            client.close()
        await server.fetch("/")
        assert snapshot_of(application)["gauges"]["tornado.accept.backlog"] == 0


@pytest.mark.skipif(not LINUX, reason="requires Linux")
async def test_process_is_measured(tmp_path: Path) -> None:
    application = web.Application(ROUTES, metrics=True)
    async with serving(application):
        before = snapshot_of(application)
        files = [os.open(tmp_path / str(number), os.O_CREAT) for number in range(10)]
        task = asyncio.create_task(asyncio.Event().wait())
        after = snapshot_of(application)
        for file in files:
            os.close(file)
        task.cancel()

    def difference(name: str) -> Any:
        return after["gauges"][name] - before["gauges"][name]

    assert difference("process.open_file_descriptor.count") == 10
    assert difference("asyncio.tasks") == 1
    assert after["gauges"]["process.memory.usage"] > 10_000_000
    assert after["counters"]["process.cpu.time"]["user"] > 0


async def test_requests_of_clients_are_counted() -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    class Slow(web.RequestHandler):
        async def get(self) -> None:
            arrived.set()
            await release.wait()

    application = web.Application([("/", Slow)], metrics=True)
    async with serving(application) as server:
        client = AsyncHTTPClient(force_instance=True, max_clients=1)
        fetches = [client.fetch(f"http://127.0.0.1:{server.port}/") for _ in range(3)]
        await arrived.wait()
        gauges = snapshot_of(application)["gauges"]
        release.set()
        await asyncio.gather(*fetches)
        after = snapshot_of(application)["gauges"]
        client.close()
    assert gauges["http.client.requests"] == {"active": 1, "queued": 2}
    assert after["http.client.requests"] == {"active": 0, "queued": 0}
    assert after["http.client.open_connections"] == {"idle": 1}


async def test_collections_and_loop_delay_are_measured() -> None:
    application = web.Application(ROUTES, metrics=True)
    async with serving(application):
        before = snapshot_of(application)["histograms"]
        gc.collect()
        assert sum(snapshot_of(application)["histograms"]["cpython.gc.pause"]["counts"]) > sum(
            before["cpython.gc.pause"]["counts"]
        )
        while not sum(snapshot_of(application)["histograms"]["tornado.event_loop.delay"]["counts"]):
            await asyncio.sleep(0)


async def test_metrics_for_prometheus() -> None:
    application = web.Application(ROUTES, metrics=True)
    async with serving(application) as server:
        for _ in range(2):
            await server.fetch("/")
        await server.fetch("/missing")
        found = await samples(server)
        again = await samples(server)
    labels = "http_request_method=GET,http_response_status_code=200,http_route=/"
    assert found[f"http_server_request_duration_seconds_count,{labels}"] == 2
    assert found[f"http_server_response_body_size_bytes_sum,{labels}"] == 10
    assert found[f"http_server_response_body_size_bytes_bucket,{labels},le=3.0"] == 0
    assert found[f"http_server_response_body_size_bytes_bucket,{labels},le=15.0"] == 2
    missing = "http_request_method=GET,http_response_status_code=404,http_route="
    assert found[f"http_server_request_duration_seconds_count,{missing}"] == 1
    assert found["http_server_active_requests"] == 1
    assert found["tornado_connections,kind=websocket"] == 0
    metrics = "http_request_method=GET,http_response_status_code=200,http_route=/metrics"
    assert again[f"http_server_request_duration_seconds_count,{metrics}"] == 1


def test_every_metric_has_a_form_for_prometheus() -> None:
    snapshot: dict[str, Any] = {"requests": [], "counters": {}, "gauges": {}, "histograms": {}}
    for name, metric in CATALOG.items():
        value: Any = {"bounds": [1], "counts": [1, 2], "sum": 3.0} if metric.kind == "histograms" else 1
        snapshot[metric.kind][name] = {"one": 1} if metric.label else value
    text = _prometheus.metrics_text([snapshot, snapshot]).decode()
    families = {each.name: each for each in text_string_to_metric_families(text)}
    assert len(families) == len(CATALOG) + len(REQUESTS)
    assert families["tornado_workers_restarts"].samples[0].labels == {"reason": "one"}
    assert families["tornado_workers_restarts"].samples[0].value == 2


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_prometheus, "prometheus_client", None)
    with pytest.raises(ImportError, match="pip install prometheus-client"):
        _prometheus.metrics_text([])


async def test_metrics_handler_requires_an_observed_application(expect_log: Any) -> None:
    async with serving(web.Application(ROUTES)) as server:
        with expect_log("tornado.application", "Uncaught exception") as expected:
            assert (await server.fetch("/metrics")).code == 500
    assert "requires a setting of the application" in str(expected.records[0].exc_info[1])
