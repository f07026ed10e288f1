"""A FIFO queue of Futures, used by the locks and queues.

The Futures at the head are served first. A Future may be done before it is served, because its timeout
expired or its reader cancelled it. Its position in the queue is not known, so it remains in the queue until
it reaches the head or the queue is swept. A sweep happens when the queue has doubled in length since the last
sweep, or when half of its entries are known to be done. The cost of sweeping is therefore constant per added
entry, and the queue is never longer than about twice the number of Futures that are still waiting.
"""

from __future__ import annotations

import asyncio
import datetime
from collections import deque
from collections.abc import Callable
from typing import Any

from tornado.ioloop import IOLoop

Timeout = float | datetime.timedelta | None

#: Minimum length at which the queue is swept even if no entry is known to be done.
_MIN_SWEEP_LENGTH = 128


class Waiters(deque[Any]):
    """A queue of Futures, or of tuples whose last item is a Future."""

    __slots__ = ("_finished_count", "_sweep_at")

    def __init__(self) -> None:
        super().__init__()
        self._sweep_at = _MIN_SWEEP_LENGTH
        self._finished_count = 0

    def add(self, entry: Any) -> None:
        """Append ``entry`` to the queue."""
        if len(self) >= self._sweep_at:
            self.sweep()
        self.append(entry)

    def drop_finished(self) -> None:
        """Remove finished entries from the head, so that the first remaining entry is still waiting."""
        while self and _future(self[0]).done():
            self.popleft()

    def sweep(self) -> None:
        """Remove all finished entries."""
        waiting = [entry for entry in self if not _future(entry).done()]
        self.clear()
        self.extend(waiting)
        self._finished_count = 0
        self._sweep_at = max(_MIN_SWEEP_LENGTH, 2 * len(waiting))

    def count_finished(self) -> None:
        """Count one more entry that is done but still in the queue. Call this after its Future is done."""
        self._finished_count += 1
        if 2 * self._finished_count >= len(self):
            self.sweep()


def _future(entry: Any) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = entry[-1] if isinstance(entry, tuple) else entry
    return future


def has_result(future: asyncio.Future[Any]) -> bool:
    """Whether a Future has a result, rather than an exception or a cancellation.

    A task that is cancelled while it waits uses this to find out whether it has just been served. If so, it
    must return the item or release the lock that it was given, because its code will never receive the
    result.
    """
    return future.done() and not future.cancelled() and future.exception() is None


def call_unless_done(future: asyncio.Future[Any], timeout: Timeout, action: Callable[[], None]) -> None:
    """Call ``action()`` when the timeout expires, unless ``future`` is done by then.

    :param timeout: None for no timeout; a `datetime.timedelta` from now; or a deadline as a time of
        `IOLoop.time`, in seconds. A deadline in the past, such as 0, expires in the next loop iteration.
    """
    if timeout is None or future.done():
        return
    io_loop = IOLoop.current()
    timer = io_loop.add_timeout(timeout, _expire, future, action)
    future.add_done_callback(lambda _done: io_loop.remove_timeout(timer))


def _expire(future: asyncio.Future[Any], action: Callable[[], None]) -> None:
    if not future.done():
        action()
