"""The server benchmark: the program accepts every scenario, and the report contains the figures."""

from __future__ import annotations

import json

import pytest

from benchmarks.macro.server import report
from benchmarks.macro.server.load import connections, rounds
from benchmarks.macro.server.peers import PEERS
from benchmarks.macro.server.process import running
from benchmarks.macro.server.scenarios import SCENARIOS

BODIES = {
    "root": b"Hello, world!",
    "browser": b"Hello, world!",
    "hooked": b"Hello, world!",
    "suspend": b"Hello, world!",
    "form": b"Ann",
    "item": b'{"id": 42, "q": "abc"}',
    "proxied": b'{"id": 42, "q": "abc"}',
    "cookie": b'{"id": 42, "q": "abc"}',
}


def test_program_responds_to_every_scenario():
    with running(PEERS["ours"]) as server, connections(server.port, 2) as opened:
        for name, body in BODIES.items():
            for connection in opened:
                connection.send(SCENARIOS[name].request(server.port))
            for connection in opened:
                assert connection.receive() == body
        assert rounds(opened, SCENARIOS["pipelined"].requests(server.port), 3, depth=16) == 96
        assert server.cpu_seconds() > 0
        assert server.memory() > 1_000_000


def test_program_serves_tls(certificates, tmp_path):
    tls = certificates.certificate_file.parent
    with running(PEERS["ours"], tls=tls) as server:
        with connections(server.port, 1, certificates.client_context) as (connection,):
            connection.send(SCENARIOS["tls"].request(server.port))
            assert connection.receive() == BODIES["root"]


def test_program_that_does_not_start_shows_its_output(monkeypatch):
    monkeypatch.setitem(PEERS["ours"].environment, "BENCH_PORT", "nonsense")
    monkeypatch.setenv("BENCH_LOOP", "uvloop")
    with pytest.raises(RuntimeError, match="did not start"):
        with running(PEERS["ours"], tls=PEERS["ours"].app):
            pass


def test_the_browser_sends_twelve_fields():
    head = SCENARIOS["browser"].request(8888).decode()
    assert head.count("\r\n") == 1 + 12 + 1


@pytest.mark.parametrize(
    ("name", "differing"),
    [
        ("proxied", []),
        ("path", ["GET /item/"]),
        ("cookie", ["Cookie"]),
        ("differs", ["GET /item/", "X-Request-Id", "X-Forwarded-For", "Cookie"]),
    ],
)
def test_requests_that_differ(name, differing):
    requests = SCENARIOS[name].requests(8888)
    first, second = (next(requests).decode().split("\r\n") for _ in range(2))
    assert len(first) == len(second) == 1 + 12 + 2
    changed = [line for line, other in zip(first, second, strict=True) if line != other]
    assert len(changed) == len(differing)
    assert all(line.startswith(start) for line, start in zip(changed, differing, strict=True))
    assert "@" not in "".join(first + second)


def test_report_contains_figures_and_ratios(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "version", lambda peer: f"{peer.name} 1.0")
    results = {
        "ours": {"root": {"cpu": 20.0}},
        "tornado": {"root": {"cpu": 100.0}, "idle": {"memory": 9000.0}},
    }
    path = report.write(results, {"seconds": 4.0, "repeat": 3, "idle": 10_000}, tmp_path)
    text = path.read_text()
    assert "| Waterspout | 20 (0.20x) |" in text
    assert "| Tornado 6.6.1 | 9,000 |" in text
    record = json.loads((tmp_path / "server.json").read_text())
    assert record["results"] == results
    assert record["machine"]["python"].startswith("CPython")
