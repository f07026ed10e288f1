"""The internals of `tornado.netutil` that tests access."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tornado.netutil import ThreadedResolver


def shared_pool() -> tuple[ThreadPoolExecutor | None, int | None]:
    """Return the pool that all ThreadedResolvers use, and the process that created it."""
    return ThreadedResolver._threadpool, ThreadedResolver._threadpool_pid
