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
