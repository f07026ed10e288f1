"""Threads for work of the framework's own: hashing files, compressing bodies.

The event loop's default executor belongs to the program, which may fill it with jobs that wait for the very
response that is being made.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor


class Workers:
    """A few threads, begun when they are first needed, and anew in a forked child: none live on there.

    :param name: how their names begin.
    :param threads: most at a time; more would only take the processors from the loop.
    """

    __slots__ = ("_name", "_pool", "_process", "_threads")

    def __init__(self, name: str, threads: int = 2) -> None:
        self._name = name
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def executor(self) -> ThreadPoolExecutor:
        """What ``run_in_executor`` takes."""
        pool = self._pool
        if pool is None or self._process != os.getpid():
            pool = self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name)
            self._process = os.getpid()
        return pool
