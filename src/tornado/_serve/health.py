"""Detects workers that must be replaced: a blocked event loop, too much memory, enough requests."""

from __future__ import annotations

import sys
import time

from tornado._serve.configuration import Configuration
from tornado._serve.process_states import WorkerState
from tornado._serve.worker_pool import WorkerPool
from tornado._serve.worker_process import WorkerProcess
from tornado._serve.worker_slot import Slot
from tornado.log import gen_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: Time between two checks of the memory and the number of requests, in seconds.
_LIMIT_INTERVAL = 1.0
#: Time between two checks whether a worker that hangs has written its stacks, in seconds.
_STACK_INTERVAL = 0.1
#: If the supervisor wakes later than this, in seconds, it was stopped itself, and did not see the beats.
_MAX_LATENESS = 1.0


class Health:
    """Watches the workers of a pool.

    :param replaces: whether workers may be replaced now; otherwise only deadlines are enforced.
    """

    def __init__(self, configuration: Configuration, pool: WorkerPool) -> None:
        self._configuration = configuration
        self._pool = pool
        self._next_limits = time.monotonic() + _LIMIT_INTERVAL

    def next_time(self) -> float:
        """Return the time of the next call of `check`, on the clock of `time.monotonic`."""
        configuration = self._configuration
        times = [time.monotonic() + 60.0]
        if configuration.max_memory is not None or configuration.max_requests is not None:
            times.append(self._next_limits)
        for worker in self._pool:
            if worker.deadline is not None:
                times.append(worker.deadline)
            if worker.state is WorkerState.HUNG:
                times.append(time.monotonic() + _STACK_INTERVAL)
            if configuration.hang_timeout is not None and worker.is_serving:
                times.append(worker.hang_time(configuration.hang_timeout))
        times += [slot.restart_at for slot in self._pool.slots if slot.restart_at is not None]
        return min(times)

    def excuse(self, lateness: float) -> None:
        """Do not count the time in which the supervisor itself did not run.

        :param lateness: the time by which it woke late, in seconds.
        """
        if lateness > _MAX_LATENESS:
            for worker in self._pool:
                worker.alive = time.monotonic()

    def check(self, now: float, *, replaces: bool) -> None:
        """Enforce the deadlines, and start the replacement of workers that need it.

        :param replaces: whether workers may be started.
        """
        for worker in self._pool:
            if worker.state is WorkerState.HUNG:
                worker.log_stacks()
            if worker.deadline is not None and worker.deadline <= now:
                self._end(worker)
            elif (
                worker.is_serving
                and (timeout := self._configuration.hang_timeout) is not None
                and worker.hang_time(timeout) <= now
            ):
                self._end_hung(worker, now, replaces=replaces)
        if replaces and now >= self._next_limits:
            self._next_limits = now + _LIMIT_INTERVAL
            for slot in self._pool.slots:
                self._check_limits(slot)

    def _end(self, worker: WorkerProcess) -> None:
        """End a worker whose deadline has passed."""
        if worker.state is WorkerState.STARTING:
            worker.failure = (
                f"{worker} has not started within {self._configuration.start_timeout:g} s; raise "
                "--start-timeout, or see the stacks above\n"
            )
            gen_log.error("%s has not started in time; its stacks follow", worker)
            worker.set_hung(0.0)
            return
        if worker.begin_shutdown():
            return
        gen_log.error("%s has not ended in time (%s) and is killed", worker, worker.state.value)
        worker.clean = False
        worker.kill()

    def _end_hung(self, worker: WorkerProcess, now: float, *, replaces: bool) -> None:
        gen_log.error(
            "the event loop of %s has been blocked for %.1f s (--hang-timeout); its stacks follow",
            worker,
            now - worker.alive,
        )
        worker.set_hung(self._configuration.grace)
        slot = self._pool.slot_of(worker)
        if replaces and slot is not None and slot.candidate is None:
            self._pool.start(slot, "hang")

    def _check_limits(self, slot: Slot) -> None:
        worker = slot.worker
        if (
            worker is None
            or not worker.is_serving
            or slot.candidate is not None
            or slot.restart_at is not None
        ):
            return
        requests = worker.stats.get("requests", 0)
        if worker.request_limit is not None and requests >= worker.request_limit:
            gen_log.info("%s has served %d requests and is replaced", worker, requests)
            self._pool.start(slot, "max_requests")
            return
        limit = self._configuration.max_memory
        if limit is not None and (memory := worker.memory()) is not None and memory > limit:
            gen_log.warning("%s uses %d MiB of memory and is replaced", worker, memory >> 20)
            self._pool.start(slot, "max_memory")


__all__ = ["Health"]
