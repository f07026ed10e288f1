"""Replaces the supervisor by a new instance of its program, while its workers continue to serve (SIGUSR2).

The new instance runs in the same process (``exec``), so the workers remain its children, and service
managers see the same process ID. It receives the listening sockets and a description of the workers. A trial
run of the command line in another process checks beforehand that the new instance can start.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from tornado import _process_replacement
from tornado._serve import supervisor_signals
from tornado._serve.fair_accept import ConnectionTable
from tornado._serve.message_schema import FROM_WORKER
from tornado._serve.service_lock import ServiceLock
from tornado._serve.worker_pool import WorkerPool
from tornado._serve.worker_process import WorkerProcess
from tornado._serve.worker_protocol import Channel
from tornado._serve.worker_slot import Slot

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

_KEY = "supervisor"
#: The trial run prints nothing but its errors.
_QUIET = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]


def inherited_state() -> dict[str, Any] | None:
    """Return the state that the previous supervisor in this process has passed on, or None.

    Its descriptors are made non-inheritable, so that child processes do not receive them.
    """
    state: dict[str, Any] | None = _process_replacement.inherited(_KEY)
    if state is not None:
        for descriptor in state["descriptors"]:
            os.set_inheritable(descriptor, False)
    return state


def begin_trial(command: Sequence[str]) -> int:
    """Start the trial run and return its process ID.

    :param command: a command line whose exit status is 0 if a new supervisor could start.
    """
    return os.posix_spawn(command[0], list(command), os.environ, file_actions=_QUIET)


def replace(
    pool: WorkerPool,
    pid_file: int | None,
    listening: Sequence[int],
    signals: supervisor_signals.SignalQueue,
    admin: dict[str, Any] | None = None,
) -> None:
    """Replace this supervisor. This function returns only if that fails; the error has been logged.

    :param pid_file: the descriptor of the locked PID file.
    :param listening: the descriptors of the listening sockets. ``--bind fd:3`` needs the same number again.
    :param signals: the signals, which the new supervisor handles.
    :param admin: the result of `AdminProcess.dump`.
    """
    workers = [worker.dump() for worker in pool]
    found = [worker[name] for worker in workers for name in ("channel", "stacks")]
    descriptors = [each for each in found if each >= 0]  # an older version had no file for stacks
    descriptors += [pool.table.descriptor, *pool.lock.descriptors(), *listening]
    if pid_file is not None:
        descriptors.append(pid_file)
    if admin is not None:
        descriptors.append(admin["channel"])
    state = {
        "workers": workers,
        "slots": [_dump_slot(slot) for slot in pool.slots],
        "generation": pool.generation,
        "restarts": dict(pool.restarts),
        "table": pool.table.descriptor,
        "lock": pool.lock.descriptors(),
        "pid_file": pid_file,
        "admin": admin,
        "descriptors": descriptors,
    }
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    signals.hand_over()
    try:
        _process_replacement.execute({_KEY: state})
    finally:
        supervisor_signals.unblock()
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)


def _dump_slot(slot: Slot) -> list[int | None]:
    workers = [None if worker is None else worker.pid for worker in (slot.worker, slot.candidate)]
    return [*workers, slot.starts]


def restore(pool: WorkerPool, state: dict[str, Any]) -> None:
    """Adopt the workers of the previous supervisor."""
    pool.generation = state["generation"]
    pool.restarts.update(state["restarts"])
    workers: dict[int | None, WorkerProcess] = {}
    for values in state["workers"]:
        unread = values["unread"].encode("latin-1")
        channel = Channel(socket.socket(fileno=values["channel"]), unread, FROM_WORKER)
        workers[values["pid"]] = worker = WorkerProcess.restore(values, channel)
        pool.add(worker)
    for number, (worker_pid, candidate_pid, starts) in enumerate(state["slots"]):
        slot = Slot(number)
        slot.starts = starts
        slot.worker, slot.candidate = workers.get(worker_pid), workers.get(candidate_pid)
        pool.slots.append(slot)


def restore_table(state: dict[str, Any] | None) -> ConnectionTable:
    """Return the table of connections, that of the previous supervisor if there was one."""
    return ConnectionTable(None if state is None else state["table"])


def restore_lock(state: dict[str, Any]) -> ServiceLock:
    """Return the locks of the previous supervisor."""
    return ServiceLock.inherit(state["lock"])


__all__ = ["begin_trial", "inherited_state", "replace", "restore", "restore_lock", "restore_table"]
