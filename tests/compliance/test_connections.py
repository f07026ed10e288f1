"""Tests of compliance/connections: a tenth of the connections with one echo each and without a schedule, and
the detection of errors.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections import Counter

import pytest

from compliance.connections.__main__ import table
from compliance.connections.herd import Herd, Plan, Target, frame
from compliance.connections.measure import SPARE, Outcome, check_limit, run_plan
from tests.support.program import ROOT
from tests.support.server import serving
from tornado import web, websocket
from tornado._wire import ws_connection


def test_fifteen_hundred_connections_in_one_process():
    plan = Plan(1_500, 0, 1)
    try:
        check_limit(plan, ours=True)
    except ValueError as error:
        pytest.skip(str(error))
    outcome = run_plan(plan)
    assert outcome.problems() == []
    assert (outcome.opened, outcome.held, len(outcome.latencies)) == (1_500, 1_500, 1_500)
    # tests/test_many_connections checks the figures themselves; here they must be those of this run.
    assert outcome.states[2]["opened"] == 1_500
    assert f"| connections open at the same time | {1_500:,} |" in table(outcome)


def test_schedule_is_spread_evenly():
    plan = Plan(6, 60.0, 2)
    moments = sorted(moment for share in (range(0, 6, 2), range(1, 6, 2)) for moment in plan.moments(share))
    assert [at for at, _, _ in moments] == pytest.approx([10.0 * count for count in range(12)])
    assert [(turn, number) for _, turn, number in moments] == [
        (turn, number) for turn in range(2) for number in range(6)
    ]


def test_frames_are_masked():
    core = ws_connection.WSConnection()
    assert core.receive_data(frame(0x81, b"hello", 0x01020304)) == ["hello"]


class Faulty(websocket.WebSocketHandler):
    """An echo server that makes an error on some connections."""

    count = 0

    def prepare(self) -> None:
        Faulty.count += 1
        self.place = Faulty.count
        if self.place == 1:
            raise web.HTTPError(503)

    def open(self) -> None:
        if self.place == 5:
            self.ws_connection.stream.close()  # type: ignore[union-attr]

    def on_message(self, message: str | bytes) -> None:
        match self.place:
            case 2:
                self.write_message("something else")
            case 3:
                self.ws_connection.stream.close()  # type: ignore[union-attr]
            case 4:
                self.write_message(message)
                self.write_message("too much")
            case _:
                self.write_message(message)


async def test_errors_of_a_server_are_counted(monkeypatch):
    monkeypatch.setattr(Faulty, "count", 0)
    outcome = Outcome(Plan(8, 0, 1))
    async with serving(web.Application([("/echo", Faulty)])) as server:
        herd = Herd(Target.of(f"ws://127.0.0.1:{server.port}/echo"), range(8))

        def work() -> None:
            herd.open()
            herd.hold(outcome.plan, 0.0)
            outcome.held = herd.size
            herd.close()

        await asyncio.to_thread(work)
    outcome.errors, outcome.latencies, outcome.opened = herd.errors, herd.latencies, 7
    assert herd.errors["the server has closed the connection"] == 2
    assert herd.errors["invalid response to the handshake: b'HTTP/1.1 503 Service Unavailable'"] == 1
    assert sum(count for error, count in herd.errors.items() if error.startswith("wrong bytes: ")) == 2
    assert outcome.held == 3
    problems = outcome.problems()
    assert {"connections opened: 7 of 8", "connections held to the end: 3 of 8"} < set(problems)


def test_each_deviation_from_the_plan_is_a_problem():
    outcome = Outcome(Plan(2, 60.0, 1), opened=2, held=2, latencies=[0.1, 0.2])
    assert outcome.problems() == []
    outcome.states = [{"opened": 2, "closed": 1}]
    outcome.latencies.pop()
    outcome.errors = Counter({"receiving: reset": 3})
    assert outcome.problems() == [
        "3 times: receiving: reset",
        "echoes: 1 of 2",
        "calls of open(): 2; of on_close(): 1",
    ]


def test_percentiles_of_latencies():
    outcome = Outcome(Plan(1, 0, 1), latencies=[float(number) for number in range(100)])
    assert [outcome.percentile(part) for part in (0.5, 0.99, 1.0)] == [50.0, 99.0, 99.0]


def test_too_low_descriptor_limit_is_reported_before_connecting(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 1000))
    check_limit(Plan(1000 - SPARE, 60.0, 1), ours=True)
    with pytest.raises(ValueError, match="needs 1,001 file descriptors, but its hard limit is 1,000"):
        check_limit(Plan(1001 - SPARE, 60.0, 1), ours=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--connections=0"], "--connections and --minutes must be positive"),
        (
            ["--url=http://localhost/"],
            "URL must begin with ws:// and contain a host, got 'http://localhost/'",
        ),
    ],
)
def test_invalid_argument_is_reported_in_one_line(arguments, message):
    command = [sys.executable, "-m", "compliance.connections", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"scripts/compliance connections: error: {message}"
