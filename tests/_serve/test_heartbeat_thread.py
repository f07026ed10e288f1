"""The thread of a worker that talks to the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from types import SimpleNamespace

import pytest

from tests.support.service_internals import handle_message, report_beats
from tests.support.supervisor import PROGRAM, SupervisedService, children, ends
from tornado._serve import heartbeat_thread
from tornado._serve.heartbeat_thread import HeartbeatThread
from tornado._serve.message_schema import FROM_SUPERVISOR, FROM_WORKER
from tornado._serve.worker_protocol import Channel

IMPORTING = "import time\nprint('starting', flush=True)\ntime.sleep(600)\n"
STARTING = f"""{PROGRAM}
started = application

async def application():
    print("starting", flush=True)
    await asyncio.sleep(600)
    return started
"""


@pytest.mark.parametrize("source", [IMPORTING, STARTING])
def test_worker_that_starts_ends_with_its_supervisor_and_a_new_one_can_start(tmp_path, source):
    with SupervisedService(tmp_path) as service:
        service.change(source)
        service.signal(signal.SIGHUP)
        service.wait_for("starting")
        workers = children(service.process.pid)
        assert len(workers) == 2
        service.process.kill()
        for pid in workers:
            assert ends(pid)
        service.end()
        with SupervisedService(tmp_path, f"--bind=127.0.0.1:{service.number}") as second:
            assert second.worker() in children(second.process.pid)
            assert second.stop() == 0
    assert "Traceback" not in service.output


def test_worker_reports_nothing_while_it_imports_its_program(tmp_path):
    """Otherwise other workers would leave connections to it, or it would count as blocked."""
    with SupervisedService(tmp_path, "--hang-timeout=1s") as service:
        first = service.worker()
        service.change("import time\nprint('starting', flush=True)\ntime.sleep(3)\n" + PROGRAM)
        service.signal(signal.SIGHUP)
        service.wait_for("starting")
        assert service.worker() == first
        service.wait_for("reload complete")
        assert ends(first)
        assert service.stop() == 0
    assert "blocked" not in service.output


@pytest.fixture
def channels():
    """Yield the supervisor's end of a channel, and the worker's."""
    ours, theirs = Channel.pair(FROM_WORKER, FROM_SUPERVISOR)
    with contextlib.closing(ours), contextlib.closing(theirs):
        yield ours, theirs


def test_beat_during_the_report_gives_no_negative_age(channels, monkeypatch):
    """The supervisor kills a worker that sends one."""
    ours, theirs = channels
    # One second passes between two readings of the clock.
    monkeypatch.setattr(heartbeat_thread, "time", SimpleNamespace(monotonic=itertools.count().__next__))

    class Served:
        def stats(self):
            heartbeats.begin_beats()
            ours.close()  # ends the report
            return {}

    async def report():
        heartbeats.begin_beats()
        report_beats(heartbeats)

    sent = []
    monkeypatch.setattr(theirs, "send", lambda kind, **values: sent.append(values))
    heartbeats = HeartbeatThread(theirs, Served(), 1.0)
    asyncio.run(report())
    assert sent[0]["age"] == 0.0


def test_answer_that_is_too_large_is_replaced_by_an_error(channels, expect_log):
    ours, theirs = channels
    theirs.max_sent = 100
    heartbeats = HeartbeatThread(theirs, object(), 1.0, {"log": lambda: "x" * 100})
    ours.send("query", id="1.1", what="log", arguments={})
    (query,) = theirs.receive()
    with expect_log("tornado.general", "more than 100, and is discarded: reply"):
        handle_message(heartbeats, query)
    (reply,) = ours.receive()
    assert reply == {"type": "reply", "id": "1.1", "data": {"error": "the answer is too large"}}
