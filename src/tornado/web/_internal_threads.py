"""Threads for internal work: hashing files, compressing bodies.

The event loop's default executor belongs to the program. All its threads may be occupied by jobs that wait
for the very response for which the internal work is needed.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor


class InternalThreads:
    """A few threads, started on first use. A forked child starts new ones, as threads do not survive a fork.

    :param name: the prefix of the names of the threads.
    :param threads: the maximum number of threads; more would take processor time from the event loop.
    """

    __slots__ = ("_name", "_pools", "_threads")

    def __init__(self, name: str, threads: int = 2) -> None:
        self._name = name
        self._threads = threads
        #: The executor of each process: this one, and after a fork those of its parents.
        self._pools: dict[int, ThreadPoolExecutor] = {}

    def executor(self) -> ThreadPoolExecutor:
        """Return the executor, for ``run_in_executor``."""
        process = os.getpid()
        pool = self._pools.get(process)
        if pool is None:
            # If two event loops create one at the same time, both use the first.
            made = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name)
            pool = self._pools.setdefault(process, made)
        return pool
