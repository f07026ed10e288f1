"""The internals of `tornado.locks` and `tornado.queues` that tests access."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tornado.queues import Queue


def waiters(lock: Any) -> Collection[Any]:
    """Return the waiters of a Condition, an Event or a Semaphore, including those that have finished."""
    found: Collection[Any] = lock._waiters
    return found


def waiting_getters(queue: Queue[Any]) -> Collection[Any]:
    """Return the waiters of ``get`` calls of a queue, including those that have finished."""
    return queue._getters


def waiting_putters(queue: Queue[Any]) -> Collection[Any]:
    """Return the waiters of ``put`` calls of a queue, including those that have finished."""
    return queue._putters
