"""Access of tests to the inner state of `tornado.web.EventSourceHandler`."""

from __future__ import annotations

from typing import Any

from tornado.web._sse._event_stream import EventStream
from tornado.web._sse._sse_channel import EventChannel, delivery_of


def stream_of(handler: Any) -> EventStream:
    """Return the stream of a handler."""
    stream: EventStream = handler._stream_object()
    return stream


def is_over(handler: Any) -> bool:
    """Whether the handler knows that its stream has ended."""
    return bool(handler._is_over())


def subscribe_although_over(handler: Any, channel: EventChannel) -> None:
    """Subscribe a handler to a channel without the check of `EventSourceHandler.subscribe`."""
    stream_of(handler).subscribe(delivery_of(channel), "", 0)


def bypass_nothing(handler: Any) -> None:
    """Let a stream call the methods of its handler for each event."""
    stream_of(handler)._bypasses_handler = False


def set_finished(handler: Any, is_finished: bool) -> None:
    """End the response of a handler without a call of its ``finish``, or open it again."""
    handler._finished = is_finished
