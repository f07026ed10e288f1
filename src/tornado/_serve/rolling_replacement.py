"""Replaces all workers by new ones, one by one (SIGHUP).

A worker drains only when its replacement accepts connections, so a program that cannot start changes nothing.
At most a quarter of the workers drain at the same time: the others wait, because each draining worker needs
memory in addition to its replacement.
"""

from __future__ import annotations

import sys

from tornado._serve.worker_pool import WorkerPool
from tornado._serve.worker_slot import Slot

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

#: The reason of a start, in the numbers of restarts.
RELOAD = "reload"


class RollingReplacement:
    """One replacement of all workers by workers of a new generation.

    :ivar replaced: the number of workers that have been replaced.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self.replaced = 0
        self.restart()

    def restart(self) -> None:
        """Begin again, because the program has changed again."""
        self._pool.generation += 1
        self.replaced = 0
        for slot in self._pool.slots:
            slot.end_back_off()  # the failures were those of the previous program
            if slot.candidate is not None:
                slot.candidate.cancel()

    def advance(self) -> bool:
        """Start the next worker if it is time. Return False when all workers have been replaced."""
        pool = self._pool
        outdated = [slot for slot in pool.slots if self._is_outdated(slot)]
        if not outdated and not any(slot.candidate for slot in pool.slots):
            return False
        if any(slot.candidate for slot in pool.slots) or pool.leaving() >= max(1, len(pool.slots) // 4):
            return True
        slot = outdated[0]
        if slot.restart_at is None or slot.worker is not None:
            pool.start(slot, RELOAD)
        return True

    def _is_outdated(self, slot: Slot) -> bool:
        return slot.worker is None or slot.worker.generation < self._pool.generation

    def candidate_ready(self) -> None:
        """Count a worker that has been replaced."""
        self.replaced += 1


__all__ = ["RELOAD", "RollingReplacement"]
