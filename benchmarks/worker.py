"""Run cases in a peer's interpreter: ``python -m benchmarks.worker MODULE``.

A case is an async generator function that takes the number of repetitions. The code before the first
``yield`` is preparation; the code after it is measured, up to the second ``yield`` if there is one. For each
line ``NAME TIMES`` on standard input, the worker writes one line when the preparation is done, reads another
line, runs the measured code, and writes its CPU seconds.
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
    """A case to measure."""

    name: str
    #: The title of one repetition in the tables.
    title: str
    run: Callable[[int], AsyncGenerator[None, None]]
    #: The number of repetitions for counting instructions. For CPU time, the number of repetitions is chosen
    #: at run time.
    times: int = 200


async def serve(cases: dict[str, Case]) -> None:
    """Run the cases named on standard input, until it closes."""
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
    """Load the cases of the module, and run the loop that ``BENCH_LOOP`` names."""
    cases: dict[str, Case] = importlib.import_module(sys.argv[1]).CASES
    factory = importlib.import_module("uvloop").new_event_loop if os.environ.get("BENCH_LOOP") else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(cases))


if __name__ == "__main__":
    # The cases import this module by its full name.
    importlib.import_module("benchmarks.worker").main()
