"""`EventChannel`: sends events to many streams, including the events that a stream has missed.

An event is serialized and framed as a chunk once, and the same bytes are sent to every subscriber. For each
subscriber, the channel stores the number of the last event sent to it. Delivery sends all later events to
each subscriber, so events published in one event loop iteration reach a client in one send. A slow client
needs no separate buffer: it is skipped while too much of its output is unsent, and then served from the
channel's history. After every `BATCH` subscribers, delivery yields to the event loop.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections import deque
from collections.abc import Iterator
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any

from tornado._wire.chunked import serialize_chunk
from tornado._wire.sse import check_id, serialize_event
from tornado.escape import json_encode
from tornado.log import app_log, gen_log

if TYPE_CHECKING:
    from tornado.web._sse_handler import EventSourceHandler

#: The number of subscribers served per event loop iteration, which takes about two milliseconds.
BATCH = 256


def as_text(data: Any) -> str | bytes:
    """Return the data of an event: text and bytes unchanged, anything else as JSON."""
    return data if isinstance(data, (str, bytes)) else json_encode(data)


class EncodedEvent:
    """Bytes of an event stream. The chunk of a chunked body that contains them is cached."""

    __slots__ = ("_chunk", "data", "id")

    def __init__(self, data: bytes, id: str = "") -> None:
        self.data = data
        self.id = id
        self._chunk: bytes | None = None

    @property
    def chunk(self) -> bytes:
        """The bytes as a chunk (RFC 9112 section 7.1)."""
        chunk = self._chunk
        if chunk is None:
            chunk = self._chunk = serialize_chunk(self.data)
        return chunk


class EventChannel:
    """A source of events for any number of `EventSourceHandler` streams, with a history for reconnects.

    ::

        prices = web.EventChannel(history=1000)

        class Prices(web.EventSourceHandler):
            def open(self):
                self.subscribe(prices)

        prices.publish({"EUR": 1.08}, event="price")

    Every event has an id that is unique across channels and runs of the program. A browser that reconnects
    sends the id of the last event it received, and the events it has missed are sent from the history. If the
    id is unknown, or its event is no longer in the history, the whole history is sent: an event may be sent
    twice, but none is silently left out.

    A channel belongs to one event loop and must be used in the thread of that loop. Other threads must call
    ``loop.call_soon_threadsafe(channel.publish, data)``.

    :param history: the number of events to keep.
    :param slow: how to treat a client that does not read, once more than ``max_unsent`` bytes of its handler
        are unsent. ``"wait"`` skips it until it has read, and disconnects it only if it has missed more
        events than the history contains; ``"drop"`` disconnects it immediately, after which a browser
        reconnects.
    :raises ValueError: if `history` is negative, or `slow` is neither ``"wait"`` nor ``"drop"``.
    """

    __module__ = "tornado.web"  # the module that exports this class

    def __init__(self, history: int = 100, slow: str = "wait") -> None:
        if history < 0:
            raise ValueError(f"history must be a number of events of at least 0, got {history!r}")
        if slow not in ("wait", "drop"):
            raise ValueError(f'slow must be "wait" or "drop", got {slow!r}')
        self._history = history
        self._capacity = max(history, 1)
        self._drops_slow = slow == "drop"
        self._epoch = os.urandom(4).hex()
        #: The latest events; the last one has the number `_newest`.
        self._events: deque[EncodedEvent] = deque()
        self._newest = 0
        self._numbers: dict[str, int] = {}
        #: The number of the last event sent to each subscriber.
        self._subscribers: dict[EventSourceHandler, int] = {}
        self._waiting: set[EventSourceHandler] = set()
        self._joined: tuple[int, int, EncodedEvent] | None = None
        # The current pass over the subscribers, and the number of the newest event when it began.
        self._current_pass: Iterator[EventSourceHandler] | None = None
        self._current_pass_newest = 0
        self._delivered = 0
        self._scheduled = False

    def __len__(self) -> int:
        """Return the number of subscribed streams."""
        return len(self._subscribers)

    def __bool__(self) -> bool:
        """Return True, even for a channel without subscribers."""
        return True

    # -- for the program --

    def publish(self, data: Any, event: str | None = None, id: str | int | None = None) -> str:
        """Send an event to every stream, in the next event loop iteration.

        :param data: text, or text encoded in UTF-8; anything else is sent as JSON.
        :param event: the type of the event; without it, browsers use ``message``.
        :param id: an id to use instead of a generated one, such as a database key; an int is converted
            to text. Each id should occur only once in the history.
        :returns: the id of the event.
        :raises ValueError: if `event` or `id` contains a line end, or if `id` contains NUL or is empty.
        :raises TypeError: if `event` is not a str, or `id` is neither a str nor an int.
        :raises RuntimeError: if there are subscribers and no event loop is running in this thread.
        """
        if id == "":
            raise ValueError("the id of an event must not be empty, which would reset the last event id")
        name = check_id(id) if id is not None else f"{self._epoch}-{self._newest + 1}"
        frame = EncodedEvent(serialize_event(as_text(data), event, name), name)
        if self._subscribers:
            loop = asyncio.get_running_loop()
            if self._newest - self._delivered >= self._capacity:
                # Otherwise the oldest undelivered event would be dropped from the history.
                self._deliver(None)
            if not self._scheduled:
                self._scheduled = True
                loop.call_soon(self._deliver_batch)
        else:
            self._delivered += 1
        self._append(frame)
        return name

    def close(self) -> None:
        """Finish all streams. Browsers reconnect whenever a stream ends."""
        for handler in list(self._subscribers):
            if handler._finished:
                self._detach(handler)
            else:
                _ = handler.finish()  # sends the published events first

    # -- the history --

    def _append(self, frame: EncodedEvent) -> None:
        events = self._events
        if len(events) == self._capacity:
            oldest = events.popleft()
            if self._numbers.get(oldest.id) == self._newest - self._capacity + 1:
                del self._numbers[oldest.id]
        events.append(frame)
        self._newest += 1
        self._numbers[frame.id] = self._newest

    def _frame_since(self, number: int) -> EncodedEvent | None:
        """Return all events after the given number as one frame, or None if some of them were dropped."""
        newest = self._newest
        missing = newest - number
        if missing == 1:
            return self._events[-1]
        if missing > len(self._events):
            return None
        joined = self._joined
        if joined is None or joined[0] != number or joined[1] != newest:
            frames = islice(self._events, len(self._events) - missing, None)
            joined = self._joined = (number, newest, EncodedEvent(b"".join([frame.data for frame in frames])))
        return joined[2]

    # -- for the handlers --

    def _attach(self, handler: EventSourceHandler, last_id: str, backlog: int) -> None:
        kept = min(len(self._events), self._history)
        if last_id:
            known = self._numbers.get(last_id)
            missed = kept if known is None else min(self._newest - known, kept)
        else:
            missed = min(backlog, kept)
        if not self._subscribers:
            self._delivered = self._newest
        self._subscribers[handler] = self._newest - missed

    def _detach(self, handler: EventSourceHandler) -> None:
        self._subscribers.pop(handler, None)
        self._waiting.discard(handler)

    def _send_missed(self, handler: EventSourceHandler, now: float) -> None:
        """Send a subscriber all events that have not been sent to it yet, unless it is slow."""
        number = self._subscribers.get(handler)
        if number is None or number == self._newest or handler in self._waiting or not handler._streaming:
            return
        if handler._is_slow():
            self._wait_until_drained(handler)
            return
        frame = self._frame_since(number)
        if frame is None:
            handler._disconnect("the client has missed more events than the channel keeps (history)")
            return
        self._subscribers[handler] = self._newest
        handler._send_frame(frame, now)

    def _catch_up(self, handler: EventSourceHandler, now: float) -> None:
        """Send a subscriber all missed events even if it waits until earlier output has been sent."""
        self._waiting.discard(handler)
        self._send_missed(handler, now)

    def _wait_until_drained(self, handler: EventSourceHandler) -> None:
        if self._drops_slow:
            handler._disconnect("the client does not read, and more than max_unsent bytes are unsent")
        else:
            self._waiting.add(handler)
            handler._when_drained(functools.partial(self._drained, handler))

    def _drained(self, handler: EventSourceHandler, _: Any = None) -> None:
        if handler in self._waiting:
            self._waiting.discard(handler)
            self._send_missed(handler, monotonic())

    # -- delivering --

    def _deliver_batch(self) -> None:
        self._scheduled = False
        self._deliver(BATCH)
        if self._delivered < self._newest and self._subscribers and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver_batch)

    def _deliver(self, limit: int | None) -> None:
        """Deliver all events to at most `limit` subscribers, or to all of them if it is None."""
        now = monotonic()
        while True:
            current_pass = self._current_pass
            if current_pass is None:
                # A copy, because closed streams are removed during the pass.
                current_pass = self._current_pass = iter(list(self._subscribers))
                self._current_pass_newest = self._newest
            count = 0
            for handler in islice(current_pass, limit):
                count += 1
                if handler._finished:  # the stream has ended without a call of finish()
                    self._detach(handler)
                    continue
                try:
                    self._send_missed(handler, now)
                except Exception:
                    app_log.error("Uncaught exception while sending an event", exc_info=True)
                    self._detach(handler)
                    handler._disconnect("sending an event raised an exception")
            if limit is not None and count == limit:
                return
            self._current_pass = None
            self._delivered = self._current_pass_newest
            if limit is not None or self._delivered == self._newest:
                return


def log_disconnected(handler: EventSourceHandler, reason: str) -> None:
    """Log why a client is disconnected."""
    gen_log.info("Event stream of %s closed: %s", handler._request_summary(), reason)


__all__ = ["EncodedEvent", "EventChannel", "as_text", "log_disconnected"]
