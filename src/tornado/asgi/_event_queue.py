"""`EventQueue`: the events of one response or WebSocket that the ASGI server has not accepted yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from tornado.asgi._types import Event
from tornado.iostream import StreamClosedError


class _Entry(NamedTuple):
    """An event, its size in bytes, and the Future that is done when the server has accepted it."""

    event: Event
    size: int
    sent: asyncio.Future[None]


class EventQueue:
    """Events in the order in which they are sent.

    Handlers add events without waiting. One coroutine passes them to the server's ``send``, which waits while
    the client does not read; the Futures of the events pass this back-pressure on to the handler.

    :param loop: the event loop.
    :param wake: called when an event has been added.
    :ivar size: the size of the events that the server has not accepted, in bytes.
    """

    __slots__ = ("_entries", "_is_sending", "_loop", "_wake", "size")

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop = loop
        self._wake = wake
        self._entries: deque[_Entry] = deque()
        #: Whether the server has been given the first event.
        self._is_sending = False
        self.size: int = 0

    def put(self, event: Event, size: int = 0) -> asyncio.Future[None]:
        """Add an event.

        :param size: the size of its data in bytes.
        :returns: a Future that is done when the server has accepted the event.
        """
        entry = _Entry(event, size, self._loop.create_future())
        self._entries.append(entry)
        self.size += size
        self._wake()
        return entry.sent

    def first(self) -> Event | None:
        """Return the event to send next; None if the queue is empty. It counts until `accepted`."""
        self._is_sending = bool(self._entries)
        return self._entries[0].event if self._entries else None

    def last(self) -> Event | None:
        """Return the event that was added last, if the server does not have it yet."""
        return self._entries[-1].event if len(self._entries) > self._is_sending else None

    def accepted(self) -> None:
        """Remove the first event, because the server has accepted it."""
        if self._is_sending:  # otherwise `clear` was called in the meantime
            self._is_sending = False
            entry = self._entries.popleft()
            self.size -= entry.size
            if not entry.sent.done():
                entry.sent.set_result(None)

    def when_sent(self) -> asyncio.Future[None]:
        """Return a Future that is done when the server has accepted all present events."""
        future: asyncio.Future[None] = self._loop.create_future()
        if not self._entries:
            future.set_result(None)
            return future
        self._entries[-1].sent.add_done_callback(lambda sent: _copy_state(sent, future))
        return future

    def clear(self) -> None:
        """Discard all events, because the client has disconnected; their Futures fail."""
        entries, self._entries = self._entries, deque()
        self.size, self._is_sending = 0, False
        for entry in entries:
            if not entry.sent.done():
                entry.sent.set_exception(StreamClosedError())
                entry.sent.exception()  # marks it as retrieved: callers may ignore a failed write


def _copy_state(source: asyncio.Future[None], target: asyncio.Future[None]) -> None:
    if target.done():
        return
    if not source.cancelled() and source.exception() is None:
        target.set_result(None)
    else:
        target.set_exception(StreamClosedError())
        target.exception()


__all__ = ["EventQueue"]
