"""The benchmark of channels: both programs deliver every message, and the report contains the figures."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from benchmarks.macro.channels.__main__ import markdown
from benchmarks.macro.channels.broker import publisher
from benchmarks.macro.channels.load import subscribers
from benchmarks.macro.channels.peers import PEERS
from benchmarks.macro.server.process import running
from tests.support.databases import running_redis


@pytest.mark.parametrize("name", ["broadcast", "channels"])
def test_messages_reach_all_subscribers(name):
    with running_redis() as redis:
        peer = replace(PEERS[name], environment={"BENCH_REDIS": redis.url})
        with (
            running(peer) as server,
            publisher(peer) as publishing,
            subscribers(server.port, name, 3) as opened,
        ):
            for number in (1, 20, 300):
                publishing.publish(number)
                assert [each.receive_number() for each in opened] == [number] * 3


def test_report_contains_figures_and_ratios(monkeypatch):
    monkeypatch.setattr("benchmarks.tables.version", lambda peer: "1.0")
    asked = argparse.Namespace(only=["broadcast", "socketio"], repeat=3, idle=10_000)
    results = {
        "CPU us per delivery, 1,000 subscribers": {"broadcast": 10.0, "socketio": 64.0},
        "bytes per idle subscriber": {"broadcast": 2100.0, "socketio": 41000.0},
    }
    text = "\n".join(markdown(results, asked))
    assert "| program | CPU us per delivery, 1,000 subscribers | bytes per idle subscriber |" in text
    assert "| Waterspout, broadcast() by hand | 10.0 | 2,100 |" in text
    assert "| python-socketio, uvicorn | 64.0 (6.40x) | 41,000 (19.52x) |" in text
