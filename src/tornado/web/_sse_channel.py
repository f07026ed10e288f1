"""`EventChannel`: one event to many streams, and those who missed some get them later.

An event is serialised once, and framed once as a chunk; every subscriber is sent the same bytes. A subscriber
is a number: that of the last event it was sent. Delivering means to send each one what came since, so events
that are published in one turn of the loop reach a client in one send, and a slow client needs no buffer of
its own: it is passed over while too much is waiting for it, and served from the channel's history when it has
caught up. After every `BATCH` subscribers the loop has a turn.
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

#: Subscribers served before the loop has its turn: about two milliseconds.
BATCH = 256


def as_text(data: Any) -> str | bytes:
    """An event's data: text and bytes as they are, everything else as JSON."""
    return data if isinstance(data, (str, bytes)) else json_encode(data)


class Frame:
    """Bytes of an event stream, also as a chunk of a chunked body, made when first asked for."""

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
    """Events for any number of `EventSourceHandler` streams, with a history for those who reconnect.

    ::

        prices = web.EventChannel(history=1000)

        class Prices(web.EventSourceHandler):
            def open(self):
                self.subscribe(prices)

        prices.publish({"EUR": 1.08}, event="price")

    Every event has an id that no other channel and no other run of the program gives. A browser whose
    connection broke tells the last one it has seen, and gets what it missed, as far as the history goes. If
    the id is not (or no longer) known, it gets the whole history: events may come twice, but none is silently
    left out.

    A channel belongs to one event loop and is used on that loop's thread; others say
    ``loop.call_soon_threadsafe(channel.publish, data)``.

    :param history: how many events are kept.
    :param slow: what becomes of a client that does not read, once its handler's ``max_unsent`` bytes wait for
        it: ``"wait"`` passes it over until it has read, and disconnects it only when it has missed more than
        the history holds; ``"drop"`` disconnects it at once. (A browser then reconnects.)
    :raises ValueError: if `history` is negative, or `slow` something else.
    """

    __module__ = "tornado.web"  # its public address

    def __init__(self, history: int = 100, slow: str = "wait") -> None:
        if history < 0:
            raise ValueError(f"history is a number of events, not {history!r}")
        if slow not in ("wait", "drop"):
            raise ValueError(f'slow is "wait" or "drop", not {slow!r}')
        self._history = history
        self._capacity = max(history, 1)
        self._drops = slow == "drop"
        self._epoch = os.urandom(4).hex()
        #: The latest events; the last one has the number `_newest`.
        self._events: deque[Frame] = deque()
        self._newest = 0
        self._numbers: dict[str, int] = {}
        #: The number of the last event that each has been sent.
        self._subscribers: dict[EventSourceHandler, int] = {}
        self._waiting: set[EventSourceHandler] = set()
        self._joined: tuple[int, int, Frame] | None = None
        # A walk over the subscribers, up to the event it began with.
        self._walk: Iterator[EventSourceHandler] | None = None
        self._walk_newest = 0
        self._delivered = 0
        self._scheduled = False

    def __len__(self) -> int:
        """How many streams are subscribed."""
        return len(self._subscribers)

    def __bool__(self) -> bool:
        """A channel is one, whether anybody listens or not."""
        return True

    # -- for the program --

    def publish(self, data: Any, event: str | None = None, id: str | int | None = None) -> str:
        """Send an event to every stream, in the loop's next turn.

        :param data: text, or its UTF-8 as bytes; anything else is sent as JSON.
        :param event: its type; browsers call it ``message`` if there is none.
        :param id: to identify it by instead of an id of the channel's making (a key in a database, for
            example; a number counts as its digits); no two events of the history should have the same.
        :returns: the event's id.
        :raises ValueError: if `event` or `id` holds a line end, or `id` NUL, or is empty.
        :raises TypeError: if `event` is no text, or `id` neither text nor a whole number.
        :raises RuntimeError: if there are subscribers, and no event loop runs in this thread.
        """
        if id == "":
            raise ValueError("the id of an event must not be empty: readers would forget their place")
        name = check_id(id) if id is not None else f"{self._epoch}-{self._newest + 1}"
        frame = Frame(serialize_event(as_text(data), event, name), name)
        if self._subscribers:
            loop = asyncio.get_running_loop()
            if self._newest - self._delivered >= self._capacity:
                self._deliver(None)  # before the oldest of what they have not been sent is dropped
            if not self._scheduled:
                self._scheduled = True
                loop.call_soon(self._take_turn)
        else:
            self._delivered += 1
        self._append(frame)
        return name

    def close(self) -> None:
        """Finish all streams. (Their clients reconnect, as browsers do whenever a stream ends.)"""
        for handler in list(self._subscribers):
            if handler._finished:
                self._detach(handler)
            else:
                _ = handler.finish()  # which sends what was published before

    # -- the history --

    def _append(self, frame: Frame) -> None:
        events = self._events
        if len(events) == self._capacity:
            oldest = events.popleft()
            if self._numbers.get(oldest.id) == self._newest - self._capacity + 1:
                del self._numbers[oldest.id]
        events.append(frame)
        self._newest += 1
        self._numbers[frame.id] = self._newest

    def _since(self, number: int) -> Frame | None:
        """Everything after the event with this number as one frame; None if not all of it is here."""
        newest = self._newest
        missing = newest - number
        if missing == 1:
            return self._events[-1]
        if missing > len(self._events):
            return None
        joined = self._joined
        if joined is None or joined[0] != number or joined[1] != newest:
            frames = islice(self._events, len(self._events) - missing, None)
            joined = self._joined = (number, newest, Frame(b"".join([frame.data for frame in frames])))
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

    def _bring_up(self, handler: EventSourceHandler, now: float) -> None:
        """Send a subscriber what it lacks, unless it is slow."""
        number = self._subscribers.get(handler)
        if number is None or number == self._newest or handler in self._waiting or not handler._streaming:
            return
        if handler._is_slow():
            self._wait_for(handler)
            return
        frame = self._since(number)
        if frame is None:
            handler._disconnect("it has missed more events than the channel keeps (history)")
            return
        self._subscribers[handler] = self._newest
        handler._send_frame(frame, now)

    def _catch_up(self, handler: EventSourceHandler, now: float) -> None:
        """The same also for one that has not read all that it was sent."""
        self._waiting.discard(handler)
        self._bring_up(handler, now)

    def _wait_for(self, handler: EventSourceHandler) -> None:
        if self._drops:
            handler._disconnect("it does not read (max_unsent)")
        else:
            self._waiting.add(handler)
            handler._when_drained(functools.partial(self._drained, handler))

    def _drained(self, handler: EventSourceHandler, _: Any = None) -> None:
        if handler in self._waiting:
            self._waiting.discard(handler)
            self._bring_up(handler, monotonic())

    # -- delivering --

    def _take_turn(self) -> None:
        self._scheduled = False
        self._deliver(BATCH)
        if self._delivered < self._newest and self._subscribers and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._take_turn)

    def _deliver(self, limit: int | None) -> None:
        """Serve so many subscribers, or all of them, with everything there is."""
        now = monotonic()
        while True:
            walk = self._walk
            if walk is None:
                # A copy: who is found to have gone leaves.
                walk = self._walk = iter(list(self._subscribers))
                self._walk_newest = self._newest
            count = 0
            for handler in islice(walk, limit):
                count += 1
                if handler._finished:  # by a way that did not come by here
                    self._detach(handler)
                    continue
                try:
                    self._bring_up(handler, now)
                except Exception:
                    app_log.error("Uncaught exception while an event was sent", exc_info=True)
                    self._detach(handler)
                    handler._disconnect("an event could not be sent")
            if limit is not None and count == limit:
                return
            self._walk = None
            self._delivered = self._walk_newest
            if limit is not None or self._delivered == self._newest:
                return


def log_disconnected(handler: EventSourceHandler, reason: str) -> None:
    """Say why a client is disconnected."""
    gen_log.info("Event stream of %s closed: %s", handler._request_summary(), reason)


__all__ = ["EventChannel", "Frame", "as_text", "log_disconnected"]
