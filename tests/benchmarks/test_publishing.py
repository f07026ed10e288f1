"""The benchmark of publishing: every message arrives, and the report contains the figures."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.program import ROOT


def test_report_contains_figures(redis_server, tmp_path):
    command = [sys.executable, "-m", "benchmarks", "publishing", "--messages=20", "--published=500"]
    done = subprocess.run(
        [*command, f"--output={tmp_path}"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "publishing.json").read_text())
    assert [name for name, _ in report["rows"]] == [
        "latency of a message, `Hub`, asyncio",
        "latency of a message, redis-py, asyncio",
        "latency of a message, `Hub`, uvloop",
        "latency of a message, redis-py, uvloop",
        "messages per second of 100 publishers in one process, asyncio",
        "growth of its memory over 500 messages, asyncio",
    ]
    assert "| latency of a message, `Hub`, asyncio | " in (tmp_path / "publishing.md").read_text()
