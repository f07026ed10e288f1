"""The places for workers, and the back-off of their restarts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tornado._serve.process_states import WorkerState
from tornado._serve.worker_process import WorkerProcess
from tornado._serve.worker_protocol import Channel
from tornado._serve.worker_slot import MAX_DELAY, MIN_DELAY, Slot


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    first, second = Channel.pair()
    with contextlib.closing(first), contextlib.closing(second):
        yield WorkerProcess(0, 0, 1, 0, first, WorkerState.STARTING)


def test_delay_doubles_up_to_its_maximum(worker):
    slot = Slot(0)
    delays = [slot.schedule("killed", worker) for _ in range(12)]
    assert delays[:3] == [MIN_DELAY, 2 * MIN_DELAY, 4 * MIN_DELAY]
    assert delays[-2:] == [MAX_DELAY, MAX_DELAY]
    assert slot.reason == "killed"
    assert slot.restart_at is not None


def test_worker_that_has_served_for_long_ends_the_back_off(worker):
    slot = Slot(0)
    for _ in range(5):
        slot.schedule("killed", worker)
    worker.set_ready()
    assert slot.schedule("killed", worker) > MIN_DELAY
    worker.ready_at = time.monotonic() - 11
    assert slot.schedule("killed", worker) == MIN_DELAY


def test_end_of_the_back_off_starts_at_once(worker):
    slot = Slot(0)
    slot.end_back_off()
    assert slot.restart_at is None
    for _ in range(5):
        slot.schedule("killed", worker)
    slot.end_back_off()
    assert slot.restart_at is not None
    assert slot.restart_at <= time.monotonic()
    assert slot.schedule("killed", worker) == MIN_DELAY


def test_candidate_becomes_the_worker(worker):
    slot = Slot(0)
    assert slot.is_empty
    slot.candidate = worker
    assert not slot.is_empty
    assert slot.promote() is None
    assert slot.worker is worker
    assert not slot.is_serving
    worker.set_ready()
    assert slot.is_serving
    assert slot.forget(worker)
    assert not slot.forget(worker)
    assert slot.is_empty
