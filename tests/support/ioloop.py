"""The internals of `tornado.ioloop` that tests access."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from concurrent.futures import Executor
from typing import Any

from tornado.ioloop import IOLoop, PeriodicCallback


def loop_registry() -> MutableMapping[asyncio.AbstractEventLoop, IOLoop]:
    """Return the registry, which maps each asyncio loop to its IOLoop."""
    return IOLoop._ioloop_for_asyncio


def default_executor(loop: Any) -> Executor | None:
    """Return the executor that ``run_in_executor`` of the base class uses if it is given none."""
    executor: Executor | None = loop._executor
    return executor


def clear_default_executor(loop: Any) -> None:
    """Make ``run_in_executor`` of the base class create an executor on its next call."""
    loop._executor = None


def abandon(task: Any) -> None:
    """Prevent the log record of asyncio about a pending Task that is destroyed."""
    task._log_destroy_pending = False


def start_at(periodic: PeriodicCallback, time: float) -> None:
    """Set the time of the next call, in seconds."""
    periodic._next_timeout = time


def next_times(periodic: PeriodicCallback, *times: float) -> list[float]:
    """Return the time of the call that follows each call, made at one of ``times``, in seconds."""
    found = []
    for now in times:
        periodic._update_next(now)
        found.append(periodic._next_timeout)
    return found


def punctual_times(periodic: PeriodicCallback, count: int) -> list[float]:
    """Return the times of ``count`` calls, each of which is made exactly when it is due, in seconds."""
    return [time for _ in range(count) for time in next_times(periodic, periodic._next_timeout)]
