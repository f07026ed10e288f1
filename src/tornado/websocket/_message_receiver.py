"""What comes of a connection, given to its owner in order.

Nothing here waits. A callback that is a plain function is called in the loop's own callback, and all that it
sends leaves in one send. Of one that returns an awaitable the rest is run in a task. Until that is done, what
is read behind its message waits in a backlog: messages are handled in their order, and since not much is read
ahead (`AHEAD`), a slow handler slows down its peer. Something is, so that it is seen at once when the peer
goes, and that it is still there when it answers a ping.

Messages also wait while what callbacks have sent is too much for the peer (`MessageReceiver._stalled`), so
that who sends and never reads stops being served. What a program sends apart from its callbacks does not
count there: it is for whoever sends it to wait; and if reading stopped for it, two programs that send to each
other, each reading all the time, would both wait for the other one to read.

What else reading pauses for is that more has come than may be decompressed at once.
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

#: Messages that one connection handles before others have their turn; some thousand may come at once.
BATCH = 128
#: What may wait in a backlog before no more is read: bytes or characters of messages, and for each event
#: besides.
AHEAD = 256 * 1024
EVENT_COST = 256

#: What all connections have that are over: nothing can be sent, and nothing is read.
OVER = ws_connection.WSConnection()
OVER.receive_eof()
#: What stands in a backlog for the end of input.
_END: Any = object()


class MessageReceiver(WebSocketProtocol):
    """The receiving side of a connection, behind the decoding of its frames."""

    __slots__ = (
        "_ahead",
        "_backlog",
        "_blocked",
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
    #: What the callbacks run in.
    _context: contextvars.Context

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._core = OVER  # until the handshake is done
        #: What has been read and has to wait, or None.
        self._backlog: list[ws_connection.Event] | None = None
        #: What it costs; see `AHEAD`.
        self._ahead = 0
        #: The awaitable of the callback that is under way.
        self._blocked: Future[Any] | None = None
        #: What is sent now, a callback sends.
        self._delivering = False
        #: More than ``write_limit`` waits for the peer, and a callback has sent of it.
        self._stalled = False
        #: A broadcast has others to serve first.
        self._is_held = False
        self._message_bytes_in = self._wire_bytes_in = 0

    # -- what a subclass does --

    def let_go(self) -> None:
        """Let what was sent while `_is_held` leave."""
        raise NotImplementedError

    def _answer_ping(self, payload: bytes) -> None:
        raise NotImplementedError

    def _pong_received(self) -> None:
        raise NotImplementedError

    def _peer_closes(self, event: ws_connection.Close) -> None:
        raise NotImplementedError

    def _peer_fails(self, event: ws_connection.Failed) -> None:
        raise NotImplementedError

    def _end_by_fault(self) -> None:
        """A callback has raised."""
        raise NotImplementedError

    def _input_ends(self) -> None:
        """The peer has closed its sending side, and all that came before was handled."""
        raise NotImplementedError

    # -- what has come --

    def data_received(self, data: bytes) -> None:
        """Take the bytes of one receive."""
        if self._is_held:
            self.let_go()
        self._wire_bytes_in += len(data)
        core = self._core
        events = core.receive_data(data)
        backlog = self._backlog
        if backlog is not None:
            backlog += events
            self._look_ahead(events)
        elif events:
            self._deliver(events)
            if self._backlog:
                self._look_ahead(self._backlog)
        if core.pending:
            self._wait_for_turn()

    def eof_received(self) -> None:
        """The peer has closed its sending side."""
        if self._backlog:
            self._backlog.append(_END)
        else:
            self._input_ends()

    def _look_ahead(self, events: list[ws_connection.Event]) -> None:
        """These have to wait."""
        for event in events:
            self._ahead += EVENT_COST
            if type(event) is str or type(event) is bytes:
                self._ahead += len(event)
            elif type(event) is ws_connection.Close:
                self.close_code, self.close_reason = event.code, event.reason or None
            elif type(event) is ws_connection.Pong:
                self._pong_received()
        if self._ahead >= AHEAD:
            self.stream._pause_reading()

    def _count_again(self, before: int) -> None:
        """Of so many events that had to wait, some were handled; what the others cost is reckoned roughly."""
        left = len(self._backlog or ())
        self._ahead = self._ahead * left // before if left and before else 0

    def _is_behind(self) -> bool:
        """Whether so much waits that it may be that no more is read."""
        return self._ahead > AHEAD // 2

    def _read_on(self) -> None:
        """Read, unless there is a reason not to."""
        if not (self._core.pending or self._is_behind()):
            self.stream._resume_reading()

    def _wait_for_turn(self) -> None:
        """More has come than may be decompressed at once."""
        self.stream._pause_reading()
        if self._backlog is None:
            self._backlog = []
            self.stream._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        """Others have had their turn: go on, unless there is something else to wait for by now."""
        backlog = self._backlog
        if backlog is None or self._blocked is not None or self._stalled:
            return
        if not backlog and self._core.pending:
            backlog += self._core.receive_data(b"")
            self._look_ahead(backlog)
        self._process_next()

    # -- delivering --

    def _deliver(self, events: list[ws_connection.Event]) -> None:
        """Give events to the owner, until one of them has to be waited for, or others are to have a turn."""
        self._delivering = True
        try:
            self._backlog = self._handle(events)
        finally:
            self._delivering = False

    def _handle(self, events: list[ws_connection.Event]) -> list[ws_connection.Event] | None:
        """The same; gives what has to wait, None for nothing that has or may come."""
        event: Any
        left = BATCH
        for position, event in enumerate(events):
            kind = type(event)
            if kind is str:
                self._message_bytes_in += len(event) if event.isascii() else len(event.encode())
                goes_on = self._call(self.handler.on_message, event)
            elif kind is bytes:
                self._message_bytes_in += len(event)
                goes_on = self._call(self.handler.on_message, event)
            elif kind is ws_connection.Failed and position:
                # Tasks that wait for the messages before it answer them first, as callbacks have done.
                self.stream._loop.call_soon(self._take_turn)
                return events[position:]
            else:
                goes_on = self._take_control(event)
            left -= 1
            if not goes_on or self._stalled or not left:
                if not left:
                    self.stream._loop.call_soon(self._take_turn)
                return events[position + 1 :] if self._core is not OVER else []
        return None

    def _call(self, callback: Callable[..., Any], *args: Any) -> bool:
        """Call the owner; False if what follows has to wait, or the connection is over."""
        try:
            result = self._context.run(callback, *args)
            if result is None:
                return self._core is not OVER
            future = self._future_of(result)
        except (Exception, asyncio.CancelledError) as error:
            return self._survives(error)
        if future.done():
            return self._succeeded(future)
        self._blocked = future
        future.add_done_callback(self._unblock)
        return False

    def _future_of(self, result: Any) -> Future[Any]:
        """What goes on behind the owner's call that has returned this."""
        if asyncio.iscoroutine(result):
            return run_eagerly(self.stream._loop, result, self._context)
        if isinstance(result, concurrent.futures.Future):  # which would call back from its own thread
            return asyncio.wrap_future(result, loop=self.stream._loop)
        future: Future[Any] = convert_yielded(result)
        return future

    def _unblock(self, future: Future[Any]) -> None:
        """The callback that everything waited for is done."""
        self._blocked = None
        if self._succeeded(future) and not self._stalled:
            self._process_next()

    def _succeeded(self, future: Future[Any]) -> bool:
        error = _error_of(future)
        if error is not None:
            # Who has cancelled a task knows why, and that it was cancelled.
            if not (future.cancelled() and getattr(future, "cancelling", int)()):
                return self._survives(error)
            self._abort()
        return self._core is not OVER

    def _survives(self, error: BaseException) -> bool:
        """Whether the connection goes on although a callback has raised this: behind a close, or the end of
        the connection, who answers a message that was under way does no harm.
        """
        if (self.server_terminated or self.client_terminated) and isinstance(error, WebSocketClosedError):
            return self._core is not OVER
        self._log_exception(error)
        self._end_by_fault()
        return False

    def _process_next(self) -> None:
        """Deliver what had to wait, and read again."""
        if self._core is OVER:
            return
        events, self._backlog = self._backlog, None
        stream = self.stream
        stream._cork()
        try:
            if events:
                self._deliver(events)
        except Exception as error:  # of a method that a program has overridden
            self._log_exception(error)
            self._end_by_fault()
        finally:
            stream._uncork()
        if self._ahead:
            self._count_again(len(events or ()))
        if self._backlog is None and self._core.pending:
            self._wait_for_turn()
        else:
            self._read_on()

    def _take_control(self, event: Any) -> bool:
        kind = type(event)
        if kind is ws_connection.Ping:
            self._handle_message(Opcode.PING.value, event.payload)
        elif kind is ws_connection.Pong:
            self._handle_message(Opcode.PONG.value, event.payload)
        elif kind is ws_connection.Close:
            self._peer_closes(event)
        elif event is _END:
            self._input_ends()
        else:
            self._peer_fails(event)
        return self._blocked is None and self._core is not OVER

    def _handle_message(self, opcode: int, data: bytes) -> None:
        """Act on a message or control frame; pings and pongs of the peer all come through here."""
        # Programs override this to see what comes; some hand on messages by it, which we never do.
        if opcode == Opcode.PING:
            self._answer_ping(data)
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
    """What a Future that is done has failed with.

    It is not raised here: a frame in its traceback that knows the Future would be a cycle.
    """
    return asyncio.CancelledError() if future.cancelled() else future.exception()


__all__ = ["OVER", "MessageReceiver"]
