"""`MessageReceiver`: delivers the events of a connection to the program, in order.

The owner's callbacks are called from the event loop's read callback. All output of a callback that is a plain
function is sent together. If a callback returns an awaitable, it is run in a task, and later events wait in a
backlog until the task has finished. Messages are thus processed in order, and a slow handler slows down its
peer, because only a limited amount is read ahead (`MAX_BACKLOG`). Some data is read ahead so that a
disconnect, or the reply to a ping, is noticed while a handler is busy.

Messages also wait while the peer has not read enough of the output that callbacks have sent
(`MessageReceiver.stall`). The connection thus stops serving a peer that sends and never reads. Output that
is sent outside the callbacks does not count, because the sender can await it. If it counted, two programs
that send to each other while they read would both stop reading, and neither could continue.

Reading also pauses while more data has arrived than one call may decompress.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import sys
from collections.abc import Callable
from typing import Any, Protocol

from tornado._loop.tasks import run_eagerly
from tornado._wire import ws_connection
from tornado._wire.ws_state import WebSocketState
from tornado.concurrent import Future
from tornado.gen import convert_yielded
from tornado.iostream._interface import Transport
from tornado.log import app_log
from tornado.websocket._errors import WebSocketClosedError

# See `tornado._wire.state_machine` for the reason for these constants.
_OPEN = WebSocketState.OPEN

#: The number of events of one connection that are handled before other connections are served. One read from
#: the socket may contain thousands of events.
BATCH = 128
#: The size of the backlog, in bytes or characters, at which reading pauses.
MAX_BACKLOG = 256 * 1024
#: The size that each event adds to the backlog, in addition to the size of its message.
EVENT_COST = 256

#: The end of the input, as an event in a backlog.
_END: Any = object()
_CLOSED = WebSocketState.CLOSED


class ReceivingConnection(Protocol):
    """The methods of a connection that its receiver uses.

    :ivar handler: the owner, whose callbacks are called.
    """

    handler: Any
    state: WebSocketState
    stream: Transport

    def receive_pending(self) -> list[ws_connection.Event] | None:
        """Process input that was not decompressed yet and return its events; None if there is none."""

    def has_pending_input(self) -> bool:
        """Whether a part of the input has not been decompressed yet."""

    def take_control(self, event: ws_connection.Event) -> None:
        """Process an event that is not a message."""

    def end_of_input(self) -> None:
        """Process the end of the input, after all earlier events."""

    def pong_arrived(self) -> None:
        """Record that the peer has answered a ping. The pong itself may be processed later."""

    def close_arrived(self, code: int | None, reason: str) -> None:
        """Record the peer's close code. The close frame itself is processed later."""

    def close_after_exception(self) -> None:
        """Close the connection after a callback has raised an exception."""

    def on_connection_close(self) -> None:
        """Close the connection immediately."""


