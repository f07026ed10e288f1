"""The setting ``opentelemetry``: traces and metrics, with the SDK of OpenTelemetry."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.support.server import ExpectLog, serving
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans that have ended."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    """The metrics."""
    found = InMemoryMetricReader()
    provider = MeterProvider([found])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    yield found
    provider.shutdown()


class Item(web.RequestHandler):
    async def get(self, number: str) -> None:
        await asyncio.sleep(0)
        span = trace.get_current_span()
        span.set_attribute("item", number)
        inside = await asyncio.create_task(self.part())
        assert inside is span
        self.write("item")

    async def part(self) -> Any:
        return trace.get_current_span()


class Failing(web.RequestHandler):
    def get(self) -> None:
        raise ValueError("failed")


class Calling(web.RequestHandler):
    async def get(self) -> None:
        await AsyncHTTPClient().fetch(f"http://user:password@{self.request.host}/item/1")


ROUTES: list[Any] = [(r"/item/(\d+)", Item), ("/failing", Failing), ("/calling", Calling)]


async def test_server_span_of_a_request(spans: InMemorySpanExporter) -> None:
    async with serving(web.Application(ROUTES, opentelemetry=True)) as server:
        await server.fetch("/item/7?a=b", f"Traceparent: {PARENT}", "User-Agent: test")
        await server.fetch("/missing")
    item, missing = spans.get_finished_spans()
    assert (item.name, item.kind, item.status.status_code) == (
        r"GET /item/(\d+)",
        SpanKind.SERVER,
        StatusCode.UNSET,
    )
    assert item.context is not None
    assert f"{item.context.trace_id:032x}" == TRACE
    assert item.parent is not None
    assert f"{item.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert dict(item.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": r"/item/(\d+)",
        "http.response.status_code": 200,
        "http.response.body.size": 4,
        "url.scheme": "http",
        "url.path": "/item/7",
        "url.query": "a=b",
        "server.address": "localhost",
        "client.address": "127.0.0.1",
        "network.protocol.version": "1.1",
        "user_agent.original": "test",
        "item": "7",
    }
    assert (missing.name, missing.parent, missing.status.status_code) == ("GET", None, StatusCode.UNSET)


async def test_server_span_of_an_error(spans: InMemorySpanExporter, expect_log: ExpectLog) -> None:
    async with serving(web.Application(ROUTES, opentelemetry=True)) as server:
        with expect_log("tornado.application", "Uncaught exception"):
            await server.fetch("/failing")
    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "builtins.ValueError"
    (event,) = span.events
    assert event.name == "exception"


async def test_client_span_connects_the_traces(spans: InMemorySpanExporter) -> None:
    async with serving(web.Application(ROUTES, opentelemetry=True)) as server:
        await server.fetch("/calling", f"Host: 127.0.0.1:{server.port}")
        port = server.port
    inner, client, outer = spans.get_finished_spans()
    assert (inner.kind, client.kind, outer.kind) == (SpanKind.SERVER, SpanKind.CLIENT, SpanKind.SERVER)
    assert inner.parent is not None
    assert client.parent is not None
    assert client.context is not None
    assert outer.context is not None
    assert inner.parent.span_id == client.context.span_id
    assert client.parent.span_id == outer.context.span_id
    assert dict(client.attributes or {}) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.full": f"http://127.0.0.1:{port}/item/1",
    }


async def test_secrets_in_queries_are_redacted(spans: InMemorySpanExporter) -> None:
    application = web.Application(ROUTES, opentelemetry=True, opentelemetry_secrets=["code"])
    async with serving(application) as server:
        url = f"http://127.0.0.1:{server.port}/item/1"
        await AsyncHTTPClient().fetch(f"{url}?a=1&access%5Ftoken=x&code=y&sig=z&Code=c#token=x")
    inner, client = spans.get_finished_spans()
    query = "a=1&access%5Ftoken=REDACTED&code=REDACTED&sig=REDACTED&Code=c"
    assert (inner.attributes or {})["url.query"] == query
    assert (client.attributes or {})["url.full"] == f"{url}?{query}#token=REDACTED"


@pytest.mark.parametrize("names", ["code", 1, [b"code"]])
def test_wrong_names_of_secrets_are_reported(names: Any, spans: InMemorySpanExporter) -> None:
    with pytest.raises(TypeError, match="opentelemetry_secrets must be a list of names of query parameters"):
        web.Application([], opentelemetry=True, opentelemetry_secrets=names)


async def test_client_spans_of_errors(spans: InMemorySpanExporter) -> None:
    async with serving(web.Application(ROUTES, opentelemetry=True)) as server:
        client = AsyncHTTPClient()
        request = HTTPRequest(f"http://127.0.0.1:{server.port}/missing")
        with pytest.raises(HTTPClientError):
            await client.fetch(request)
        assert (await client.fetch(request, raise_error=False)).code == 404
        port = server.port
    with pytest.raises(OSError, match="refused"):
        await client.fetch(f"http://127.0.0.1:{port}/")
    found = [each for each in spans.get_finished_spans() if each.kind is SpanKind.CLIENT]
    assert [(each.attributes or {}).get("error.type") for each in found] == [
        "404",
        "404",
        "ConnectionRefusedError",
    ]
    assert {each.status.status_code for each in found} == {StatusCode.ERROR}
    assert found[2].events[0].name == "exception"


async def test_metrics(reader: InMemoryMetricReader, spans: InMemorySpanExporter) -> None:
    async with serving(web.Application(ROUTES, opentelemetry=True)) as server:
        for _ in range(2):
            await server.fetch("/item/7")
    found: Any = reader.get_metrics_data()
    points = {
        metric.name: metric.data.data_points[0]
        for metric in found.resource_metrics[0].scope_metrics[0].metrics
    }
    assert set(points) == {
        "http.server.request.duration",
        "http.server.response.body.size",
        "http.server.active_requests",
    }
    duration = points["http.server.request.duration"]
    assert duration.count == 2
    assert dict(duration.attributes) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": r"/item/(\d+)",
        "network.protocol.version": "1.1",
        "url.scheme": "http",
    }
    assert points["http.server.response.body.size"].sum == 8
    assert points["http.server.active_requests"].value == 0


def test_missing_package_is_named() -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None
from tornado import web
try:
    web.Application(opentelemetry=True)
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)
    assert b"pip install opentelemetry-api" in done.stdout
