"""Cases in worker processes: every case runs, and the figures are in the tables."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import pytest

from benchmarks import certificates, workers
from benchmarks.arguments import add_choice
from benchmarks.macro.stream import cases as stream_cases
from benchmarks.micro.cases import waiting
from benchmarks.peers import ROOT, UVLOOP, tornado_peers
from benchmarks.worker import Case

PEERS = tornado_peers(workers.WORKER)
MICRO = "benchmarks.micro.cases.waiting"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    certificates.write(folder)
    return folder


@pytest.mark.parametrize("name", [*stream_cases.CASES, *waiting.CASES])
async def test_every_case_runs(name: str, tls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_TLS", str(tls))
    work = (stream_cases.CASES | waiting.CASES)[name].run(10 if "/" in name else 2)
    await anext(work)
    await anext(work, None)
    await anext(work, None)
    with pytest.raises(StopAsyncIteration):
        await anext(work)


def test_peers_run_in_turn() -> None:
    case = waiting.CASES["coroutine/call"]
    peers = [PEERS["ours"], PEERS["ours-uvloop"]]
    comparison = workers.Comparison(peers, MICRO)
    comparison.time([case], 0.001, 2)
    assert all(0 < row["cpu"] < 1000 for row in comparison.results[case.name].values())
    assert list(comparison.results[case.name]) == ["ours", "ours-uvloop"]


def test_failing_worker_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    unknown = Case("unknown", "", waiting.CASES["coroutine/call"].run)
    with (
        workers.working(PEERS["ours"], MICRO, {}, None) as worker,
        pytest.raises(RuntimeError, match="exited"),
    ):
        worker.seconds(unknown, 1)
    assert "KeyError: 'unknown'" in capfd.readouterr().err


def test_loop_is_the_configured_one() -> None:
    program = (
        "import asyncio; from benchmarks import worker; worker.serve = lambda cases: show(); worker.main()"
    )
    show = "async def show(): print(type(asyncio.get_running_loop()).__module__)\n"
    done = subprocess.run(
        [PEERS["ours"].python(), "-c", show + program, MICRO],
        cwd=ROOT,
        env=UVLOOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "uvloop\n", done.stderr


def test_tables_contain_figures_and_ratios() -> None:
    case = waiting.CASES["lock/free"]
    results = {case.name: {"ours": {"cpu": 1.5}, "tornado": {"cpu": 3.0}, "tornado-uvloop": {"cpu": 1234.0}}}
    peers = [PEERS["ours"], PEERS["tornado"], PEERS["tornado-uvloop"]]
    text = "\n".join(workers.markdown(results, [case, waiting.CASES["lock/acquire"]], peers))
    assert f"| {case.title} | 1.5 (0.50x) | 3.0 | 1,234 |" in text
    assert "instructions" not in text
    assert "lock/acquire" not in text


def test_names_on_the_command_line() -> None:
    parser = argparse.ArgumentParser()
    add_choice(parser, "--only", PEERS)
    assert parser.parse_args([]).only == list(PEERS)
    assert parser.parse_args(["--only", "ours,tornado"]).only == ["ours", "tornado"]
    with pytest.raises(SystemExit):
        parser.parse_args(["--only", "nobody"])