class MessageReceiver:
    """The receiving side of an open connection: it delivers decoded events to the owner of the connection.

    A new receiver collects events; `process_next` starts the delivery.

    :param connection: the connection, which has a stream.
    :ivar message_size: the total size of the messages delivered, in bytes.
    """

    __slots__ = (
        "_backlog",
        "_backlog_size",
        "_callback_future",
        "_connection",
        "_context",
        "_delivering",
        "_stalled",
        "message_size",
    )

    def __init__(self, connection: ReceivingConnection) -> None:
        self._connection = connection
        #: The context in which the callbacks run.
        self._context = contextvars.copy_context()
        #: The events that wait for delivery; None if events can be delivered immediately.
        self._backlog: list[ws_connection.Event] | None = []
        #: The approximate size of the backlog; see `MAX_BACKLOG`.
        self._backlog_size = 0
        #: The task or Future of the running callback.
        self._callback_future: Future[Any] | None = None
        #: Whether events are being delivered now, so that all output belongs to a callback.
        self._delivering = False
        #: Whether delivery is paused, because callbacks have sent output while more than ``write_limit``
        #: bytes wait to be sent.
        self._stalled = False
        self.message_size = 0

    # -- called by the connection --

    def take(self, events: list[ws_connection.Event]) -> None:
        """Deliver events, or add them to the backlog."""
        backlog = self._backlog
        if backlog is not None:
            backlog += events
            self._count_backlog(events)
            return
        self._delivering = True
        try:
            backlog = self._backlog = self._deliver_batch(events)
        finally:
            self._delivering = False
        if backlog:
            self._count_backlog(backlog)

    def take_end(self) -> None:
        """Process the end of the input, or append it to the backlog."""
        if self._backlog:
            self._backlog.append(_END)
        else:
            self._connection.end_of_input()

    def discard(self) -> None:
        """Discard the backlog of a closed connection."""
        self._backlog = []

    def stall(self, is_client: bool) -> None:
        """Stop delivering messages until `resume` if a callback is sending the current output."""
        if not self._stalled and self._is_callback_output(is_client):
            self._stalled = True

    def resume(self) -> None:
        """Continue after the unsent output has fallen below the low-water mark."""
        self._stalled = False
        if self._callback_future is None:
            self.process_next()

    def run(self, callback: Callable[..., Any], *args: Any) -> Future[Any] | None:
        """Call a callback in the context of the connection; return its Future if it is awaitable."""
        result = self._context.run(callback, *args)
        return self._future_of(result) if inspect.isawaitable(result) else None

    @property
    def callback_future(self) -> Future[Any] | None:
        """The task or Future of the callback that blocks the delivery."""
        return self._callback_future

    def is_backlogged(self) -> bool:
        """Whether the backlog is large enough that reading may have paused."""
        return self._backlog_size > MAX_BACKLOG // 2

    # -- the backlog --

    def _count_backlog(self, events: list[ws_connection.Event]) -> None:
        """Count events that were added to the backlog; pause reading if it is full.

        Close codes and pongs are processed immediately, although the events themselves wait for delivery.
        """
        for event in events:
            self._backlog_size += EVENT_COST
            if type(event) is str or type(event) is bytes:
                self._backlog_size += len(event)
            elif type(event) is ws_connection.Close:
                self._connection.close_arrived(event.code, event.reason)
            elif type(event) is ws_connection.Pong:
                self._connection.pong_arrived()
        if self._backlog_size >= MAX_BACKLOG:
            self._connection.stream.pause_reading()

    def _recount_backlog(self, before: int) -> None:
        """Estimate the size of the backlog after a part of its `before` events was delivered."""
        remaining = len(self._backlog or ())
        self._backlog_size = self._backlog_size * remaining // before if remaining and before else 0

    def pause_decompression(self) -> None:
        """Pause until other connections have been served: one call has reached the decompression limit."""
        self._connection.stream.pause_reading()
        if self._backlog is None:
            self._backlog = []
            self._connection.stream.loop.call_soon(self._continue_delivery)

    def _continue_delivery(self) -> None:
        """Continue after other connections have been served, unless a callback or the output is blocked."""
        backlog = self._backlog
        if backlog is None or self._callback_future is not None or self._stalled:
            return
        if not backlog:
            events = self._connection.receive_pending()
            if events is not None:
                backlog += events
                self._count_backlog(backlog)
        self.process_next()

    # -- delivering --

    def _deliver_batch(self, events: list[ws_connection.Event]) -> list[ws_connection.Event] | None:
        """Deliver events until a callback blocks, output stalls, or the `BATCH` is used up.

        :returns: the events that must wait; None if this and later events can be delivered immediately.
        """
        event: Any
        connection, run = self._connection, self._context.run
        remaining = BATCH
        for position, event in enumerate(events):
            kind = type(event)
            if kind is str or kind is bytes:
                self.message_size += len(event) if kind is bytes or event.isascii() else len(event.encode())
                # This is the code of `call`, inlined to save one call per message.
                try:
                    result = run(connection.handler.on_message, event)
                except (Exception, asyncio.CancelledError) as error:
                    may_continue = self._exception_raised(error)
                else:
                    may_continue = (
                        connection.state is not _CLOSED if result is None else self._wait_for(result)
                    )
            elif kind is ws_connection.Failed and position:
                # Tasks that the preceding messages have woken can still reply before the close frame.
                connection.stream.loop.call_soon(self._continue_delivery)
                return events[position:]
            else:
                may_continue = self._take_control(event)
            remaining -= 1
            if not may_continue or self._stalled or not remaining:
                if not remaining:
                    connection.stream.loop.call_soon(self._continue_delivery)
                return events[position + 1 :] if connection.state is not _CLOSED else []
        return None

    def call(self, callback: Callable[..., Any], *args: Any) -> bool:
        """Call a callback of the owner.

        :returns: whether the next event can be delivered; False if it must wait or the connection is closed.
        """
        try:
            result = self._context.run(callback, *args)
        except (Exception, asyncio.CancelledError) as error:
            return self._exception_raised(error)
        return self._connection.state is not _CLOSED if result is None else self._wait_for(result)

    def _wait_for(self, result: Any) -> bool:
        """Wait for the awaitable that a callback has returned; return whether it is done already and the next
        event can be delivered.
        """
        try:
            future = self._future_of(result)
        except (Exception, asyncio.CancelledError) as error:
            return self._exception_raised(error)
        if future.done():
            return self._check_result(future)
        self._callback_future = future
        future.add_done_callback(self._callback_done)
        return False

    def _future_of(self, result: Any) -> Future[Any]:
        """Convert the result of a callback into a Future; a coroutine is started as a task."""
        if asyncio.iscoroutine(result):
            return run_eagerly(self._connection.stream.loop, result, self._context)
        if isinstance(result, concurrent.futures.Future):  # its callbacks would run in another thread
            return asyncio.wrap_future(result, loop=self._connection.stream.loop)
        future: Future[Any] = convert_yielded(result)
        return future

    def _callback_done(self, future: Future[Any]) -> None:
        """Deliver the backlog after the blocking callback has finished."""
        self._callback_future = None
        if self._check_result(future) and not self._stalled:
            self.process_next()

    def _check_result(self, future: Future[Any]) -> bool:
        error = _error_of(future)
        if error is not None:
            # A task cancelled with Task.cancel() is not an error to log: the program requested it.
            if not (future.cancelled() and getattr(future, "cancelling", int)()):
                return self._exception_raised(error)
            self._connection.on_connection_close()
        return self._connection.state is not _CLOSED

    def _exception_raised(self, error: BaseException) -> bool:
        """Process an exception raised by a callback; return whether the connection continues.

        It continues after a `WebSocketClosedError` if either side has closed the connection: the callback has
        replied to a message that arrived before the connection was closed.
        """
        state = self._connection.state
        if state is not _OPEN and isinstance(error, WebSocketClosedError):
            return state is not _CLOSED
        log_exception(self._connection.handler, error)
        self._connection.close_after_exception()
        return False

    def process_next(self) -> None:
        """Deliver the backlog and resume reading."""
        connection = self._connection
        if connection.state is _CLOSED:
            return
        events, self._backlog = self._backlog, None
        stream = connection.stream
        if events:
            stream.cork()
            try:
                self._deliver_backlog(events)
            except Exception as error:  # raised by an overridden method
                log_exception(self._connection.handler, error)
                connection.close_after_exception()
            finally:
                stream.uncork()
        if self._backlog_size:
            self._recount_backlog(len(events or ()))
        if not connection.has_pending_input():
            if not self.is_backlogged():
                stream.resume_reading()
        elif self._backlog is None:
            self.pause_decompression()

    def _deliver_backlog(self, events: list[ws_connection.Event]) -> None:
        """Deliver events that are counted already; those that must wait longer become the backlog."""
        self._delivering = True
        try:
            self._backlog = self._deliver_batch(events)
        finally:
            self._delivering = False

    def _take_control(self, event: Any) -> bool:
        """Process an event that is not a message; return whether the next event can be delivered."""
        connection = self._connection
        if event is _END:
            connection.end_of_input()
        else:
            connection.take_control(event)
        return self._callback_future is None and connection.state is not _CLOSED

    def _is_callback_output(self, is_client: bool) -> bool:
        """Whether the current output is sent by a callback."""
        blocked = self._callback_future
        if self._delivering or blocked is None:
            return self._delivering
        if isinstance(blocked, asyncio.Task):
            return asyncio.current_task(self._connection.stream.loop) is blocked
        # The callback has returned a Future. In a client, this is the Future of a full message queue, and no
        # callback is running.
        return not is_client


def log_exception(owner: Any, error: BaseException | None = None) -> None:
    """Pass an exception to the owner's ``log_exception``.

    :param error: the exception; None for the current exception.
    """
    info = sys.exc_info() if error is None else (type(error), error, error.__traceback__)
    try:
        owner.log_exception(*info)
    except Exception:
        app_log.error("Error in exception logger", exc_info=True)


def _error_of(future: Future[Any]) -> BaseException | None:
    """Return the exception of a Future that is done, or None.

    The exception is not raised, because a frame in its traceback that refers to the Future would form a
    reference cycle.
    """
    return asyncio.CancelledError() if future.cancelled() else future.exception()


__all__ = ["MessageReceiver", "ReceivingConnection", "log_exception"]
