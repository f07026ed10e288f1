"""Peers that leave, some in each turn of the loop.

A program that dies with thousands of connections, or a network that goes, ends all of them in one instant,
and the loop tells of all in one turn. To notice an end takes 5 microseconds, to act on it 17 more, most of
them the kernel's for closing the socket, and whatever the program does then. So an end is noticed at once:
the descriptor leaves the loop, or each turn would tell of it again. It is acted on in batches.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from typing import Protocol

from tornado._fair_queue import FairQueue


class Disconnectable(Protocol):
    """A stream whose peer has left."""

    def _disconnected(self, error: Exception | None) -> None: ...


_Waiting = dict[Disconnectable, tuple[Exception | None, contextvars.Context]]


class DisconnectQueue:
    """The streams of one loop whose peers have left."""

    __slots__ = ("_batches", "_broken", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # What a batch is to do comes with each item: a method of ours here would make a cycle of references.
        self._batches: FairQueue[tuple[_Waiting, Disconnectable]] = FairQueue(_tell)
        self._waiting: _Waiting = {}
        #: Errors that were fetched from the descriptor before its input has ended.
        self._broken: weakref.WeakKeyDictionary[Disconnectable, Exception] = weakref.WeakKeyDictionary()

    def expect(self, stream: Disconnectable, error: Exception) -> None:
        """Take note of the error that the end of `stream`'s input, once it is read, stands for."""
        self._broken[stream] = error

    def enter(self, stream: Disconnectable, error: Exception | None) -> None:
        """Have `stream` act on its peer's leaving: in good order, or by an error."""
        if self._broken:
            error = self._broken.pop(stream, None) or error
        known = stream in self._waiting
        if not known or error is not None:  # an error counts, whatever came before
            self._waiting[stream] = error, contextvars.copy_context()
        if not known:
            self._batches.add((self._waiting, stream), self._loop)


def _tell(item: tuple[_Waiting, Disconnectable]) -> None:
    waiting, stream = item
    error, context = waiting.pop(stream)
    context.run(stream._disconnected, error)
