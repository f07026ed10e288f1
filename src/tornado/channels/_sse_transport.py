"""`EventStreamTransport`: messages are sent as events on the streams of `EventSourceHandler`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from time import monotonic
from typing import Any

from tornado.channels._encoding import EncodedItem
from tornado.channels._limits import SlowPolicy
from tornado.channels._session import Session
from tornado.channels._transport import Transport
from tornado.log import app_log

#: The number of unsent bytes above which a client that does not read other events is disconnected.
_MAX_UNSENT = 512 * 1024
_TOO_SLOW = 1013


class EventStreamTransport(Transport):
    """The transport whose receivers are `EventStream` objects."""

    def send_to_all(
        self, receivers: Collection[Any], item: EncodedItem, policy: SlowPolicy | None
    ) -> Collection[Any]:
        now, event, slow = monotonic(), item.event, []
        limit = _MAX_UNSENT if policy is None else policy.limit
        for stream in list(receivers):
            try:
                if stream.unsent() > limit:
                    slow.append(stream)
                else:
                    stream.send(event, now)
            except Exception:
                app_log.error("Exception while an event was sent to %r", stream, exc_info=True)
                slow.append(stream)
        if policy is not None:
            return slow
        for stream in slow:
            stream.disconnect("the client does not read")
        return ()

    def when_sent(self, receiver: Any, rest: int, callback: Callable[[], None]) -> None:
        receiver.call_when_drained(lambda _: callback())

    def close(self, receiver: Any, code: int, reason: str) -> None:
        if code == _TOO_SLOW:
            receiver.disconnect(reason)
        else:
            receiver.finish()


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
