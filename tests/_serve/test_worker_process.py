from __future__ import annotations

import time

import pytest

from tornado._serve.process_states import WorkerState
from tornado._serve.worker_process import WorkerProcess
from tornado._serve.worker_protocol import Channel


@pytest.mark.parametrize(
    ("state", "silent", "blocked"),
    [
        (WorkerState.SERVING, 0.5, False),
        (WorkerState.SERVING, 5.0, True),
        (WorkerState.STARTING, 5.0, False),
        (WorkerState.DRAINING, 5.0, False),
    ],
)
def test_only_an_event_loop_that_serves_can_be_blocked(state, silent, blocked):
    ours, theirs = Channel.pair()
    worker = WorkerProcess(0, 0, 1, 101, ours, state)
    worker.alive = time.monotonic() - silent
    assert (worker.blocked_time() >= silent) is blocked
    assert bool(worker.blocked_time()) is blocked
    ours.close()
    theirs.close()


@pytest.fixture
def worker():
    ours, theirs = Channel.pair()
    yield WorkerProcess(0, 0, 1, 101, ours, WorkerState.SERVING)
    ours.close()
    theirs.close()


def test_numbers_of_another_version_are_not_kept(worker):
    worker.beat(0.0, {"requests": 1, "gpu": ["x"]})
    assert worker.stats == {"requests": 1}


def test_worker_of_a_supervisor_without_a_file_for_stacks_is_adopted(worker):
    """An older version has replaced itself by this one (SIGUSR2)."""
    values = worker.dump()
    del values["stacks"]
    restored = WorkerProcess.restore(values, worker.channel)
    assert (restored.pid, restored.stacks.fileno()) == (101, -1)
