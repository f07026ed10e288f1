"""The worker processes of a supervisor: forking, messages, reaping."""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from tornado._serve.configuration import Configuration
from tornado._serve.fair_accept import ConnectionTable
from tornado._serve.forking import fork
from tornado._serve.message_schema import FROM_SUPERVISOR, FROM_WORKER
from tornado._serve.process_states import WorkerState
from tornado._serve.service_lock import ServiceLock
from tornado._serve.stack_file import StackFile
from tornado._serve.worker_process import WorkerProcess
from tornado._serve.worker_protocol import MAX_WORKER_MESSAGE_SIZE, Channel, Message
from tornado._serve.worker_slot import MIN_DELAY, Slot
from tornado.log import escape_controls, gen_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker process receives from its supervisor.

    :ivar number: the number of its slot, counted from 0.
    :ivar seat: its index in `table`.
    :ivar channel: its end of the connection to the supervisor.
    :ivar table: the numbers of connections of all workers.
    :ivar lock: the locks of the addresses, which it closes when it has stopped accepting.
    :ivar stacks: the file for its stacks.
    """

    number: int
    seat: int
    channel: Channel
    table: ConnectionTable
    lock: ServiceLock
    stacks: StackFile


class PoolEvents(Protocol):
    """The reactions of the supervisor to events of its workers."""

    def worker_ready(self, slot: Slot, worker: WorkerProcess) -> None:
        """Handle a candidate that accepts connections."""

    def worker_leaving(self, slot: Slot, worker: WorkerProcess) -> None:
        """Handle a worker that drains because of a signal of its own."""

    def worker_exited(self, slot: Slot | None, worker: WorkerProcess, status: int) -> None:
        """Handle the end of a process.

        :param slot: the slot whose worker or candidate it was, or None.
        :param status: its exit status; negative if a signal has killed it.
        """

    def stranger_exited(self, pid: int, status: int) -> None:
        """Handle the end of a process that is not a worker."""

    def reply(self, worker: WorkerProcess, message: Message) -> None:
        """Handle the answer to a query."""

    def last_report(self, worker: WorkerProcess, snapshot: Any, recent: Any) -> None:
        """Handle the last counts of a worker, and its recent errors; None if it is not observed."""


class WorkerPool:
    """All worker processes, including those that are draining.

    :param run_worker: runs a worker in the child process, and returns its exit status.
    :param close_in_child: closes what a worker process must not keep open; it calls `close_in_child`.
    :ivar slots: the places for workers.
    :ivar processes: all processes by their ID.
    :ivar generation: the number that new workers have; a reload raises it.
    :ivar restarts: the number of starts by reason, without the first one of each slot.
    """

    def __init__(
        self,
        configuration: Configuration,
        run_worker: Callable[[WorkerContext], int],
        selector: selectors.BaseSelector,
        table: ConnectionTable,
        lock: ServiceLock,
        close_in_child: Callable[[], None],
    ) -> None:
        self._configuration = configuration
        self._run_worker = run_worker
        self._selector = selector
        self.table = table
        self.lock = lock
        self._close_in_child = close_in_child
        self.events: PoolEvents | None = None
        self.slots: list[Slot] = []
        self.processes: dict[int, WorkerProcess] = {}
        self.generation = 1
        self.restarts: Counter[str] = Counter()

    def __iter__(self) -> Iterator[WorkerProcess]:
        return iter(list(self.processes.values()))

    def serving(self) -> int:
        """Return the number of slots whose worker is well."""
        return sum(slot.is_serving for slot in self.slots)

    def leaving(self) -> int:
        """Return the number of processes that no slot has any more."""
        return len(self.processes) - sum(
            (slot.worker is not None) + (slot.candidate is not None) for slot in self.slots
        )

    # -- starting --

    def start(self, slot: Slot, reason: str) -> None:
        """Start a candidate for a slot. If that is impossible now, try again after a moment."""
        slot.reason, slot.restart_at = reason, None
        slot.starts += 1
        try:
            slot.candidate = self._fork(slot)
        except (OSError, RuntimeError) as error:
            gen_log.error("cannot start worker %d: %s", slot.number, error)
            slot.restart_at = time.monotonic() + MIN_DELAY * 10
            return
        if reason != "start":
            self.restarts[reason] += 1

    def start_due(self, now: float) -> None:
        """Start the workers whose delay has passed."""
        for slot in self.slots:
            if slot.is_empty:
                slot.restart_at = (
                    now  # it was empty when the supervisor was replaced, or its reload has failed
                )
            if slot.restart_at is not None and slot.restart_at <= now and slot.candidate is None:
                self.start(slot, slot.reason)

    def _fork(self, slot: Slot) -> WorkerProcess:
        with contextlib.ExitStack() as undo:
            seat = self.table.take_seat()
            undo.callback(self.table.free_seat, seat)
            stacks = StackFile()
            undo.callback(stacks.close)
            ours, theirs = Channel.pair(FROM_WORKER, FROM_SUPERVISOR)
            undo.callback(ours.close)
            theirs.max_sent = MAX_WORKER_MESSAGE_SIZE

            def run() -> int:
                ours.close()
                return self._run_child(
                    WorkerContext(slot.number, seat, theirs, self.table, self.lock, stacks)
                )

            with contextlib.closing(theirs):
                pid = fork(run)
            undo.pop_all()
        worker = WorkerProcess(slot.number, seat, self.generation, pid, ours, WorkerState.STARTING)
        worker.stacks = stacks
        worker.deadline = time.monotonic() + self._configuration.start_timeout
        if self._configuration.max_requests is not None:
            jitter = random.randint(0, self._configuration.max_requests_jitter)
            worker.request_limit = self._configuration.max_requests + jitter
        self.add(worker)
        return worker

    def _run_child(self, context: WorkerContext) -> int:
        """Run a worker in the child process."""
        self._close_in_child()
        return self._run_worker(context)

    def close_in_child(self) -> None:
        """Close what belongs to the supervisor, in a child process."""
        self._selector.close()
        for worker in self.processes.values():
            worker.channel.close()
            worker.stacks.close()

    def add(self, worker: WorkerProcess) -> None:
        """Watch a worker."""
        self.processes[worker.pid] = worker
        self._selector.register(worker.channel, selectors.EVENT_READ, lambda: self._on_input(worker))

    # -- messages --

    def _on_input(self, worker: WorkerProcess) -> None:
        worker.channel.flush()
        self._receive(worker)
        if worker.channel.is_open:
            return
        # The worker ends, or has closed all its descriptors. Its exit is noticed by SIGCHLD.
        self._unwatch(worker)
        if worker.channel.violation is not None:
            worker.kill()  # its program or its memory cannot be trusted any more

    def _receive(self, worker: WorkerProcess) -> None:
        for message in worker.channel.receive():
            self._on_message(worker, message)
        if worker.channel.violation is not None:
            worker.failure = f"{worker} has sent an invalid message: {worker.channel.violation}\n"
            worker.clean = False
            gen_log.error("%s", worker.failure.rstrip())

    def _unwatch(self, worker: WorkerProcess) -> None:
        if worker.channel in self._selector.get_map():
            self._selector.unregister(worker.channel)

    def _on_message(self, worker: WorkerProcess, message: Message) -> None:
        assert self.events is not None
        slot = self.slot_of(worker)
        match message["type"]:
            case "beat":
                worker.beat(message["age"], message["stats"])
                worker.log_stacks()
            case "ready" if worker.state is WorkerState.STARTING and slot is not None:
                worker.set_ready()
                self.events.worker_ready(slot, worker)
            case "failed":
                worker.failure = _printable(message["report"])
            case "leaving" if slot is not None and worker.is_serving:
                worker.note_leaving(self._configuration.grace + self._configuration.drain_delay)
                self.events.worker_leaving(slot, worker)
            case "drained":
                worker.clean = message["clean"]
                self.events.last_report(worker, message.get("snapshot"), message.get("recent"))
            case "reply":
                self.events.reply(worker, message)

    def slot_of(self, worker: WorkerProcess) -> Slot | None:
        """Return the slot whose worker or candidate it is, or None."""
        return next((slot for slot in self.slots if worker in (slot.worker, slot.candidate)), None)

    # -- the end of processes --

    def reap(self) -> None:
        """Reap all processes that have ended: also, as PID 1, those that others have left behind."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._on_exit(pid, os.waitstatus_to_exitcode(status))

    def _on_exit(self, pid: int, status: int) -> None:
        assert self.events is not None
        worker = self.processes.get(pid)
        if worker is None:
            self.events.stranger_exited(pid, status)
            return
        self._receive(worker)  # its last messages
        worker.log_stacks()
        del self.processes[pid]
        self._unwatch(worker)
        worker.set_exited()
        self.table.free_seat(worker.seat)
        slot = self.slot_of(worker)
        if slot is not None:
            slot.forget(worker)
        self.events.worker_exited(slot, worker, status)

    def broadcast(self, kind: str, **values: Any) -> int:
        """Send a message to all workers that serve. Return their number."""
        chosen = [worker for worker in self if worker.is_serving]
        for worker in chosen:
            worker.channel.send(kind, **values)
        return len(chosen)


def _printable(report: str) -> str:
    """Return a report of several lines without characters that a terminal would interpret."""
    return "\n".join(map(escape_controls, report.split("\n")))


__all__ = ["PoolEvents", "WorkerContext", "WorkerPool"]
