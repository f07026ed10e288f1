"""The measurement of HTTP clients, with ours alone and few requests."""

from __future__ import annotations

import pytest

from benchmarks.macro.client import clients, server
from benchmarks.macro.client.__main__ import PEERS, memory, serving


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CLIENT", "simple")


async def test_server_and_adapter():
    with serving() as port:
        async with clients.client(f"http://127.0.0.1:{port}") as client:
            for _ in range(2):
                assert await client.get("/") == 13
                assert await client.get("/", close=True) == 13
            assert await client.post("/", bytes(300_000)) == 13
            assert await client.get("/large") == server.LARGE


async def test_cases_run(monkeypatch):
    with serving() as port:
        monkeypatch.setenv("BENCH_PORT", port)
        from benchmarks.macro.client import cases

        monkeypatch.setattr(cases, "URL", f"http://127.0.0.1:{port}")
        for case in cases.CASES.values():
            phases = [None async for _ in case.run(1)]
            assert len(phases) == 2


def test_memory_of_an_idle_connection():
    with serving() as port:
        assert 100 < memory(PEERS["ours"], port) < 100_000
