"""`EventStreamTransport`: messages are sent as events on the streams of `EventSourceHandler`.

`tornado.websocket._broadcast_scheduler` limits the time for which these sends and those to WebSockets block
the event loop. Streams that are not served in an iteration collect their output; those that are compressed,
or that an ASGI server sends, collect the events. So the order of the messages to each client is preserved,
and a stream that ends before it is served sends everything before its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from time import monotonic
from typing import Any

from tornado.channels._encoding import EncodedItem
from tornado.channels._limits import SlowPolicy
from tornado.channels._session import RESTART, TOO_SLOW, Session
from tornado.channels._transport import Transport
from tornado.log import app_log
from tornado.web._sse._event_stream import EventStream
from tornado.web._sse._sse_delivery import EncodedEvent
from tornado.websocket._broadcast_scheduler import CONNECTIONS_PER_CHECK, scheduler_of

#: The number of unsent bytes above which a client that does not read other events is disconnected.
_MAX_UNSENT = 512 * 1024
#: The reconnection time of clients that must connect again, in milliseconds. They multiply it by a random
#: number between 0.5 and 1.5; their own back-off may be much longer.
_RETRY = 2500
_REASON = "the client does not read"


class EventStreamTransport(Transport):
    """The transport whose receivers are `EventStream` objects."""

    def send(self, receiver: Any, text: bytes, position: str | None = None) -> None:
        if not _send(receiver, EncodedItem(text, position).event, monotonic(), _MAX_UNSENT):
            receiver.disconnect(_REASON)

    def send_to_all(
        self, receivers: Collection[Any], item: EncodedItem, policy: SlowPolicy | None
    ) -> Collection[Any]:
        if not receivers:
            return ()
        now, event, slow = monotonic(), item.event, []
        limit = _MAX_UNSENT if policy is None else policy.limit
        scheduler = scheduler_of(asyncio.get_running_loop())
        scheduler.begin()
        for number, stream in enumerate(list(receivers), 1):
            if scheduler.holding and stream.hold_output():
                scheduler.waiting.append(stream)
            if not _send(stream, event, now, limit):
                slow.append(stream)
            if not number % CONNECTIONS_PER_CHECK:
                scheduler.check_time()
        if policy is not None:
            return slow
        for stream in slow:
            stream.disconnect(_REASON)
        return ()

    def when_sent(self, receiver: Any, rest: int, callback: Callable[[], None]) -> None:
        receiver.call_when_drained(lambda _: callback())

    def close(self, receiver: Any, code: int, reason: str) -> None:
        if code == TOO_SLOW:
            receiver.disconnect(reason)
        else:
            receiver.finish(_RETRY if code == RESTART else None)


def _send(stream: EventStream, event: EncodedEvent, now: float, limit: int) -> bool:
    """Send an event to a stream. Return whether it was sent: at most `limit` bytes were unsent before."""
    try:
        if stream.unsent() > limit:
            return False
        stream.send(event, now)
    except Exception:
        app_log.error("Exception while an event was sent to %r", stream, exc_info=True)
        return False
    return True


class SessionEnd:
    """Ends a session when its stream ends; see `StreamSource`. It sends nothing itself."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def attach(self, stream: Any, last_id: str, backlog: int) -> None:
        """Do nothing."""

    def detach(self, stream: Any) -> None:
        """End the session."""
        self._session.end()

    def send_missed(self, stream: Any, now: float) -> None:
        """Do nothing."""

    def catch_up(self, stream: Any, now: float) -> None:
        """Do nothing."""


__all__ = ["EventStreamTransport", "SessionEnd"]
