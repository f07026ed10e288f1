"""The replacement of the supervisor in its process."""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace

from tornado import _process_replacement
from tornado._serve import supervisor_exec
from tornado._serve.process_states import WorkerState
from tornado._serve.worker_process import WorkerProcess
from tornado._serve.worker_protocol import Channel


class Pool(list):
    """The workers, without a file for stacks."""

    slots: list = []
    restarts: dict = {}
    generation = 1
    lock = SimpleNamespace(descriptors=list)

    def __init__(self, workers, table):
        super().__init__(workers)
        self.table = SimpleNamespace(descriptor=table)


def test_worker_of_an_older_version_can_be_handed_over_again(monkeypatch):
    inherited = []
    monkeypatch.setattr(
        _process_replacement,
        "execute",
        lambda state: inherited.extend(next(iter(state.values()))["descriptors"]),
    )
    signals = SimpleNamespace(hand_over=lambda: None)
    ours, theirs = Channel.pair()
    reading, writing = os.pipe()
    with contextlib.closing(ours), contextlib.closing(theirs):
        worker = WorkerProcess(0, 0, 1, 101, ours, WorkerState.SERVING)
        supervisor_exec.replace(Pool([worker], reading), None, [], signals)
        assert inherited == [ours.fileno(), reading]
        assert not os.get_inheritable(reading)
    os.close(reading)
    os.close(writing)
