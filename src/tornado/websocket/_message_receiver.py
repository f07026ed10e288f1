"""`MessageReceiver`: delivers the events of a connection to its owner, in order.

The owner's callbacks are called from the event loop's read callback. All output of a callback that is a plain
function is sent together. If a callback returns an awaitable, it is run in a task, and later events wait in a
backlog until the task has finished. Messages are thus processed in order, and a slow handler slows down its
peer, because only a limited amount is read ahead (`MAX_BACKLOG`). Some data is read ahead so that a
disconnect, or the reply to a ping, is noticed while a handler is busy.

Messages also wait while the peer has not read enough of the output that callbacks have sent
(`MessageReceiver._stalled`). The connection thus stops serving a peer that sends and never reads. Output that
is sent outside the callbacks does not count, because the sender can await it. If it counted, two programs
that send to each other while they read would both stop reading, and neither could continue.

Reading also pauses while more data has arrived than one call may decompress.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado._tasks import run_eagerly
from tornado._wire import ws_connection
from tornado._wire.ws_frames import Opcode
from tornado.concurrent import Future
from tornado.gen import convert_yielded
from tornado.log import app_log
from tornado.websocket._errors import WebSocketClosedError
from tornado.websocket._interface import WebSocketProtocol

if TYPE_CHECKING:
    from tornado.websocket._transport import Transport

#: The number of events of one connection that are handled before other connections are served. One read from
#: the socket may contain thousands of events.
BATCH = 128
#: The size of the backlog, in bytes or characters, at which reading pauses.
MAX_BACKLOG = 256 * 1024
#: The size that each event adds to the backlog, in addition to the size of its message.
EVENT_COST = 256

#: The protocol state of all closed connections: nothing can be sent or read.
CLOSED = ws_connection.WSConnection()
CLOSED.receive_eof()
#: The end of the input, as an event in a backlog.
_END: Any = object()


class MessageReceiver(WebSocketProtocol):
    """The receiving side of a connection: it delivers decoded events to the owner."""

    __slots__ = (
        "_backlog",
        "_backlog_size",
        "_callback_future",
        "_context",
        "_core",
        "_delivering",
        "_is_held",
        "_message_bytes_in",
        "_stalled",
        "_wire_bytes_in",
        "close_code",
        "close_reason",
    )

    stream: Transport
    #: The context in which the callbacks run.
    _context: contextvars.Context

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._core = CLOSED  # until the handshake is complete
        #: The events that wait for delivery; None if events can be delivered immediately.
        self._backlog: list[ws_connection.Event] | None = None
        #: The approximate size of the backlog; see `MAX_BACKLOG`.
        self._backlog_size = 0
        #: The task or Future of the running callback.
        self._callback_future: Future[Any] | None = None
        #: Whether events are being delivered now, so that all output belongs to a callback.
        self._delivering = False
        #: Whether delivery is paused, because callbacks have sent output while more than ``write_limit``
        #: bytes wait to be sent.
        self._stalled = False
        #: Whether the broadcast scheduler holds the output of this connection.
        self._is_held = False
        self._message_bytes_in = self._wire_bytes_in = 0

    # -- implemented by the subclass --

    def release_output(self) -> None:
        """Send the output collected while `_is_held` was set."""
        raise NotImplementedError

    def _send_pong(self, payload: bytes) -> None:
        raise NotImplementedError

    def _pong_received(self) -> None:
        raise NotImplementedError

    def _close_received(self, event: ws_connection.Close) -> None:
        raise NotImplementedError

    def _error_received(self, event: ws_connection.Failed) -> None:
        raise NotImplementedError

    def _close_after_exception(self) -> None:
        """Close the connection after a callback has raised an exception."""
        raise NotImplementedError

    def _end_of_input(self) -> None:
        """Process the end of the input, after all earlier events."""
        raise NotImplementedError

    # -- receiving --

    def data_received(self, data: bytes) -> None:
        """Process the data of one read from the socket."""
        if self._is_held:
            self.release_output()
        self._wire_bytes_in += len(data)
        core = self._core
        events = core.receive_data(data)
        backlog = self._backlog
        if backlog is not None:
            backlog += events
            self._count_backlog(events)
        elif events:
            self._deliver(events)
            if self._backlog:
                self._count_backlog(self._backlog)
        if core.pending:
            self._pause_decompression()

    def eof_received(self) -> None:
        """Process the end of the input, or append it to the backlog."""
        if self._backlog:
            self._backlog.append(_END)
        else:
            self._end_of_input()

    def _count_backlog(self, events: list[ws_connection.Event]) -> None:
        """Count events that were added to the backlog; pause reading if it is full.

        Close codes and pongs are processed immediately, although the events themselves wait for delivery.
        """
        for event in events:
            self._backlog_size += EVENT_COST
            if type(event) is str or type(event) is bytes:
                self._backlog_size += len(event)
            elif type(event) is ws_connection.Close:
                self.close_code, self.close_reason = event.code, event.reason or None
            elif type(event) is ws_connection.Pong:
                self._pong_received()
        if self._backlog_size >= MAX_BACKLOG:
            self.stream._pause_reading()

    def _recount_backlog(self, before: int) -> None:
        """Estimate the size of the backlog after a part of its `before` events was delivered."""
        remaining = len(self._backlog or ())
        self._backlog_size = self._backlog_size * remaining // before if remaining and before else 0

    def _is_backlogged(self) -> bool:
        """Whether the backlog is large enough that reading may have paused."""
        return self._backlog_size > MAX_BACKLOG // 2

    def _resume_unless_blocked(self) -> None:
        """Resume reading, unless it must stay paused."""
        if not (self._core.pending or self._is_backlogged()):
            self.stream._resume_reading()

    def _pause_decompression(self) -> None:
        """Pause until other connections have been served: one call has reached the decompression limit."""
        self.stream._pause_reading()
        if self._backlog is None:
            self._backlog = []
            self.stream._loop.call_soon(self._continue_delivery)

    def _continue_delivery(self) -> None:
        """Continue after other connections have been served, unless a callback or the output is blocked."""
        backlog = self._backlog
        if backlog is None or self._callback_future is not None or self._stalled:
            return
        if not backlog and self._core.pending:
            backlog += self._core.receive_data(b"")
            self._count_backlog(backlog)
        self._process_next()

    # -- delivering --

    def _deliver(self, events: list[ws_connection.Event]) -> None:
        """Deliver events to the owner; those that must wait become the backlog."""
        self._delivering = True
        try:
            self._backlog = self._deliver_batch(events)
        finally:
            self._delivering = False

    def _deliver_batch(self, events: list[ws_connection.Event]) -> list[ws_connection.Event] | None:
        """Deliver events until a callback blocks, output stalls, or the `BATCH` is used up.

        :returns: the events that must wait; None if this and later events can be delivered immediately.
        """
        event: Any
        remaining = BATCH
        for position, event in enumerate(events):
            kind = type(event)
            if kind is str:
                self._message_bytes_in += len(event) if event.isascii() else len(event.encode())
                may_continue = self._call(self.handler.on_message, event)
            elif kind is bytes:
                self._message_bytes_in += len(event)
                may_continue = self._call(self.handler.on_message, event)
            elif kind is ws_connection.Failed and position:
                # Tasks that the preceding messages have woken can still reply before the close frame.
                self.stream._loop.call_soon(self._continue_delivery)
                return events[position:]
            else:
                may_continue = self._take_control(event)
            remaining -= 1
            if not may_continue or self._stalled or not remaining:
                if not remaining:
                    self.stream._loop.call_soon(self._continue_delivery)
                return events[position + 1 :] if self._core is not CLOSED else []
        return None

    def _call(self, callback: Callable[..., Any], *args: Any) -> bool:
        """Call a callback of the owner.

        :returns: whether the next event can be delivered; False if it must wait or the connection is closed.
        """
        try:
            result = self._context.run(callback, *args)
            if result is None:
                return self._core is not CLOSED
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
            return run_eagerly(self.stream._loop, result, self._context)
        if isinstance(result, concurrent.futures.Future):  # its callbacks would run in another thread
            return asyncio.wrap_future(result, loop=self.stream._loop)
        future: Future[Any] = convert_yielded(result)
        return future

    def _callback_done(self, future: Future[Any]) -> None:
        """Deliver the backlog after the blocking callback has finished."""
        self._callback_future = None
        if self._check_result(future) and not self._stalled:
            self._process_next()

    def _check_result(self, future: Future[Any]) -> bool:
        error = _error_of(future)
        if error is not None:
            # A task cancelled with Task.cancel() is not an error to log: the program requested it.
            if not (future.cancelled() and getattr(future, "cancelling", int)()):
                return self._exception_raised(error)
            self._abort()
        return self._core is not CLOSED

    def _exception_raised(self, error: BaseException) -> bool:
        """Process an exception raised by a callback; return whether the connection continues.

        It continues after a `WebSocketClosedError` if either side has closed the connection: the callback has
        replied to a message that arrived before the connection was closed.
        """
        if (self.server_terminated or self.client_terminated) and isinstance(error, WebSocketClosedError):
            return self._core is not CLOSED
        self._log_exception(error)
        self._close_after_exception()
        return False

    def _process_next(self) -> None:
        """Deliver the backlog and resume reading."""
        if self._core is CLOSED:
            return
        events, self._backlog = self._backlog, None
        stream = self.stream
        stream._cork()
        try:
            if events:
                self._deliver(events)
        except Exception as error:  # raised by an overridden method
            self._log_exception(error)
            self._close_after_exception()
        finally:
            stream._uncork()
        if self._backlog_size:
            self._recount_backlog(len(events or ()))
        if self._backlog is None and self._core.pending:
            self._pause_decompression()
        else:
            self._resume_unless_blocked()

    def _take_control(self, event: Any) -> bool:
        kind = type(event)
        if kind is ws_connection.Ping:
            self._handle_message(Opcode.PING.value, event.payload)
        elif kind is ws_connection.Pong:
            self._handle_message(Opcode.PONG.value, event.payload)
        elif kind is ws_connection.Close:
            self._close_received(event)
        elif event is _END:
            self._end_of_input()
        else:
            self._error_received(event)
        return self._callback_future is None and self._core is not CLOSED

    def _handle_message(self, opcode: int, data: bytes) -> None:
        """Process a ping or a pong, or a message passed by a program."""
        # Programs override this method to see pings and pongs. Some programs call it with messages; this
        # class calls it only for pings and pongs.
        if opcode == Opcode.PING:
            self._send_pong(data)
            self._call(self.handler.on_ping, data)
        elif opcode == Opcode.PONG:
            self._pong_received()
            self._call(self.handler.on_pong, data)
        elif opcode == Opcode.TEXT:
            self._call(self.handler.on_message, data.decode())
        elif opcode == Opcode.BINARY:
            self._call(self.handler.on_message, data)

    def _log_exception(self, error: BaseException | None = None) -> None:
        info = sys.exc_info() if error is None else (type(error), error, error.__traceback__)
        try:
            self.handler.log_exception(*info)
        except Exception:
            app_log.error("Error in exception logger", exc_info=True)


def _error_of(future: Future[Any]) -> BaseException | None:
    """Return the exception of a Future that is done, or None.

    The exception is not raised, because a frame in its traceback that refers to the Future would form a
    reference cycle.
    """
    return asyncio.CancelledError() if future.cancelled() else future.exception()


__all__ = ["CLOSED", "MessageReceiver"]
