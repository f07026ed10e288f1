"""The delivery of a channel's events to its subscribers, including the events that a stream has missed.

An event is serialized and framed as a chunk once, and the same bytes are sent to every subscriber. For each
subscriber, the number of the last event sent to it is stored. Delivery sends all later events to each
subscriber, so events published in one event loop iteration reach a client in one send. A slow client needs no
separate buffer: it is skipped while too much of its output is unsent, and then served from the history. After
every `BATCH` subscribers, or after `MAX_TIME`, delivery yields to the event loop.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from time import monotonic
from typing import Any, Protocol

from tornado._wire.chunked import serialize_chunk
from tornado.log import app_log

#: The number of subscribers served per event loop iteration, which takes about two milliseconds.
BATCH = 256
#: The maximum time for this in seconds, because compressed events take longer.
MAX_TIME = 0.005
#: The number of subscribers served between two reads of the clock.
SUBSCRIBERS_PER_CHECK = 32


class EncodedEvent:
    """Bytes of an event stream. The chunk of a chunked body that contains them is cached."""

    __slots__ = ("_chunk", "data", "id")

    def __init__(self, data: bytes, id: str = "") -> None:
        self.data: bytes = data
        self.id: str = id
        self._chunk: bytes | None = None

    @property
    def chunk(self) -> bytes:
        """The bytes as a chunk (RFC 9112 section 7.1)."""
        chunk = self._chunk
        if chunk is None:
            chunk = self._chunk = serialize_chunk(self.data)
        return chunk


class Subscriber(Protocol):
    """A stream to which events are sent.

    :ivar is_open: whether the head of the response has been sent, so that events can follow.
    :ivar is_ended: whether nothing more can be sent on this stream.
    """

    @property
    def is_open(self) -> bool: ...
    @property
    def is_ended(self) -> bool: ...

    def is_slow(self) -> bool:
        """Whether more output is unsent than the stream permits."""

    def send(self, event: EncodedEvent, now: float) -> None:
        """Send the bytes of one or more events.

        :param now: the time of `time.monotonic`.
        """

    def call_when_drained(self, callback: Callable[[Any], None]) -> None:
        """Call `callback` when all output has been sent."""

    def disconnect(self, reason: str) -> None:
        """Close the connection, and log the reason."""

    def finish(self) -> None:
        """End the response."""


class Delivery:
    """The history of a channel, its subscribers, and the number of the last event sent to each of them.

    :param history: the number of events that are kept for new and reconnecting streams.
    :param drops_slow: whether a slow stream is disconnected; otherwise it receives the events later.
    """

    def __init__(self, history: int, drops_slow: bool) -> None:
        self._history = history
        self._capacity = max(history, 1)
        self._drops_slow = drops_slow
        #: The latest events; the last one has the number `newest`.
        self._events: deque[EncodedEvent] = deque()
        self.newest = 0
        self._numbers: dict[str, int] = {}
        #: The number of the last event sent to each subscriber.
        self._subscribers: dict[Subscriber, int] = {}
        self._waiting: set[Subscriber] = set()
        self._joined: tuple[int, int, EncodedEvent] | None = None
        # The current pass over the subscribers, and the number of the newest event when it began.
        self._current_pass: Iterator[Subscriber] | None = None
        self._current_pass_newest = 0
        self._delivered = 0
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._subscribers)

    def __repr__(self) -> str:
        return (
            f"<Delivery of event {self.newest} to {len(self._subscribers)} streams, "
            f"{len(self._waiting)} waiting, {'scheduled' if self._scheduled else 'idle'}>"
        )

    @property
    def is_scheduled(self) -> bool:
        """Whether events will be delivered in the next event loop iteration."""
        return self._scheduled

    @property
    def waiting(self) -> int:
        """The number of slow subscribers that wait until their output has been sent."""
        return len(self._waiting)

    def number_of(self, id: str) -> int | None:
        """Return the number of the event with an id, or None if it is not in the history."""
        return self._numbers.get(id)

    def publish(self, event: EncodedEvent) -> None:
        """Append an event to the history, and schedule its delivery.

        :raises RuntimeError: if there are subscribers and no event loop is running in this thread.
        """
        if self._subscribers:
            loop = asyncio.get_running_loop()
            if self.newest - self._delivered >= self._capacity:
                # Otherwise the oldest undelivered event would be dropped from the history.
                self._deliver(None)
            if not self._scheduled:
                self._scheduled = True
                loop.call_soon(self._deliver_batch)
        else:
            self._delivered += 1
        self._append(event)

    def finish_all(self) -> None:
        """Finish all streams, after the published events."""
        for stream in list(self._subscribers):
            if stream.is_ended:
                self.detach(stream)
            else:
                stream.finish()

    # -- the history --

    def _append(self, frame: EncodedEvent) -> None:
        events = self._events
        if len(events) == self._capacity:
            oldest = events.popleft()
            if self._numbers.get(oldest.id) == self.newest - self._capacity + 1:
                del self._numbers[oldest.id]
        events.append(frame)
        self.newest += 1
        self._numbers[frame.id] = self.newest

    def _frame_since(self, number: int) -> EncodedEvent | None:
        """Return all events after the given number as one frame, or None if some of them were dropped."""
        newest = self.newest
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

    # -- for the streams --

    def attach(self, stream: Subscriber, last_id: str, backlog: int) -> None:
        """Add a subscriber.

        :param last_id: the id of the last event that a reconnecting client has received, or an empty string.
        :param backlog: the number of previous events to send to a new client.
        """
        kept = min(len(self._events), self._history)
        if last_id:
            known = self._numbers.get(last_id)
            missed = kept if known is None else min(self.newest - known, kept)
        else:
            missed = min(backlog, kept)
        if not self._subscribers:
            self._delivered = self.newest
        self._subscribers[stream] = self.newest - missed

    def detach(self, stream: Subscriber) -> None:
        """Remove a subscriber, if it is one."""
        self._subscribers.pop(stream, None)
        self._waiting.discard(stream)

    def send_missed(self, stream: Subscriber, now: float) -> None:
        """Send a subscriber all events that have not been sent to it yet, unless it is slow."""
        number = self._subscribers.get(stream)
        if number is None or number == self.newest or stream in self._waiting or not stream.is_open:
            return
        if stream.is_slow():
            self._wait_until_drained(stream)
            return
        frame = self._frame_since(number)
        if frame is None:
            stream.disconnect("the client has missed more events than the channel keeps (history)")
            return
        self._subscribers[stream] = self.newest
        stream.send(frame, now)

    def catch_up(self, stream: Subscriber, now: float) -> None:
        """Send a subscriber all missed events even if it waits until earlier output has been sent."""
        self._waiting.discard(stream)
        self.send_missed(stream, now)

    def _wait_until_drained(self, stream: Subscriber) -> None:
        if self._drops_slow:
            stream.disconnect("the client does not read, and more than max_unsent bytes are unsent")
        else:
            self._waiting.add(stream)
            stream.call_when_drained(functools.partial(self._drained, stream))

    def _drained(self, stream: Subscriber, _: Any = None) -> None:
        if stream in self._waiting:
            self._waiting.discard(stream)
            self.send_missed(stream, monotonic())

    # -- delivering --

    def _deliver_batch(self) -> None:
        self._scheduled = False
        self._deliver(BATCH)
        if self._delivered < self.newest and self._subscribers and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver_batch)

    def _deliver(self, limit: int | None) -> None:
        """Deliver all events to at most `limit` subscribers, or to all of them if `limit` is None.

        With a limit, the time is limited, too.
        """
        now = monotonic()
        while True:
            current_pass = self._current_pass
            if current_pass is None:
                # A copy, because closed streams are removed during the pass.
                current_pass = self._current_pass = iter(list(self._subscribers))
                self._current_pass_newest = self.newest
            count = 0
            for stream in islice(current_pass, limit):
                count += 1
                self._serve(stream, now)
                if limit is not None and not count % SUBSCRIBERS_PER_CHECK and monotonic() >= now + MAX_TIME:
                    return
            if limit is not None and count == limit:
                return
            self._current_pass = None
            self._delivered = self._current_pass_newest
            if limit is not None or self._delivered == self.newest:
                return

    def _serve(self, stream: Subscriber, now: float) -> None:
        """Send a subscriber what it has missed, or remove it."""
        if stream.is_ended:  # the stream has ended without a call of finish()
            self.detach(stream)
            return
        try:
            self.send_missed(stream, now)
        except Exception:
            app_log.error("Uncaught exception while sending an event", exc_info=True)
            self.detach(stream)
            stream.disconnect("sending an event raised an exception")


__all__ = ["BATCH", "Delivery", "EncodedEvent", "Subscriber"]
