"""The timing of the programs in this folder."""

from __future__ import annotations

import time
from collections.abc import Callable


def fastest(function: Callable[[], object], times: int, rounds: int = 15) -> None:
    """Print the CPU microseconds of one call: the lowest of `rounds` means over `times` calls.

    The lowest mean is used, because other processes can only increase the time.
    """
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(times):
            function()
        best = min(best, (time.process_time() - start) / times)
    print(f"{best * 1e6:.2f}")
