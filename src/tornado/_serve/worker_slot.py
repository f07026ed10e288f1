"""One place for a worker: the worker that serves, its replacement, and the back-off of restarts."""

from __future__ import annotations

import sys
import time

from tornado._serve.worker_process import WorkerProcess

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: The delay before the first and the longest delay before any further restart, in seconds.
MIN_DELAY = 0.1
MAX_DELAY = 30.0
#: A worker that has served for this time ends the back-off, in seconds.
_STABLE_TIME = 10.0


class Slot:
    """One of the places of ``--workers``.

    :ivar number: its number, counted from 0.
    :ivar worker: the worker that serves, or None.
    :ivar candidate: the worker that is starting and will replace `worker`, or None.
    :ivar reason: the reason for the start of `candidate`, or of the start at `restart_at`.
    :ivar starts: the number of processes that have been started for it.
    :ivar restart_at: the time of the next start (`time.monotonic`), or None.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.worker: WorkerProcess | None = None
        self.candidate: WorkerProcess | None = None
        self.reason = "start"
        self.starts = 0
        self.restart_at: float | None = None
        self._delay = MIN_DELAY

    def schedule(self, reason: str, ended: WorkerProcess) -> float:
        """Start another worker after the back-off. Return the delay in seconds.

        :param ended: the worker that has ended.
        """
        now = time.monotonic()
        if ended.ready_at is not None and now - ended.ready_at > _STABLE_TIME:
            self._delay = MIN_DELAY
        delay = self._delay
        self._delay = min(self._delay * 2, MAX_DELAY)
        self.reason, self.restart_at = reason, now + delay
        return delay

    def end_back_off(self) -> None:
        """Do not wait for the next start, and begin with the shortest delay again."""
        self._delay = MIN_DELAY
        if self.restart_at is not None:
            self.restart_at = time.monotonic()

    def promote(self) -> WorkerProcess | None:
        """Make the candidate the worker. Return the previous worker, which the caller drains."""
        previous, self.worker, self.candidate = self.worker, self.candidate, None
        return previous

    def forget(self, worker: WorkerProcess) -> bool:
        """Remove a process that has ended. Return whether it was the worker or the candidate."""
        if worker is self.worker:
            self.worker = None
        elif worker is self.candidate:
            self.candidate = None
        else:
            return False
        return True

    @property
    def is_serving(self) -> bool:
        """Whether its worker accepts connections and is well."""
        return self.worker is not None and self.worker.is_serving

    @property
    def is_empty(self) -> bool:
        """Whether it has no process, and none will be started."""
        return self.worker is None and self.candidate is None and self.restart_at is None


__all__ = ["MAX_DELAY", "MIN_DELAY", "Slot"]
