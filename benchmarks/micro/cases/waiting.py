"""Everything here that waits for something: the cases of coroutines, of the loop, of locks and of queues."""

from __future__ import annotations

from benchmarks.micro.cases import coroutines, locks, loops, queues

CASES = {case.name: case for module in (coroutines, loops, locks, queues) for case in module.CASES}
