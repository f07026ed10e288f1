"""That cost grows with the size of the input and not with its square.

Most of what a parser does happens inside one call into C, where no event can be counted, so time is measured:
the processor time of this thread, as a ratio between two sizes, with a wide margin, and the best of several
attempts. Eight times the input may cost 24 times as much; with a quadratic parser it costs 64 times as much,
however busy the machine.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

#: How much larger the large input is.
FACTOR = 8
#: How many times more than in proportion it may cost.
MARGIN = 3
ATTEMPTS = 6
#: Seconds that a measurement takes at least, so that the clock's grain does not matter.
LEAST = 0.001


def assert_linear(run: Callable[[T], object], make: Callable[[int], T], size: int) -> None:
    """See that ``run(make(FACTOR * size))`` costs about `FACTOR` times what ``run(make(size))`` does.

    :param size: large enough that a quadratic part would outweigh everything else.
    """
    small, large = make(size), make(FACTOR * size)
    run(small)  # what is compiled and kept on first use is not part of the cost
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
    """Processor time of one call, from as many as take `LEAST` seconds."""
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
    """Return how many lines of Python one call runs, those of the functions it calls included.

    Unlike time, this is exact. It shows whether work that belongs in a call into C is done by a loop.
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
