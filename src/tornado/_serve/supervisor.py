"""The supervisor: starts workers, watches them, and handles the signals of the service.

================  ============================================================================================
SIGTERM, SIGINT   drain all workers and end; a second one ends at once
SIGQUIT           end at once
SIGHUP            replace all workers by new ones, one by one
SIGUSR2           replace the supervisor itself; the workers continue
SIGTTIN, SIGTTOU  one worker more, one worker less
================  ============================================================================================

The supervisor is a single thread without an event loop: it waits for signals, for messages of its workers and
for the next deadline. It does not import the program (except with ``--preload``), so an error of the program
cannot affect it. ``docs/design/0009-serving.md`` describes the states.
"""

from __future__ import annotations

import logging
import os
import re
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tornado import _process_replacement
from tornado._serve import supervisor_exec, supervisor_signals
from tornado._serve.admin_process import AdminProcess, discard
from tornado._serve.configuration import Configuration
from tornado._serve.health import Health
from tornado._serve.log_setup import log_report
from tornado._serve.log_stream import flush_streams, write_report
from tornado._serve.notify import Notifier
from tornado._serve.pid_file import PidFile
from tornado._serve.process_states import SupervisorState, WorkerState
from tornado._serve.rolling_replacement import RollingReplacement
from tornado._serve.service_lock import ServiceLock
from tornado._serve.service_status import describe_exit, service_status
from tornado._serve.worker_pool import WorkerContext, WorkerPool
from tornado._serve.worker_process import WorkerProcess
from tornado._serve.worker_protocol import Channel, Message
from tornado._serve.worker_slot import Slot
from tornado.log import gen_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

_FAILED = 1
#: A line of a traceback with the place of a frame, or of an error of the syntax.
_PLACE = re.compile(r'^  File "([^"\n]+)", line (\d+)', re.MULTILINE)
#: The status of a process that a signal has ended, as shells report it: 128 and the signal's number.
_SIGNAL_BASE = 128


