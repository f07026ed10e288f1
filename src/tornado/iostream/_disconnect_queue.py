"""Processes disconnects in batches, a bounded number per event loop iteration.

When a program with thousands of connections dies, or a network fails, all of its connections end at the same
time, and one event loop iteration reports them all. Detecting a disconnect takes 5 microseconds. Handling it
takes 17 more, most of them in the kernel to close the socket, plus the time of the program's callbacks. So a
disconnect is detected immediately, and the descriptor is removed from the event loop, which would otherwise
report the disconnect in every iteration. The disconnect is handled later, in a batch.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from typing import Protocol

from tornado._loop.per_loop import PerLoop
from tornado._loop.time_sliced_queue import TimeSlicedQueue


class Disconnectable(Protocol):
    """A stream that handles its peer's disconnect in `_disconnected`."""

    def _disconnected(self, error: Exception | None) -> None: ...


_Waiting = dict[Disconnectable, tuple[Exception | None, contextvars.Context]]


class DisconnectQueue:
    """The streams of one event loop whose peers have disconnected."""

    __slots__ = ("_batches", "_loop", "_pending_errors", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # Each item contains `_waiting`, so that the callback can be a function. A bound method would create a
        # reference cycle.
        self._batches: TimeSlicedQueue[tuple[_Waiting, Disconnectable]] = TimeSlicedQueue(_notify)
        self._waiting: _Waiting = {}
        #: Errors that were fetched from descriptors while these still had unread input.
        self._pending_errors: weakref.WeakKeyDictionary[Disconnectable, Exception] = (
            weakref.WeakKeyDictionary()
        )

    def set_pending_error(self, stream: Disconnectable, error: Exception) -> None:
        """Store the error to report when the end of `stream`'s input has been read."""
        self._pending_errors[stream] = error

    def add(self, stream: Disconnectable, error: Exception | None) -> None:
        """Schedule `stream._disconnected`.

        :param error: the error that ended the connection, None after an orderly end of input.
        """
        if self._pending_errors:
            error = self._pending_errors.pop(stream, None) or error
        queued = stream in self._waiting
        if not queued or error is not None:  # an error replaces an orderly end
            self._waiting[stream] = error, contextvars.copy_context()
        if not queued:
            self._batches.add((self._waiting, stream), self._loop)


def _notify(item: tuple[_Waiting, Disconnectable]) -> None:
    waiting, stream = item
    error, context = waiting.pop(stream)
    context.run(stream._disconnected, error)


#: The queue of each asyncio loop.
disconnect_queues = PerLoop("disconnect queue", DisconnectQueue)
