"""A line of Futures waiting their turn, which is what the locks and the queues are made of.

Those at the head are served first. Some leave before they are served, because their time is over or
their reader cancelled them; where they stand nothing tells, so they stay in the line, done, until they
come to the head or the line is swept. It is swept when it has doubled since the last time, or when half
of it is known to have left: so each who joins pays for a constant amount of sweeping, and the line is
never longer than twice those who wait, and a few.
"""

from __future__ import annotations

import asyncio
import datetime
from collections import deque
from collections.abc import Callable
from typing import Any

from tornado.ioloop import IOLoop

Timeout = float | datetime.timedelta | None

#: Shorter lines are not worth sweeping on the chance that somebody has left.
_SHORT = 128


class Waiters(deque[Any]):
    """A line of Futures, or of tuples that end with a Future."""

    __slots__ = ("_left", "_sweep_at")

    def __init__(self) -> None:
        super().__init__()
        self._sweep_at = _SHORT
        self._left = 0

    def join(self, entry: Any) -> None:
        """Put ``entry`` at the end of the line."""
        if len(self) >= self._sweep_at:
            self.sweep()
        self.append(entry)

    def drop_finished(self) -> None:
        """Take those off the head who have left, so that the first, if there is any, waits."""
        while self and _future(self[0]).done():
            self.popleft()

    def sweep(self) -> None:
        """Take off all who have left, wherever they stand."""
        waiting = [entry for entry in self if not _future(entry).done()]
        self.clear()
        self.extend(waiting)
        self._left = 0
        self._sweep_at = max(_SHORT, 2 * len(waiting))

    def note_left(self) -> None:
        """Take notice that one more of the line has left. Call it after the Future is done."""
        self._left += 1
        if 2 * self._left >= len(self):
            self.sweep()


def _future(entry: Any) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = entry[-1] if isinstance(entry, tuple) else entry
    return future


def was_served(future: asyncio.Future[Any]) -> bool:
    """Whether a Future's turn has come: it holds what was waited for.

    Asked by a task that is cancelled while it waits: it was served just before, if so, and nobody will ever
    see what it was given.
    """
    return future.done() and not future.cancelled() and future.exception() is None


def call_unless_done(future: asyncio.Future[Any], timeout: Timeout, action: Callable[[], None]) -> None:
    """Call ``action()`` when the time is over, unless ``future`` is done by then.

    :arg timeout: None for never; a `datetime.timedelta` from now; or a time of `IOLoop.time`, so that
        any time past, 0 among them, is over at the next turn of the loop.
    """
    if timeout is None or future.done():
        return
    io_loop = IOLoop.current()
    timer = io_loop.add_timeout(timeout, _expire, future, action)
    future.add_done_callback(lambda _done: io_loop.remove_timeout(timer))


def _expire(future: asyncio.Future[Any], action: Callable[[], None]) -> None:
    if not future.done():
        action()
