"""`EventStream`: the state of one open stream of server-sent events, which its handler and channels share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from tornado._loop.deadlines import NEVER, scheduler_of
from tornado._wire.sse import serialize_comment
from tornado._wire.state_machine import State, permit
from tornado.http1connection import HTTP1Connection
from tornado.http1connection._exchange import COLLECT_LIMIT
from tornado.httputil._server_exchange import ServerExchange
from tornado.iostream import IOStream
from tornado.log import app_log, gen_log
from tornado.web._execution import _response
from tornado.web._execution._bypassed_methods import OUTPUT, STREAM_WRITE
from tornado.web._execution._execution_state import cancellation_of
from tornado.web._execution._handler_lookup import describe_handler
from tornado.web._execution._response import Response
from tornado.web._sse._sse_delivery import EncodedEvent

_SCHEDULER = "_tornado_event_streams"
_KEEP_ALIVE = EncodedEvent(serialize_comment())
#: The number of keep-alive intervals after which a client that accepts no data is disconnected. By default
#: this is a minute, as with nginx's ``send_timeout``.
_MAX_STALLED_INTERVALS = 4
#: The reconnection time at the end of a stream if the handler sets none, in milliseconds. Browsers use a
#: similar time by default.
_RETRY = 3000


class EventStreamState(State):
    """The progress of a stream."""

    #: The head of the response has not been sent.
    NEW = "new"
    #: The head has been sent, and events can follow.
    OPEN = "open"
    #: The stream is no longer subscribed to channels, and its handler ends the response.
    ENDED = "ended"


#: For each state, the states that may follow it.
TRANSITIONS: dict[EventStreamState, frozenset[EventStreamState]] = {
    EventStreamState.NEW: frozenset({EventStreamState.OPEN, EventStreamState.ENDED}),
    EventStreamState.OPEN: frozenset({EventStreamState.ENDED}),
    EventStreamState.ENDED: frozenset(),
}
permit(TRANSITIONS)


class StreamHandler(Protocol):
    """The part of `EventSourceHandler` that a stream uses."""

    keep_alive: float
    max_unsent: int
    request: Any

    def write(self, chunk: bytes) -> None:
        """See `RequestHandler.write`."""

    def flush(self) -> Any:
        """See `RequestHandler.flush`."""

    def finish(self) -> Any:
        """See `RequestHandler.finish`."""


class StreamSource(Protocol):
    """A source of events to which a stream subscribes, such as a `Delivery`."""

    def attach(self, stream: Any, last_id: str, backlog: int) -> None:
        """Add a stream; see `EventStream.subscribe`."""

    def detach(self, stream: Any) -> None:
        """Remove a stream, which has ended."""

    def send_missed(self, stream: Any, now: float) -> None:
        """Send a stream the events that have not been sent to it yet, unless it is slow."""

    def catch_up(self, stream: Any, now: float) -> None:
        """Send a stream the events that have not been sent to it yet."""


class EventStream:
    """One stream: a subscriber of channels, with a deadline for the next keep-alive comment.

    It is not part of the handler, whose attributes with plain names belong to programs. It refers to its
    handler until it ends, so that no reference cycle remains.

    :param response: the response of the handler.
    :ivar deadline: the time of the next keep-alive comment.
    """

    __slots__ = (
        "_bypasses_handler",
        "_channels",
        "_handler",
        "_held",
        "_held_events",
        "_response",
        "_stalled_intervals",
        "_stalled_unsent",
        "_state",
        "deadline",
    )

    #: It is not a WebSocket; see `tornado._http_server_drain.LongLivedConnection`.
    is_websocket = False

    def __init__(self, handler: StreamHandler, response: Response) -> None:
        self._handler: StreamHandler | None = handler
        self._response = response
        self._state = EventStreamState.NEW
        self._channels: tuple[StreamSource, ...] = ()
        self._bypasses_handler = False
        #: The stream of the connection while it collects output.
        self._held: IOStream | None = None
        #: The events that are collected in its place if each of them passes through the handler.
        self._held_events: list[bytes] | None = None
        self._stalled_intervals = 0
        self._stalled_unsent = 0
        self.deadline: float = NEVER

    def __repr__(self) -> str:
        return f"<EventStream {self._state.value}, {len(self._channels)} channels>"

    # -- state --

    def advance(self, state: EventStreamState) -> None:
        """Change the state.

        :raises InvalidTransition: if the table of transitions does not contain the change.
        """
        self._state = self._state.to[state]

    @property
    def is_open(self) -> bool:
        """Whether the head of the response has been sent, so that events can follow."""
        return self._state is EventStreamState.OPEN

    @property
    def is_ended(self) -> bool:
        """Whether nothing more can be sent on this stream."""
        return self._handler is None or self._response.is_finished

    @property
    def has_channels(self) -> bool:
        """Whether the stream is subscribed to a channel."""
        return bool(self._channels)

    @property
    def has_begun(self) -> bool:
        """Whether the head of the response has been sent."""
        return self._state is not EventStreamState.NEW

    def begin(self) -> None:
        """Start to send keep-alive comments and the events that the channels have published."""
        handler = self._handler
        assert handler is not None  # the stream is open
        self._bypasses_handler = not self._response.transforms and _may_bypass(handler)
        if isinstance(handler.request.connection, ServerExchange):
            handler.request.connection.drainable = self
        handler.request.waiting().__enter__()  # until the end of the request
        if handler.keep_alive:
            loop = asyncio.get_running_loop()
            watch = scheduler_of(loop, _SCHEDULER)
            watch.add(self, loop)
            watch.set(self, monotonic(), handler.keep_alive)
        for channel in self._channels:
            channel.send_missed(self, monotonic())

    def end(self) -> None:
        """Unsubscribe from the channels and cancel the keep-alive comments. A second call does nothing."""
        if self._state is EventStreamState.ENDED:
            return
        self.advance(EventStreamState.ENDED)
        channels, self._channels, self._handler = self._channels, (), None
        for channel in channels:
            channel.detach(self)
        if self.deadline != NEVER:
            self.deadline = NEVER
            scheduler_of(asyncio.get_running_loop(), _SCHEDULER).discard(self)

    # -- channels --

    def subscribe(self, channel: StreamSource, last_id: str, backlog: int) -> None:
        """Send the events of a channel; see `EventSourceHandler.subscribe`."""
        channel.attach(self, last_id, backlog)
        if channel not in self._channels:
            self._channels = (*self._channels, channel)
        channel.send_missed(self, monotonic())

    def catch_up(self) -> bool:
        """Send the events published on the channels, so that later output does not precede them.

        :returns: whether the stream has subscribed to channels.
        """
        self._send_held_events()
        channels = self._channels
        if channels:
            now = monotonic()
            for channel in channels:
                channel.catch_up(self, now)
        return bool(channels)

    # -- sending --

    def send(self, event: EncodedEvent, now: float) -> None:
        """Send bytes that several streams share."""
        handler = self._handler
        if handler is None:
            return
        self.postpone_comment(now)
        if not self._bypasses_handler:
            if self._held_events is not None:
                self._held_events.append(event.data)
                return
            handler.write(event.data)
            _ = handler.flush()
            return
        connection = handler.request.connection
        if not connection.ended:
            stream = connection.stream
            stream.send(event.chunk if connection.chunking else event.data)
            if stream.corked_size >= COLLECT_LIMIT:
                stream.flush_output()

    def hold_output(self) -> bool:
        """Collect output until `release_output`. Return whether this call has changed the state.

        If the handler or a transform processes each event, for example to compress it, this is part of
        `release_output`, too.
        """
        handler = self._handler
        if handler is None or not self.is_open or self._held is not None or self._held_events is not None:
            return False
        connection = handler.request.connection
        if isinstance(connection, ServerExchange) and connection.is_closed():
            return False
        if self._bypasses_handler:
            self._held = connection.stream  # pyright: ignore[reportAttributeAccessIssue]
            self._held.cork()
        else:
            self._held_events = []
        return True

    def release_output(self) -> None:
        """Send the output collected since `hold_output`."""
        held, self._held = self._held, None
        if held is not None:
            held.uncork()
        try:
            self._send_held_events()
        except Exception:
            app_log.error("Exception while events were sent to %r", self, exc_info=True)
            self.disconnect("sending an event raised an exception")

    def _send_held_events(self) -> None:
        events, self._held_events = self._held_events, None
        if events and self._handler is not None:
            self._handler.write(b"".join(events))
            _ = self._handler.flush()

    def postpone_comment(self, now: float) -> None:
        """Postpone the next keep-alive comment, because there is other output."""
        if self.deadline != NEVER and self._handler is not None:
            self.deadline = now + self._handler.keep_alive

    def unsent(self) -> int:
        """Return the number of bytes that wait for the client, without collected output."""
        connection = None if self._handler is None else self._handler.request.connection
        if not isinstance(connection, ServerExchange):
            return 0
        return connection.unsent_size - (0 if self._held is None else self._held.corked_size)

    def is_slow(self) -> bool:
        """Whether more output is unsent than the handler permits."""
        return self._handler is not None and self.unsent() > self._handler.max_unsent

    def call_when_drained(self, callback: Callable[[Any], None]) -> None:
        """Call `callback` when all output has been sent."""
        connection = None if self._handler is None else self._handler.request.connection
        if connection is not None and not connection.is_closed():
            connection.when_sent().add_done_callback(callback)

    def disconnect(self, reason: str) -> None:
        """Close the connection without completing the response, and log the reason. A browser reconnects."""
        handler: Any = self._handler
        if handler is not None:
            gen_log.info("Event stream of %s closed: %s", _response.request_summary(handler), reason)
            handler.request.connection.close()

    def finish(self, retry: int | None = None) -> None:
        """End the response.

        :param retry: the time in milliseconds after which the client reconnects; None for that of the client.
        """
        if self._handler is not None:
            if retry is not None and not self.is_ended:
                self._handler.write(b"retry: %d\n\n" % retry)
            _ = self._handler.finish()

    # -- the drain of the server; see `tornado._http_server_drain.LongLivedConnection` --

    def notify_drain(self) -> asyncio.Future[Any] | None:
        """Call ``on_drain`` of the handler; return its Future if it is awaitable."""
        handler: Any = self._handler
        if handler is None:
            return None
        try:
            result = handler.on_drain()
            return None if result is None else _logged(handler, asyncio.ensure_future(result))
        except (Exception, asyncio.CancelledError) as error:
            handler.log_exception(type(error), error, error.__traceback__)
            return None

    def end_for_drain(self, retry: int | None) -> bool:
        """End the stream with a ``retry`` field, and the connection with it.

        :param retry: the reconnection time in milliseconds; None for that of the handler.
        :returns: False if the stream has ended already.
        """
        handler: Any = self._handler
        if handler is None or self.is_ended:
            return False
        if retry is None:
            retry = handler.retry
        handler.request.connection.close_after = True
        self.finish(_RETRY if retry is None else retry)
        cancellation = cancellation_of(handler)
        if cancellation is not None:
            cancellation.cancel_for_drain()
        return True

    def describe(self) -> str:
        """Return a description of the request for the log."""
        handler: Any = self._handler
        return "an event stream" if handler is None else describe_handler(handler)

    def deadline_passed(self) -> None:
        """Send a keep-alive comment, or check for a stalled client if earlier output is still unsent."""
        if self._handler is None:
            return
        now = monotonic()
        unsent = self.unsent()
        scheduler = scheduler_of(asyncio.get_running_loop(), _SCHEDULER)
        scheduler.set(self, now, self._handler.keep_alive)
        if not unsent:
            self._stalled_intervals = 0
            self.send(_KEEP_ALIVE, now)
            return
        self._stalled_intervals = self._stalled_intervals + 1 if unsent == self._stalled_unsent else 0
        self._stalled_unsent = unsent
        if self._stalled_intervals >= _MAX_STALLED_INTERVALS:
            self.disconnect(f"the client has read nothing for {_MAX_STALLED_INTERVALS} keep_alive intervals")


def _may_bypass(handler: Any) -> bool:
    """Whether chunks may be passed directly to the stream, bypassing `write`, `flush` and the exchange.

    This is the case if none of these methods is overridden, and without transforms.
    """
    connection = handler.request.connection
    return (
        OUTPUT.are_original_on(handler)
        and type(connection) is HTTP1Connection
        and connection.remaining_length is None
        and connection.stream is not None
        and STREAM_WRITE.are_original_on(connection.stream)
    )


def _logged(handler: Any, future: asyncio.Future[Any]) -> asyncio.Future[Any]:
    """Return `future` after arranging for the handler to log an exception of its ``on_drain``."""

    def log(done: asyncio.Future[Any]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            handler.log_exception(type(error), error, error.__traceback__)

    future.add_done_callback(log)
    return future


__all__ = ["TRANSITIONS", "EventStream", "EventStreamState", "StreamHandler", "StreamSource"]
