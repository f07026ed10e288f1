"""The benchmark of HTTP clients, with Waterspout's two clients and few requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.macro.client import clients, server
from benchmarks.macro.client.__main__ import PEERS, memory, serving
from tests.support.tools import need_module
from tornado.httpclient import AsyncHTTPClient


@pytest.fixture(autouse=True, params=["simple", "curl"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each of Waterspout's two clients."""
    value: str = request.param
    if value == "curl":
        need_module("pycurl", "curl")
    monkeypatch.setenv("BENCH_CLIENT", value)
    yield value
    AsyncHTTPClient.configure(None)


async def test_requests_of_the_adapter_are_answered_by_the_server():
    with serving() as port:
        async with clients.client(f"http://127.0.0.1:{port}") as client:
            for _ in range(2):
                assert await client.get("/") == 13
                assert await client.get("/", close=True) == 13
            assert await client.post("/", bytes(300_000)) == 13
            assert await client.get("/large") == server.LARGE
            assert await client.stream("/large") == server.LARGE


async def test_each_case_runs(monkeypatch):
    with serving() as port:
        monkeypatch.setenv("BENCH_PORT", port)
        from benchmarks.macro.client import cases

        monkeypatch.setattr(cases, "URL", f"http://127.0.0.1:{port}")
        for case in cases.CASES.values():
            phases = [None async for _ in case.run(1)]
            assert len(phases) == 2


def test_memory_of_an_idle_connection(implementation):
    with serving() as port:
        peer = PEERS["ours" if implementation == "simple" else "ours-curl"]
        assert 100 < memory(peer, port) < 200_000
