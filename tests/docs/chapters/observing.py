"""docs/guide/observing.md."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.guides import Run
from tests.support.observation import lines_of, restored_process
from tests.support.server import serving
from tornado.web._observation._in_flight import describe_requests


async def check_shop(run: Run) -> None:
    with restored_process():
        application = run.program["make_app"]()
        format_ = logging.Formatter("%(request_id)s %(message)s")
        lines: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(format_.format(record))  # type: ignore[method-assign]
        log: logging.Logger = run.program["log"]
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            async with serving(application) as server:
                item = await server.fetch("/item/12")
                metrics = await server.fetch("/metrics")
        finally:
            log.removeHandler(handler)
    identifier = item.get("x-request-id")
    assert json.loads(item.body) == {"item": 12, "route": "/item/([0-9]+)"}
    assert lines == [f"{identifier} looking up 12"]
    (first, _) = [json.loads(line) for line in lines_of(application, run.folder / "access.log")]
    assert (first["request_id"], first["route"]) == (identifier, "/item/([0-9]+)")
    assert b'http_route="/item/([0-9]+)"} 1.0' in metrics.body


async def check_poll(run: Run) -> None:
    with restored_process():
        application = run.program["make_app"]()
        observer = application.observer
        async with serving(application) as server:
            peer = await server.connect()
            peer.get("/changes")
            while not any(each["is_waiting"] for each in describe_requests(observer)):
                await asyncio.sleep(0)
            application.settings["changed"].set()
            assert json.loads((await peer.response()).body) == {"changed": True}


async def check_traced(run: Run) -> None:
    providers: list[Any] = []
    with pytest.MonkeyPatch.context() as patch, restored_process():
        patch.setattr(trace, "set_tracer_provider", providers.append)
        patch.setattr(trace, "get_tracer", lambda *scope: providers[0].get_tracer(*scope))
        application = run.program["make_app"]()
        exporter = InMemorySpanExporter()
        (provider,) = providers
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        async with serving(application) as server:
            assert (await server.fetch("/")).body == b"hello"
    (span,) = exporter.get_finished_spans()
    assert (span.name, (span.attributes or {})["greeting"]) == ("GET /", "hello")
