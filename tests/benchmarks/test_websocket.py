"""The benchmark of WebSockets: the program serves every scenario, and the report contains the figures."""

from __future__ import annotations

import argparse

import pytest

from benchmarks.macro.server.process import running
from benchmarks.macro.websocket import measure
from benchmarks.macro.websocket.__main__ import SCENARIOS, UNITS, markdown
from benchmarks.macro.websocket.load import broadcasts, clients, echoes, masked
from benchmarks.macro.websocket.peers import PEERS
from tornado._wire import ws_connection

TEXT = "0123456789abcdef" * 4


def test_program_serves_every_scenario():
    with running(PEERS["ours"]) as server:
        with clients(server.port, "/echo", 2, 32) as opened:
            for client in opened:
                client.send(masked(b"x" * 32))
                assert ws_connection.WSConnection(keys=bytes).receive_data(client.receive()) == ["x" * 32]
            assert echoes(opened, masked(b"x" * 32), 0.01) > 0
        for path in ("/loop", "/broadcast"):
            with (
                clients(server.port, "/feed", 3, 3 * 64) as feeds,
                clients(server.port, path, 1, 4) as (control,),
            ):
                control.send(masked(b"3"))
                for feed in feeds:
                    assert ws_connection.WSConnection(keys=bytes).receive_data(feed.receive()) == [TEXT * 3]
                assert control.receive() == b"\x81\x04done"
                assert len(broadcasts(control, feeds, masked(b"3"), 2)) == 6
        with (
            clients(server.port, "/deflate", 1),
            pytest.raises(RuntimeError, match="responded with b'HTTP/1.1 404"),
        ):
            with clients(server.port, "/none", 1):
                pass
        # So few connections may need less memory than the allocator releases at the same time.
        assert abs(measure.idle_memory(server, "/idle", 20)) < 100_000


def test_report_contains_figures_and_ratios(monkeypatch):
    monkeypatch.setattr("benchmarks.tables.version", lambda peer: "1.0")
    asked = argparse.Namespace(only=["ours", "tornado"], scenario=list(SCENARIOS), repeat=3, idle=10_000)
    results = {"cpu": {"ours": {"echo": 10.0, "broadcast": 7.0}, "tornado": {"echo": 40.0}}}
    text = "\n".join(markdown(results, asked))
    assert "| Waterspout | 10.0 (0.25x) | 7.0 |" in text
    assert "| Tornado 6.6.1 | 40.0 | – |" in text
    assert UNITS["memory"].capitalize() not in text
