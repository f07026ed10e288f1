"""A worker process, as the supervisor sees it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from typing import Any

from tornado._serve.log_setup import log_report
from tornado._serve.message_schema import known_stats
from tornado._serve.process_states import WorkerState
from tornado._serve.stack_file import StackFile
from tornado._serve.worker_protocol import BEAT_INTERVAL, Channel
from tornado.log import gen_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: Time after the grace period in which a worker runs its shutdown and exits, in seconds; then it is killed.
SHUTDOWN_TIME = 5.0
#: Time for logging the stacks of a worker whose start has lasted for too long, in seconds.
_DUMP_TIME = 1.0
#: The maximum delay of a beat, in seconds: the event loop and the reporter's thread each add an interval.
_BEAT_TOLERANCE = 2 * BEAT_INTERVAL
#: An event loop that has not run for this time is shown as blocked, in seconds.
_MIN_BLOCKED = 1.0


class WorkerProcess:
    """One worker process.

    :ivar number: the number of its slot, counted from 0, for messages.
    :ivar seat: its index in the `.ConnectionTable`.
    :ivar generation: the number of the reload that has started it.
    :ivar state: its state. Use the methods to change it.
    :ivar deadline: the time at which it must have started or ended (`time.monotonic`); None if there is none.
    :ivar alive: the last time at which its event loop is known to have run.
    :ivar request_limit: it is replaced after this number of requests; None if there is no limit.
    :ivar stats: the numbers that it has reported last.
    :ivar failure: the text for the user, if its start has failed.
    :ivar stacks: the file for its stacks.
    :ivar clean: whether all its requests have ended normally; None if it has not reported that.
    """

    def __init__(
        self, number: int, seat: int, generation: int, pid: int, channel: Channel, state: WorkerState
    ) -> None:
        self.number = number
        self.seat = seat
        self.generation = generation
        self.pid = pid
        self.channel = channel
        self.state = state
        self.started = time.time()
        self.ready_at: float | None = None
        self.deadline: float | None = None
        self.alive = time.monotonic()
        self.request_limit: int | None = None
        self.stats: dict[str, Any] = {}
        self.failure: str | None = None
        self.clean: bool | None = None
        self.stacks = StackFile(-1)
        self._shuts_down = False

    def __repr__(self) -> str:
        return f"<worker {self.number} (pid {self.pid}), {self.state.value}>"

    def __str__(self) -> str:
        return f"worker {self.number} (pid {self.pid})"

    @property
    def is_serving(self) -> bool:
        """Whether it accepts connections and its event loop runs."""
        return self.state is WorkerState.SERVING

    def set_ready(self) -> None:
        """Record that it accepts connections."""
        self.state = self.state.to(WorkerState.SERVING)
        self.ready_at = self.alive = time.monotonic()
        self.deadline = None

    def beat(self, age: float, stats: dict[str, Any]) -> None:
        """Record a beat.

        :param age: the time since its event loop has run, in seconds.
        """
        self.alive = max(self.alive, time.monotonic() - age)
        self.stats.update(known_stats(stats))

    def hang_time(self, timeout: float) -> float:
        """Return the time at which it counts as hung, unless a beat arrives.

        :param timeout: how long its event loop may be blocked, in seconds.
        """
        return self.alive + timeout + _BEAT_TOLERANCE

    def blocked_time(self) -> float:
        """Return how long its event loop has been blocked, in seconds; 0 if it runs, or does not serve."""
        silent = time.monotonic() - self.alive
        return silent if self.is_serving and silent > _MIN_BLOCKED else 0.0

    def drain(self, grace: float, delay: float = 0.0) -> None:
        """Tell it to drain and to exit.

        :param grace: the maximum time for its requests, in seconds.
        :param delay: the time before it stops accepting, in seconds.
        """
        if self.state is WorkerState.SERVING:
            self.state = self.state.to(WorkerState.DRAINING)
            self.deadline = time.monotonic() + delay + grace
            self.channel.send("drain", grace=grace, delay=delay)

    def note_leaving(self, grace: float) -> None:
        """Record that it drains because of a signal that it has received itself."""
        if self.state is WorkerState.SERVING:
            self.state = self.state.to(WorkerState.DRAINING)
            self.deadline = time.monotonic() + grace

    def cancel(self) -> None:
        """End it during its start: it has no connections."""
        if self.state is WorkerState.STARTING:
            self.deadline = min(self.deadline or float("inf"), time.monotonic() + SHUTDOWN_TIME)
            self.signal(signal.SIGTERM)

    def set_hung(self, grace: float) -> None:
        """Log its stacks, and end it if its event loop does not run again within the grace period."""
        starting = self.state is WorkerState.STARTING
        self.state = self.state.to(WorkerState.HUNG)
        self.deadline = time.monotonic() + (_DUMP_TIME if starting else grace)
        self.signal(signal.SIGQUIT)  # faulthandler logs the stacks
        if not starting:
            # SIGTERM would end a worker that has not set its handler before its stacks are logged.
            self.channel.send("drain", grace=grace, delay=0.0)
            self.signal(signal.SIGTERM)

    def begin_shutdown(self) -> bool:
        """Allow time for the shutdown when the grace period is over.

        :returns: False if it has had this time already, or if its event loop is blocked, so that it cannot
            cancel its handlers.
        """
        runs = time.monotonic() - self.alive < 1.0
        if self._shuts_down or not runs or self.state is not WorkerState.DRAINING:
            return False
        self._shuts_down = True
        self.deadline = time.monotonic() + SHUTDOWN_TIME
        return True

    def kill(self) -> None:
        """Send SIGKILL."""
        if self.state not in (WorkerState.KILLED, WorkerState.EXITED):
            self.state = self.state.to(WorkerState.KILLED)
            self.deadline = None
            self.signal(signal.SIGKILL)

    def set_exited(self) -> None:
        """Record that it has ended and been reaped."""
        self.state = self.state.to(WorkerState.EXITED)
        self.deadline = None
        self.channel.close()
        self.stacks.close()

    def log_stacks(self) -> None:
        """Log the stacks that it has written, because it hangs, has crashed, or has received SIGQUIT."""
        if text := self.stacks.read():
            log_report(logging.ERROR, f"the stacks of {self}", text, is_stack=True)

    def signal(self, number: int) -> None:
        """Send it a signal. Until it has been reaped, no other process has its ID."""
        try:
            os.kill(self.pid, number)
        except OSError as error:
            gen_log.warning("cannot send signal %d to %s: %s", number, self, error)

    def memory(self) -> int | None:
        """Return the size of its resident memory in bytes, or None if it is unknown."""
        try:
            with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return None

    # -- across a replacement of the supervisor --

    def dump(self) -> dict[str, Any]:
        """Return what the next supervisor in this process must know."""
        return {
            "number": self.number,
            "seat": self.seat,
            "generation": self.generation,
            "pid": self.pid,
            "channel": self.channel.fileno(),
            "stacks": self.stacks.fileno(),
            "unread": self.channel.unread.decode("latin-1"),
            "state": self.state.name,
            "started": self.started,
            "ready_at": self.ready_at,
            "deadline": self.deadline,
            "request_limit": self.request_limit,
        }

    @classmethod
    def restore(cls, values: dict[str, Any], channel: Channel) -> WorkerProcess:
        """Return the worker for the result of `dump`."""
        worker = cls(
            values["number"],
            values["seat"],
            values["generation"],
            values["pid"],
            channel,
            WorkerState[values["state"]],
        )
        worker.stacks = StackFile(values.get("stacks", -1))
        worker.started, worker.ready_at = values["started"], values["ready_at"]
        worker.deadline, worker.request_limit = values["deadline"], values["request_limit"]
        return worker


__all__ = ["SHUTDOWN_TIME", "WorkerProcess"]
