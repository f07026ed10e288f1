"""All cases of coroutines, the loop, locks and queues."""

from __future__ import annotations

from benchmarks.micro.cases import coroutines, locks, loops, queues

CASES = {case.name: case for module in (coroutines, loops, locks, queues) for case in module.CASES}
