"""Check that a cost is linear, not quadratic, in the size of the input.

A parser spends most of its time in C functions, where operations cannot be counted. So the test measures the
processor time of the thread for two sizes, and compares the best ratio of several attempts with a wide
margin. An input that is 8 times as large may cost up to 24 times as much. With a quadratic parser it costs 64
times as much, regardless of the load of the machine.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

#: The size of the large input, relative to the small one.
FACTOR = 8
#: The permitted cost of the large input, relative to a linear one.
MARGIN = 3
ATTEMPTS = 6
#: The minimum time of a measurement in seconds, which makes the resolution of the clock negligible.
LEAST = 0.001


def assert_linear(run: Callable[[T], object], make: Callable[[int], T], size: int) -> None:
    """Check that ``run(make(FACTOR * size))`` costs about `FACTOR` times as much as ``run(make(size))``.

    :param size: the size of the small input. It must be large enough for a quadratic part to dominate.
    """
    small, large = make(size), make(FACTOR * size)
    run(small)  # exclude compilation and caching on first use from the cost
    ratios = []
    for _ in range(ATTEMPTS):
        ratios.append(seconds(run, large) / seconds(run, small))
        if ratios[-1] <= MARGIN * FACTOR:
            return
    raise AssertionError(
        f"{FACTOR} times the input costs {min(ratios):.0f} times as much, at best of {ATTEMPTS}: "
        f"{[round(ratio) for ratio in ratios]}"
    )


def seconds(run: Callable[[T], object], value: T) -> float:
    """Return the processor time of one call, averaged over calls that take at least `LEAST` seconds."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        calls, start = 0, time.thread_time()
        while (taken := time.thread_time() - start) < LEAST:
            run(value)
            calls += 1
        return taken / calls
    finally:
        if collecting:
            gc.enable()


def lines_run(function: Callable[[], object]) -> int:
    """Return the number of Python lines that one call executes, including those of called functions.

    Unlike a time, this number is exact. It shows whether a Python loop does work that a C function should do.
    """
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(previous)
    return count
