"""Functions that run in several threads at the same time."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")

#: CPython with a GIL changes the thread after this number of seconds: at every call and backward jump.
SWITCH_INTERVAL = 1e-6


def in_threads(function: Callable[[int], _T], threads: int = 4) -> list[_T]:
    """Call ``function(number)`` in several threads at the same time; return the results."""
    interval = sys.getswitchinterval()
    barrier = threading.Barrier(threads)

    def call(number: int) -> _T:
        barrier.wait()
        return function(number)

    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(call, range(threads)))
    finally:
        sys.setswitchinterval(interval)


def let_others_run() -> None:
    """Release the GIL for a moment, as any system call does."""
    os.stat(".")


def in_other_thread(function: Callable[[], _T]) -> _T:
    """Call a function in another thread, and wait for its result."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()
