"""Runs cases in a peer's interpreter: ``python -m benchmarks.worker MODULE``, told by lines what to run.

A case is an async generator function of how many times to do its work. What it does up to its first
``yield`` prepares the work, what follows is measured, and a second ``yield``, if it has one, ends that. For
each line ``NAME TIMES`` on standard input there are two of output: one when the work is prepared, and after
another line, whatever it holds, the CPU seconds that the work took.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One thing to measure."""

    name: str
    #: What one of it is, for people.
    title: str
    run: Callable[[int], AsyncGenerator[None, None]]
    #: How many are run while instructions are counted; for CPU time, as many as the clock needs.
    times: int = 200


async def serve(cases: dict[str, Case]) -> None:
    """Run what standard input names, until it ends."""
    for line in iter(sys.stdin.readline, ""):
        name, times = line.split()
        work = cases[name].run(int(times))
        await anext(work)
        gc.collect()
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.process_time()
        await anext(work, None)
        print(time.process_time() - start, flush=True)
        await anext(work, None)


def main() -> None:
    """Take the cases of the module, and the loop that ``BENCH_LOOP`` names."""
    cases: dict[str, Case] = importlib.import_module(sys.argv[1]).CASES
    factory = importlib.import_module("uvloop").new_event_loop if os.environ.get("BENCH_LOOP") else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(cases))


if __name__ == "__main__":
    # The cases know this module by its full name.
    importlib.import_module("benchmarks.worker").main()