class Supervisor:
    """The main process of a service.

    :param run_worker: runs a worker in a child process, and returns its exit status.
    :param lock: the locks of the addresses.
    :param started: called when all first workers accept connections.
    :param trial_command: a command line that exits with 0 if a new supervisor can start; None omits the
        trial run before SIGUSR2 replaces the supervisor.
    :param listening: the descriptors of the listening sockets, which a new supervisor inherits.
    :param stop_listening: closes the listening sockets of this process, at the end of the service.
    :param previous: the result of `supervisor_exec.inherited_state`.
    :param run_admin: runs the administration in a child process; see `AdminProcess`. None omits it.
    :param admin_identity: see `AdminProcess`.
    :ivar state: the state.
    :ivar reload_error: the reason why the last reload has failed; None if it has not.
    :ivar start_error: the reason why a worker has failed to start, until another one serves.
    """

    def __init__(
        self,
        configuration: Configuration,
        run_worker: Callable[[WorkerContext], int],
        lock: ServiceLock,
        *,
        started: Callable[[], object] = lambda: None,
        trial_command: Sequence[str] | None = None,
        listening: Sequence[int] = (),
        stop_listening: Callable[[], object] = lambda: None,
        previous: dict[str, Any] | None = None,
        run_admin: Callable[[Channel, Any], int] | None = None,
        admin_identity: str = "",
    ) -> None:
        self._configuration = configuration
        self._started = started
        self._trial_command = trial_command
        self._listening = listening
        self._stop_listening = stop_listening
        self._previous = previous
        self._selector = selectors.DefaultSelector()
        self._signals = supervisor_signals.SignalQueue()
        self._pid_file = self._open_pid_file()
        table = supervisor_exec.restore_table(previous)
        self._pool = WorkerPool(configuration, run_worker, self._selector, table, lock, self._close_in_child)
        self._pool.events = self
        self._admin = (
            None
            if run_admin is None
            else AdminProcess(self, run_admin, admin_identity, self._selector, self._close_in_child)
        )
        self._health = Health(configuration, self._pool)
        self._notifier = Notifier(os.environ)
        self._next_watchdog = 0.0
        self._replacement: RollingReplacement | None = None
        self._trial: int | None = None
        self._status = 0
        self._started_at = time.time()
        #: The processes that were killed before the end of the service began: they do not affect its status.
        self._killed_before: set[int] = set()
        self.state = SupervisorState.STARTING
        self.reload_error: str | None = None
        self.start_error: str | None = None

    def _open_pid_file(self) -> PidFile | None:
        path = self._configuration.pid_file
        return PidFile(path, (self._previous or {}).get("pid_file")) if path is not None else None

    def _close_in_child(self) -> None:
        """Close what belongs to the supervisor, in a child process."""
        self._pool.close_in_child()
        if self._admin is not None:
            self._admin.close()
        if self._pid_file is not None:
            self._pid_file.close()

    # -- the loop --

    def run(self) -> int:
        """Run until the service has ended, and return the exit status.

        It is 0 if all workers have drained, 1 if requests were cut off or the program could not start, and
        128 and the number of the signal if a second signal has ended the service.
        """
        self._selector.register(self._signals, selectors.EVENT_READ, self._on_signals)
        self._signals.install()
        try:
            self._begin()
            while self.state is not SupervisorState.ENDED:
                self._run_once()
        finally:
            # If the supervisor itself has failed, the workers notice its end, and drain.
            self._signals.restore()
            if self._admin is not None:
                self._admin.end(self._status if self.state is SupervisorState.ENDED else None)
            self._selector.close()
            if self._pid_file is not None:
                self._pid_file.remove()
            self._pool.table.close()
        return self._status

    def _begin(self) -> None:
        if self._previous is not None:
            supervisor_exec.restore(self._pool, self._previous)
            _process_replacement.settle()
            gen_log.info("the supervisor has been replaced; %d workers continue", self._pool.serving())
            self.state = self.state.to(SupervisorState.SERVING)
            self._notifier.ready()
        self._set_size(self._configuration.workers)
        admin = (self._previous or {}).get("admin")
        if self._admin is not None:
            self._admin.begin(admin)
        else:
            discard(admin)

    def _run_once(self) -> None:
        self._show_status()
        if self.state is SupervisorState.SERVING:
            self._signals.resume()
        timeout = max(0.0, self._next_time() - time.monotonic())
        expected = time.monotonic() + timeout
        for key, _ in self._selector.select(timeout):
            key.data()
        self._health.excuse(time.monotonic() - expected)
        for worker in self._pool:
            worker.channel.flush()
        flush_streams()
        self._pool.reap()
        now = time.monotonic()
        if self._admin is not None:
            self._admin.advance(now)
        starts = self.state not in (SupervisorState.STOPPING, SupervisorState.KILLING, SupervisorState.ENDED)
        self._health.check(now, replaces=starts and self.state is not SupervisorState.STARTING)
        if starts:
            self._pool.start_due(now)
        if self.state is SupervisorState.RELOADING and self._replacement is not None:
            if not self._replacement.advance():
                self._end_reload(None)
        self._feed_watchdog(now)

    def _next_time(self) -> float:
        due = self._health.next_time()
        if any(worker.channel.has_output for worker in self._pool):
            due = min(due, time.monotonic() + 0.1)
        if self._notifier.watchdog_interval is not None:
            due = min(due, self._next_watchdog)
        return due if self._admin is None else min(due, self._admin.next_time())

    def _feed_watchdog(self, now: float) -> None:
        """Feed systemd's watchdog, unless no worker is well."""
        interval = self._notifier.watchdog_interval
        if interval is None or now < self._next_watchdog:
            return
        self._next_watchdog = now + interval
        busy = self.state in (SupervisorState.STARTING, SupervisorState.STOPPING, SupervisorState.KILLING)
        if busy or self._pool.serving():
            self._notifier.feed_watchdog()

    def _show_status(self) -> None:
        text = f"{self.state.value}: {self._pool.serving()} of {len(self._pool.slots)} workers serve"
        if self.reload_error is not None:
            text += f"; reload failed: {self.reload_error}"
        self._notifier.status(text)

    # -- signals --

    def _on_signals(self) -> None:
        for number in self._signals.read():
            match number:
                case signal.SIGTERM | signal.SIGINT:
                    self.stop(number)
                case signal.SIGQUIT:
                    self._kill(number)
                case signal.SIGHUP:
                    self.reload()
                case signal.SIGUSR2:
                    self.upgrade()
                case signal.SIGTTIN:
                    self.resize(len(self._pool.slots) + 1)
                case signal.SIGTTOU:
                    self.resize(len(self._pool.slots) - 1)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Drain all workers and end. The second call ends at once.

        :param number: the signal that has requested it.
        """
        if self.state in (SupervisorState.STOPPING, SupervisorState.KILLING):
            self._kill(number)
            return
        self._begin_end(self._configuration.drain_delay)
        gen_log.info("%s: draining", signal.Signals(number).name)

    def _begin_end(self, delay: float) -> None:
        self.state = self.state.to(SupervisorState.STOPPING)
        self._notifier.stopping()
        self._killed_before = {worker.pid for worker in self._pool if worker.state is WorkerState.KILLED}
        for slot in self._pool.slots:
            slot.restart_at = None
        # Otherwise connections that arrive after the workers have stopped accepting would wait until the end
        # of the drain, and then be reset.
        self._stop_listening()
        for worker in self._pool:
            worker.drain(self._configuration.grace, delay)
            worker.cancel()
        self._end_if_empty()

    def _kill(self, number: int) -> None:
        if self.state is SupervisorState.KILLING:
            return
        self._status = _SIGNAL_BASE + number
        self.state = self.state.to(SupervisorState.KILLING)
        for worker in self._pool:
            worker.kill()
        gen_log.warning("%s: killing %d workers", signal.Signals(number).name, len(self._pool.processes))
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        ending = self.state in (SupervisorState.STOPPING, SupervisorState.KILLING)
        if ending and not self._pool.processes:
            self.state = self.state.to(SupervisorState.ENDED)

    # -- the number of workers --

    def resize(self, count: int) -> None:
        """Change the number of workers, which is at least 1."""
        if self.state in (SupervisorState.SERVING, SupervisorState.RELOADING) and count >= 1:
            gen_log.info("%d workers instead of %d", count, len(self._pool.slots))
            self._set_size(count)

    def _set_size(self, count: int) -> None:
        slots = self._pool.slots
        while len(slots) < count:
            slots.append(Slot(len(slots)))
            self._pool.start(slots[-1], "start")
        while len(slots) > count:
            slot = slots.pop()
            if slot.worker is not None:
                slot.worker.drain(self._configuration.grace)
            if slot.candidate is not None:
                slot.candidate.cancel()

    # -- reload --

    def reload(self) -> None:
        """Replace all workers by new ones. During a reload, begin again."""
        if self.state is SupervisorState.RELOADING and self._replacement is not None:
            self._replacement.restart()
        elif self.state is SupervisorState.SERVING:
            self.state = self.state.to(SupervisorState.RELOADING)
            self.reload_error = None
            self._notifier.reloading()
            self._replacement = RollingReplacement(self._pool)
        elif self.state in (SupervisorState.STARTING, SupervisorState.UPGRADING):
            gen_log.info("SIGHUP is handled when the service is no longer %s", self.state.value)
            self._signals.defer(signal.SIGHUP)
            return
        else:
            gen_log.warning("SIGHUP is ignored while the service is %s", self.state.value)
            return
        gen_log.info("reloading: replacing %d workers", len(self._pool.slots))

    def _end_reload(self, error: str | None) -> None:
        assert self._replacement is not None
        if error is None:
            gen_log.info("reload complete: %d workers replaced", self._replacement.replaced)
        else:
            self.reload_error = _reason(error)
            text, traceback = _split(error)
            done = f"{self._replacement.replaced} of {len(self._pool.slots)} workers"
            log_report(
                logging.ERROR, f"reload failed after {done}; the others continue to serve: {text}", traceback
            )
        self._replacement = None
        self.state = self.state.to(SupervisorState.SERVING)
        self._notifier.ready()

    # -- the replacement of the supervisor --

    def upgrade(self) -> None:
        """Replace the supervisor by a new instance, after a trial run."""
        if self.state is not SupervisorState.SERVING:
            gen_log.warning("SIGUSR2 is ignored while the service is %s", self.state.value)
            return
        self.state = self.state.to(SupervisorState.UPGRADING)
        gen_log.info("upgrading: a trial run checks whether the new supervisor can start")
        try:
            self._trial = (
                None if self._trial_command is None else supervisor_exec.begin_trial(self._trial_command)
            )
        except OSError as error:
            gen_log.error("cannot start the trial run: %s", error)
            self.state = self.state.to(SupervisorState.SERVING)
            return
        if self._trial is None:
            self._replace_supervisor()

    def _end_trial(self, status: int) -> None:
        self._trial = None
        if self.state is not SupervisorState.UPGRADING:
            return
        if status == 0:
            self._replace_supervisor()
            return
        gen_log.error("the supervisor is not replaced: its trial run has failed with status %d", status)
        self.state = self.state.to(SupervisorState.SERVING)

    def _replace_supervisor(self) -> None:
        gen_log.info("replacing the supervisor")
        self._notifier.reloading()
        pid_file = None if self._pid_file is None else self._pid_file.descriptor
        admin = None if self._admin is None else self._admin.dump()
        supervisor_exec.replace(self._pool, pid_file, self._listening, self._signals, admin)
        self.state = self.state.to(SupervisorState.SERVING)  # it has failed, and the error has been logged
        self._notifier.ready()

    # -- what happens to workers --

    def worker_ready(self, slot: Slot, worker: WorkerProcess) -> None:
        """Let a new worker replace the previous one of its slot."""
        if self.state in (SupervisorState.STOPPING, SupervisorState.KILLING):
            worker.drain(self._configuration.grace)
            return
        self.start_error = None
        previous = slot.promote()
        if previous is not None:
            previous.drain(self._configuration.grace)
        if self._replacement is not None and worker.generation == self._pool.generation:
            self._replacement.candidate_ready()
        elif self.state is not SupervisorState.STARTING:
            gen_log.info("%s serves", worker)
        if self.state is SupervisorState.STARTING and self._pool.serving() == len(self._pool.slots):
            self.state = self.state.to(SupervisorState.SERVING)
            self._started()
            self._notifier.ready()

    def worker_leaving(self, slot: Slot, worker: WorkerProcess) -> None:
        """Start the replacement of a worker that has received SIGTERM from elsewhere."""
        if slot.candidate is None and self.state in (SupervisorState.SERVING, SupervisorState.RELOADING):
            gen_log.info("%s has received SIGTERM and is replaced", worker)
            self._pool.start(slot, "terminated")

    def worker_exited(self, slot: Slot | None, worker: WorkerProcess, status: int) -> None:
        """Start a worker again, or handle a failed start."""
        failed_to_start = worker.ready_at is None
        match self.state:
            case SupervisorState.STOPPING | SupervisorState.KILLING:
                cut = status != 0 or worker.clean is False
                counts = not failed_to_start and worker.pid not in self._killed_before
                if cut and counts and not self._status:
                    self._status = _FAILED
                self._end_if_empty()
            case SupervisorState.STARTING:
                self._fail_start(worker, status)
            case SupervisorState.RELOADING if failed_to_start and slot is not None:
                # One of an earlier generation has been cancelled; `RollingReplacement` starts another.
                if worker.generation == self._pool.generation:
                    self._end_reload(worker.failure or f"{worker} {describe_exit(status)} during its start")
            case _ if slot is not None and slot.candidate is None:
                self._restart(slot, worker, status)

    def _restart(self, slot: Slot, worker: WorkerProcess, status: int) -> None:
        reason = "failed" if worker.failure else "exited" if status >= 0 else "killed"
        delay = slot.schedule(reason, worker)
        message = f"{worker} {describe_exit(status)} and is started again in {delay:.1f} s"
        traceback = ""
        if worker.failure:
            self.start_error = _reason(worker.failure)
            text, traceback = _split(worker.failure)
            message += f": {text}"
        log_report(logging.WARNING, message, traceback)

    def _fail_start(self, worker: WorkerProcess, status: int) -> None:
        """End the service, because one of its first workers has failed."""
        report = worker.failure or f"{worker} {describe_exit(status)} during its start\n"
        if self._configuration.log_format == "json":
            log_report(logging.ERROR, *_split(report))
        else:
            write_report(report)
        self._status = _FAILED
        self._begin_end(0.0)

    def stranger_exited(self, pid: int, status: int) -> None:
        """Handle the end of the administration or of the trial run. Others need only be reaped."""
        if self._admin is not None and self._admin.exited(pid, status):
            return
        if pid == self._trial:
            self._end_trial(status)

    def reply(self, worker: WorkerProcess, message: Message) -> None:
        """Pass the answer to a query on to the administration."""
        if self._admin is not None:
            self._admin.forward(worker, message)

    def last_report(self, worker: WorkerProcess, snapshot: Any, recent: Any) -> None:
        """Pass the last counts and the recent errors of a worker on to the administration."""
        if self._admin is not None:
            self._admin.forward_last(worker, snapshot, recent)

    # -- the administration --

    def workers(self) -> Iterator[WorkerProcess]:
        """Return all worker processes."""
        return iter(self._pool)

    def status(self) -> dict[str, Any]:
        """Return the status as values for JSON."""
        return service_status(
            self._configuration,
            self._pool,
            self.state,
            self._started_at,
            self.reload_error,
            self.start_error,
        )

    def restart_worker(self, number: int) -> str | None:
        """Replace a worker by a new one, which is ready before the old one drains.

        :param number: the number of its slot.
        :returns: the reason if that is impossible now.
        """
        if not 0 <= number < len(self._pool.slots):
            return f"there is no worker {number}"
        slot = self._pool.slots[number]
        if slot.candidate is not None or slot.worker is None:
            return f"worker {number} is starting"
        self._pool.start(slot, "restart")
        return None


def _split(report: str) -> tuple[str, str]:
    """Return the last line of a report, and the traceback before it."""
    before, _, last = report.strip("\n").rpartition("\n")
    return last, before


def _reason(report: str) -> str:
    """Return the last line of a report, that of the traceback before it, and the place of the error."""
    text, traceback = _split(report)
    if "Traceback" not in traceback and _PLACE.search(traceback) is None:
        return text
    text = f"{text}: {traceback.rpartition(chr(10))[2]}"
    places = _PLACE.findall(traceback)
    return f"{text} ({places[-1][0]}:{places[-1][1]})" if places else text


__all__ = ["Supervisor"]
