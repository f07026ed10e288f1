"""The server side of one connection: its requests, one after the other.

The connection owns its parts: the parser, the current exchange, the `Deadlines`, and at its end a
`LingeringClose`. `ConnectionState` and `PipelineState` describe its states.

Requests begin in `data_received`. Pipelined requests begin in the loop of `_advance` instead, never inside
``finish()`` of the previous response.

This file exceeds the usual length limit because every request passes through the private state of one class.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import types
from collections.abc import Callable
from contextvars import copy_context
from time import monotonic
from typing import Any

from tornado._log_rate_limit import LogRateLimit
from tornado._loop.deadlines import NEVER
from tornado._loop.tasks import run_eagerly
from tornado._wire import h1
from tornado._wire.errors import BodyTooLarge, IncompleteMessage
from tornado.concurrent import Future
from tornado.http1connection import _error_responses
from tornado.http1connection._deadlines import Deadlines
from tornado.http1connection._decompress import GzipMessageDelegate
from tornado.http1connection._detached_connection import DetachedConnection
from tornado.http1connection._exchange import FAIR_SHARE, NO_BODY, NO_OUTPUT, HTTP1Connection, run_guarded
from tornado.http1connection._interfaces import Dispatcher
from tornado.http1connection._lingering_close import LingeringClose
from tornado.http1connection._parameters import READ_AHEAD, HTTP1ConnectionParameters
from tornado.http1connection._states import ConnectionState, ExchangeState, InputState, PipelineState
from tornado.httputil import (
    HTTPInputError,
    HTTPOutputError,
    HTTPServerConnectionDelegate,
    RequestStartLine,
)
from tornado.iostream import IOStream, SSLIOStream
from tornado.log import app_log, escape_controls, gen_log

#: The maximum number of pipelined requests that are answered in one event loop iteration.
_PIPELINE_BATCH = 64

# See `tornado._wire.state_machine` for the reason for these constants.
_SERVING, _CLOSING, _LINGERING = ConnectionState.SERVING, ConnectionState.CLOSING, ConnectionState.LINGERING
_CONNECTION_DETACHED, _CLOSED = ConnectionState.DETACHED, ConnectionState.CLOSED
_EXCHANGE_DETACHED, _LOST = ExchangeState.DETACHED, ExchangeState.LOST
_WAITING_FOR_OUTPUT, _INPUT_HEAD = PipelineState.WAITING_FOR_OUTPUT, InputState.HEAD
_READY, _ADVANCING, _SCHEDULED = PipelineState.READY, PipelineState.ADVANCING, PipelineState.SCHEDULED
_HEAD = h1.ReaderState.HEAD
_OPEN, _FINISHED = ExchangeState.OPEN, ExchangeState.FINISHED
_new_exchange = HTTP1Connection.__new__
_log_limit = LogRateLimit(gen_log)


class HTTP1ServerConnection:
    """A server's connection, which reads requests and passes them to a delegate.

    :param stream: the accepted `.IOStream`.
    :param params: `HTTP1ConnectionParameters`.
    :param context: see `HTTP1Connection`.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_context",
        "_deadlines",
        "_dispatcher",
        "_lingering_close",
        "_pipeline",
        "_pipelined_count",
        "_reader",
        "deadline",
        "delegate",
        "exchange",
        "has_eof",
        "params",
        "state",
        "stream",
    )

    def __init__(
        self,
        stream: IOStream,
        params: HTTP1ConnectionParameters | None = None,
        context: object | None = None,
    ) -> None:
        self.stream: IOStream = stream
        self.params: HTTP1ConnectionParameters = params if params is not None else HTTP1ConnectionParameters()
        self._context = context
        self._reader = h1.Reader(h1.Role.SERVER, self.params.limits)
        #: The exchange of the current request, or None.
        self.exchange: HTTP1Connection | None = None
        self.state: ConnectionState = _SERVING
        #: Whether the peer has closed its sending side.
        self.has_eof: bool = False
        #: The time at which `deadline_passed` is called (`monotonic`, in seconds).
        self.deadline: float = NEVER
        #: The delegate that was passed to `start_serving`.
        self.delegate: HTTPServerConnectionDelegate | None = None
        self._pipeline = _READY
        self._pipelined_count = 0
        self._deadlines: Deadlines | None = None  # None while only the idle deadline applies
        self._lingering_close: LingeringClose | None = None
        self._closed: Future[None] | None = None
        self._dispatcher: Dispatcher | None = None

    def __repr__(self) -> str:
        return f"<HTTP1ServerConnection {self.state.name}, {self._pipeline.name}, {self.exchange!r}>"

    @property
    def context(self) -> Any:
        """The peer's address and protocol; created by the delegate on first use."""
        context = self._context
        if context is None or isinstance(context, (tuple, str, bytes)):  # the peer's address
            if self._dispatcher is not None:
                context = self._context = self._dispatcher.make_context(self.stream, context)
        return context

    def start_serving(self, delegate: HTTPServerConnectionDelegate) -> None:
        """Start reading requests, which continues until the connection is closed.

        :param delegate: its ``start_request`` is called for each request, and ``on_close`` at the end.
        """
        assert isinstance(delegate, HTTPServerConnectionDelegate)
        self.delegate = delegate
        params = self.params
        dispatcher = params.dispatcher
        if dispatcher is not None and dispatcher.serves(delegate):
            self._dispatcher = dispatcher
        stream, deadlines = self.stream, params.deadlines
        if isinstance(stream, SSLIOStream):
            deadlines.add(self, stream.io_loop.asyncio_loop)
            self._limits().begin_handshake()
        else:
            deadlines.start(self, stream.io_loop.asyncio_loop, params.idle_timeout)
        stream.start_push(self)

    async def close(self) -> None:
        """Close the connection and wait until the delegate's ``on_close`` has been called."""
        if self.state is not _CLOSED and self.state is not _CONNECTION_DETACHED:
            closed = self._closed
            if closed is None:
                closed = self._closed = Future()
            self.stream.close()
            await closed

    # -- stream callbacks --

    def data_received(self, data: bytes) -> None:
        """Process received bytes."""
        if self.state is not _SERVING:
            if self._lingering_close is not None:
                self._lingering_close.received(self, data)
            return
        exchange = self.exchange
        if exchange is not None:
            self._data_received_during_request(exchange, data)
            return
        reader = self._reader
        pipeline = self._pipeline
        if self.stream.unsent_output is not None or pipeline is _SCHEDULED:
            reader.receive_data(data)
            if pipeline is not _SCHEDULED:
                self._advance()
            elif reader.buffered > READ_AHEAD:
                self.stream.pause_reading()
            return
        head = reader.receive_request(data)
        if head is None:
            self._advance()
            return
        # The transitions to ADVANCING and back are possible from each state but SCHEDULED.
        self._pipeline = _ADVANCING
        try:
            self._begin(head)
        except HTTPInputError as error:
            _error_responses.reject(self, error)
        finally:
            self._pipeline = pipeline
        if self.exchange is None and self.state is _SERVING:
            params = self.params
            self.deadline = deadline = monotonic() + params.idle_timeout
            if deadline < params.deadlines.next_deadline or self._deadlines is not None:
                self._wait_for_head()

    def _data_received_during_request(self, exchange: HTTP1Connection, data: bytes) -> None:
        reader = self._reader
        reader.receive_data(data)
        if self._deadlines is not None:
            self._deadlines.body_received(len(data))
        message = exchange.input
        if not message.state.ended and message.waiting is None:
            self._pump(exchange)
        elif reader.buffered > READ_AHEAD:
            self.stream.pause_reading()

    def eof_received(self) -> None:
        """Process a half-close by the peer, which may still receive the current response."""
        self.has_eof = True
        exchange = self.exchange
        if self.state is not _SERVING:
            if self.state is _LINGERING:
                self.stream.close()
        elif exchange is None:
            if self._pipeline is _READY:
                self._end_of_input()
        else:
            self._eof_during_request(exchange, received=True)

    def eof_pending(self) -> None:
        """Process a half-close that is detected while reading is paused, before all input was received."""
        if self.exchange is not None and self.state is _SERVING:
            self._eof_during_request(self.exchange, received=False)

    def _eof_during_request(self, exchange: HTTP1Connection, received: bool) -> None:
        """Process a half-close by the peer while a request is being served.

        :param received: whether all of the peer's input has been received.
        """
        if exchange.read_done:
            exchange.notify_disconnect()
        elif exchange.half_close_disconnects or (received and exchange.input.waiting is None):
            self._close_incomplete()

    def _close_incomplete(self) -> None:
        gen_log.debug("Connection from %s closed in the middle of a request body", self.context)
        self.stream.close()

    def _end_of_input(self) -> None:
        """Close the connection at the end of the input; called while no request is being served."""
        if self._reader.buffered:
            try:
                self._reader.receive_eof()
                self._reader.next_event()
            except IncompleteMessage:
                pass
            except HTTPInputError as error:
                _error_responses.reject(self, error)
                return
        self.close_after_output(linger=False)

    def connection_lost(self, error: BaseException | None) -> None:
        """Called once when the stream closes, from either side."""
        if self.state in (_CLOSED, _CONNECTION_DETACHED):
            return
        self._deadlines = self._lingering_close = None
        self.params.deadlines.discard(self)
        try:
            self.end_exchange(_CLOSED)
        finally:  # `close` waits for this call, so it is necessary even after a KeyboardInterrupt
            self._notify_closed()

    def end_exchange(self, state: ConnectionState) -> None:
        """End the current exchange, if any, before its response is complete.

        :param state: the new state of the connection.
        """
        self.state = self.state.to[state]
        self.deadline = NEVER
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.end(_LOST)

    def input_wanted(self) -> None:
        """Pass unread input to the handler, which reads from the stream until its response is finished."""
        exchange = self.exchange
        if exchange is None or self.state is not _SERVING:
            return
        if not exchange.read_done:
            # From here on, only the handler knows where the body ends.
            exchange.input.abandon()
            exchange.close_after = True
        self.stream.suspend_push(exchange.input.take_pieces() + self._reader.take_buffer())

    def output_waiting(self) -> None:
        """Called when output could not be sent immediately."""
        if self.params.min_send_rate is not None:
            self._limits().begin_output()

    def output_drained(self) -> None:
        """Called when all pending output has been sent."""
        if self._deadlines is not None:
            self._deadlines.end_output()
        if self._lingering_close is not None and self.state is _CLOSING:
            self._lingering_close.response_sent(self)
        elif self._pipeline is _WAITING_FOR_OUTPUT:
            self._advance_later()
        elif self.exchange is None and self.state is _SERVING:
            self._wait_for_head()

    # -- time limits --

    def _limits(self) -> Deadlines:
        deadlines = self._deadlines
        if deadlines is None:
            deadlines = self._deadlines = Deadlines(self)
        return deadlines

    def await_output(self) -> None:
        """Set the deadline of a connection that waits until the peer receives output or sends a request."""
        if self._deadlines is not None:
            self._deadlines.begin_wait()
        else:
            self.params.deadlines.set(self, monotonic(), self.params.idle_timeout)

    def _begin_idle(self) -> None:
        """Set the deadline of a connection that waits for a request."""
        self._pipelined_count = 0
        if self._deadlines is None:
            self.params.deadlines.set(self, monotonic(), self.params.idle_timeout)
        elif not self._deadlines.begin_idle():
            self._deadlines = None  # to keep idle connections small

    def idle_since(self) -> float | None:
        """Return the approximate time since which the connection has been idle (`monotonic`, in seconds), or
        None if it is serving a request.
        """
        if self.state is _LINGERING:
            return 0.0  # closed before all others, because its response has been sent
        deadline = self.deadline
        busy = self.exchange is not None or self.stream.pending_output
        if busy or self.state is not _SERVING or deadline == NEVER:
            return None
        if self._deadlines is not None:
            return self._deadlines.idle_since(deadline)
        return deadline - self.params.idle_timeout

    @property
    def receiving_head(self) -> bool:
        """Whether the head of the next request has been received in part."""
        return self._deadlines is not None and self._deadlines.receiving_head

    def deadline_passed(self) -> None:
        """Close the connection or set a new deadline; called when its deadline has passed."""
        try:
            self._limits().passed()
        except BaseException:  # a program's own context may raise while a log line is formatted
            self.stream.close()
            raise

    # -- requests --

    def _advance(self, waited: bool = False) -> None:
        """Begin the requests in the reader, until one is not answered immediately or the next head is
        incomplete.

        :param waited: whether these requests arrived before the previous response was finished.
        """
        # If the connection waits for output now, it still waits for it when this call returns.
        previous = self._pipeline
        self._pipeline = previous.to[_ADVANCING]
        try:
            self._begin_pipelined(waited)
        except HTTPInputError as error:
            _error_responses.reject(self, error)
        finally:
            waits = self._pipeline is not _ADVANCING
            if not waits:
                self._pipeline = previous
        if not waits and self.exchange is None and self.state is _SERVING:
            self._wait_for_head()

    def _begin_pipelined(self, waited: bool) -> None:
        reader, stream = self._reader, self.stream
        count = 0
        while self.exchange is None and self.state is _SERVING and (not count or reader.buffered):
            if stream.pending_output > FAIR_SHARE:
                # Back-pressure: wait until the peer has received output, or for the next iteration.
                stream.flush_output()
                if stream.pending_output <= FAIR_SHARE:
                    self._advance_later()
                    return
                self._pipeline = self._pipeline.to[_WAITING_FOR_OUTPUT]
                stream.pause_reading()
                self.await_output()
                return
            if count == _PIPELINE_BATCH:
                self._advance_later()
                return
            head: Any = reader.next_event()
            if head is None:
                return
            if count or waited:
                head = self._count_pipelined(head)
            count += 1
            self._begin(head)
            if self._deadlines is not None:
                self._deadlines.update()
            pipelined: Any = self.exchange
            if self.has_eof and pipelined is not None:
                self._eof_during_request(pipelined, received=True)

    def _count_pipelined(self, head: h1.RequestHead) -> h1.RequestHead:
        """Count a request that arrived before the previous response was finished.

        :returns: its head. When the limit is reached, the head is changed to one with ``Connection: close``,
            and the connection ends after the response.
        """
        limit = self.params.max_pipelined
        if limit is None:
            return head
        self._pipelined_count += 1
        if self._pipelined_count + bool(self._reader.buffered) <= limit:
            return head
        if gen_log.isEnabledFor(logging.INFO):
            text = "Closing connection from %s: more than max_pipelined_requests (%d) requests were pipelined"
            _log_limit.log("pipelining", logging.INFO, text, self.context, limit)
        return head.closing()

    def _wait_for_head(self) -> None:
        if self.has_eof:
            self._end_of_input()
        elif not self._reader.buffered:
            self._begin_idle()
        else:
            self._limits().begin_head()

    def _advance_later(self) -> None:
        if self._pipeline is not _SCHEDULED:
            self._pipeline = self._pipeline.to[_SCHEDULED]
            self.stream.io_loop.asyncio_loop.call_soon(self._resume_pipelining)

    def _resume_pipelining(self) -> None:
        """Continue with pipelined requests, as a separate event loop callback."""
        self._pipeline = self._pipeline.to[_READY]
        if self.state is not _SERVING or self.exchange is not None:
            return
        self.stream.call_corked(self._advance, True)
        self._maybe_resume_reading()

    def _maybe_resume_reading(self) -> None:
        """Resume reading, unless it must stay paused."""
        if self.state is not _SERVING or self._pipeline is not _READY:
            return
        exchange = self.exchange
        if exchange is None or (not exchange.read_done and exchange.input.waiting is None):
            self.stream.resume_reading()
        elif not self.has_eof:
            self.stream.watch_unread()  # to detect a half-close although reading is paused

    def _begin(self, head: h1.RequestHead) -> None:
        exchange: HTTP1Connection = _new_exchange(HTTP1Connection)
        exchange.stream = self.stream
        exchange.driver = self
        exchange.head = head
        exchange.no_keep_alive = self.params.no_keep_alive
        exchange.state = _OPEN
        exchange.input = NO_BODY
        exchange.output = NO_OUTPUT
        exchange.close_after = False
        exchange.close_callback = exchange.run_context = None
        self.exchange = exchange
        self.deadline = NEVER
        if self._deadlines is not None:
            self._deadlines.end_head()
        if not head.plain:
            _error_responses.check_head(self, head)
            if head.has_body:
                self._begin_body(exchange, head)
                return
        context = copy_context()
        try:
            result = NotImplemented
            dispatcher = self._dispatcher
            if dispatcher is not None and dispatcher.server_class.start_request is dispatcher.start_request:
                opener = dispatcher.opener
                if opener is not None:
                    result = context.run(opener, exchange, head)
            if result is NotImplemented:
                result = context.run(self._opening_method(), exchange, head)
            if result is not None:
                self._run(exchange, result, context)
        except (Exception, asyncio.CancelledError) as error:
            self.failed(exchange, error)

    def _opening_method(self) -> Callable[[HTTP1Connection, h1.RequestHead], Any]:
        """Return the method that starts a request; it uses a Task if `start_request` is overridden."""
        dispatcher = self._dispatcher
        if dispatcher is not None and dispatcher.calls_start_request():
            return self._open_in_task
        return self._open

    def _open_in_task(self, exchange: HTTP1Connection, head: h1.RequestHead) -> Any:
        """Call `_open` with a Task as the current task; see `RequestTask`."""
        return exchange.begin_task().call(self._open, exchange, head)

    def _open(self, exchange: HTTP1Connection, head: h1.RequestHead) -> Any:
        """Start the request through the server's delegate.

        :returns: None or an awaitable. Awaiting it completes a request without a body; if the request has a
            body, reading the body starts after the awaitable is done.
        """
        delegate = self.delegate
        assert delegate is not None
        message = delegate.start_request(self, exchange)
        if self.params.decompress:
            message = GzipMessageDelegate(message, exchange)
        exchange.message_delegate = message
        start_line = RequestStartLine(head.method, head.target, head.version)
        result = message.headers_received(start_line, head.headers)
        if not head.has_body and not exchange.is_detached:
            if result is None:
                return message.finish()
            return finish_after(result, message)
        return result

    def _run(self, exchange: HTTP1Connection, result: Any, context: contextvars.Context) -> None:
        """Run the rest of a request without a body."""
        if type(result) is not types.CoroutineType and not inspect.iscoroutine(result):
            return
        loop, request_task = self.stream.io_loop.asyncio_loop, exchange.request_task
        if request_task is None:
            task = run_eagerly(loop, result, context)
        else:
            task = request_task.call(run_eagerly, loop, result, context)
        if task.done():
            if task.cancelled() or task.exception() is not None:
                self._task_done(exchange, task)
        else:
            exchange.task = task
            task.add_done_callback(functools.partial(self._task_done, exchange))

    def _task_done(self, exchange: HTTP1Connection, task: asyncio.Task[Any]) -> None:
        exchange.task = None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            return
        if self.exchange is exchange:
            self.failed(exchange, error)
        elif not isinstance(error, asyncio.CancelledError):
            app_log.error("Uncaught exception after the end of a request", exc_info=error)

    # -- bodies --

    def _begin_body(self, exchange: HTTP1Connection, head: h1.RequestHead) -> None:
        message = exchange.begin_input(self, self._reader)
        context = exchange.run_context
        assert context is not None
        try:
            result: Any = NotImplemented
            dispatcher = self._dispatcher
            if dispatcher is not None and dispatcher.server_class.start_request is dispatcher.start_request:
                opener = dispatcher.opener
                if opener is not None:
                    result = context.run(opener, exchange, head)
            if result is NotImplemented:
                result = context.run(self._opening_method(), exchange, head)
            if result is not None:
                message.wait_for(result)
        except (Exception, asyncio.CancelledError) as error:
            self.failed(exchange, error)
            return
        self._pump(exchange, begins=True)

    def _receive_body(self, exchange: HTTP1Connection) -> None:
        """Check the announced size of the body, and send 100 Continue if the client expects it.

        Called after the delegate has received the head.
        """
        if exchange.input.state is _INPUT_HEAD:  # otherwise the handler reads the body from the stream
            exchange.input.begin_body()
        head = exchange.head
        assert head is not None
        limit = self._reader.max_body_size = exchange.body_limit()
        if head.content_length is not None and head.content_length > limit:
            text = f"Content-Length {head.content_length} is over the limit of {limit} bytes (max_body_size)"
            raise BodyTooLarge(text)
        if head.expect_continue and not self._reader.buffered:
            exchange.send_continue()

    def _set_body_deadline(self, exchange: HTTP1Connection) -> None:
        params = self.params
        timeout = params.body_timeout if exchange.body_timeout is None else exchange.body_timeout
        if timeout is not None or params.min_body_rate is not None or self._deadlines is not None:
            self._limits().begin_body(timeout)

    def _pump(self, exchange: HTTP1Connection, begins: bool = False) -> None:
        """Pass the received part of the body to the delegate.

        :param begins: whether the delegate has just received the head without waiting.
        """
        message = exchange.input
        if message.waiting is not None or self.exchange is not exchange:
            return
        try:
            if message.state is not _INPUT_HEAD and not begins:
                message.pump()
            else:
                self._receive_body(exchange)
                if self.exchange is not exchange:  # sending 100 Continue failed: connection reset
                    return
                message.pump()
                if not message.state.ended and self.exchange is exchange:
                    self._set_body_deadline(exchange)
        except (Exception, asyncio.CancelledError) as error:
            self.failed(exchange, error)
            return
        if self._deadlines is not None and message.state.ended:
            # The response is finished, too, so the connection already has the deadline of the next request.
            self._deadlines.forget_body()
        waiting: object = message.waiting  # `pump` may have changed it
        if waiting is not None:
            if self._reader.buffered > READ_AHEAD:
                self.stream.pause_reading()
            if self._deadlines is not None:
                self._deadlines.pause_body()

    def resumed(self, exchange: HTTP1Connection) -> None:
        """Continue reading the body after the delegate's awaitable is done."""
        if exchange.read_done:
            return
        if self._deadlines is not None:
            self._deadlines.resume_body()
        self._pump(exchange)
        if self.exchange is exchange and exchange.input.waiting is None and self.state is _SERVING:
            self.stream.resume_reading()
            if self.has_eof and not exchange.read_done:
                self._close_incomplete()

    def head_received(self, exchange: HTTP1Connection, head: Any) -> None:
        """Do nothing: the server receives the head before it creates the exchange."""

    def body_read(self, exchange: HTTP1Connection) -> None:
        """Process the end of the request."""
        if self._deadlines is not None:  # otherwise only a wait for output can have set the deadline
            self._deadlines.end_body()
        if self.exchange is not exchange:
            return
        if exchange.output.state.ended:
            self.exchange_finished(exchange)
        elif self.has_eof:
            exchange.notify_disconnect()

    # -- ends --

    def exchange_finished(self, exchange: HTTP1Connection) -> None:
        """Process the end of the response: prepare for the next request, or close the connection."""
        if self.exchange is not exchange:
            return
        self.exchange = None
        if exchange.state is not _FINISHED:
            exchange.end(_FINISHED)
            if self.state in (_CLOSED, _CONNECTION_DETACHED):
                return  # `on_connection_close` of the delegate has closed or detached the stream
        stream = self.stream
        stream.set_close_callback(None)  # the handler may have set one
        rest = b""
        if stream.suspended_consumer is not None:
            if stream.reading():
                gen_log.warning(
                    "Closing connection from %s: a handler still reads from its stream after the response",
                    self.context,
                )
                exchange.close_after = True
            else:
                rest = stream.resume_push()
        if exchange.close_after or self.state is not _SERVING:
            self.deadline = NEVER
            linger = not exchange.read_done or self._reader.buffered > 0
            if self.params.drain is not None:
                linger = self.params.drain.request_finished(exchange)
            self.close_after_output(linger, self._body_remaining(exchange))
            return
        reader = self._reader
        if reader.state is not _HEAD:
            reader.start_next()
        if rest:
            reader.receive_data(rest)
        if self._pipeline is _ADVANCING:
            return
        if reader.buffered:
            self._advance_later()
        elif self.has_eof:
            self.close_after_output(linger=False)
        else:
            self._begin_idle()
            stream.resume_reading()

    def close_after_output(self, linger: bool, body_remaining: int = 0) -> None:
        """Close the connection after its pending output has been sent.

        :param linger: whether the client may still be sending.
        :param body_remaining: the number of bytes of the request body not received yet; -1 if unknown.
        """
        if self.state is _CLOSED:
            return  # a failed write or a callback of the program has closed the stream
        self.state = self.state.to[_CLOSING]
        lingering = self._lingering_close = LingeringClose(linger, body_remaining)
        if self._deadlines is not None:
            self._deadlines.end_body()
        self.stream.flush_output()
        if self._lingering_close is not lingering:
            return  # the output could not be sent, so the stream is closed
        if not self.stream.pending_output:
            lingering.response_sent(self)
        else:
            self.await_output()

    def begin_lingering(self, pause: float) -> None:
        """Record that the response has been sent, and that the client may still be sending.

        :param pause: how long the client may be silent, in seconds.
        """
        self.state = self.state.to[_LINGERING]
        self._deadlines = None
        self.params.deadlines.set(self, monotonic(), pause)

    def body_remaining(self) -> int:
        """Return how many bytes of the current request's body have not been received; -1 if unknown."""
        return 0 if self.exchange is None else self._body_remaining(self.exchange)

    def _body_remaining(self, exchange: HTTP1Connection) -> int:
        head = exchange.head
        return 0 if exchange.read_done or head is None else self._reader.body_remaining(head)

    def peek(self, size: int) -> bytes:
        """Return at most `size` bytes of the unread input."""
        return self._reader.peek(size)

    def detached(self, exchange: HTTP1Connection) -> None:
        """Return unread bytes to the stream's buffer and release the stream.

        :raises RuntimeError: if the exchange has ended and the next one has begun.
        """
        if self.exchange is not exchange:
            if self.state is not _SERVING:
                return  # the connection is being closed already
            if self.exchange is not None:
                raise RuntimeError(
                    "detach() was called too late: the connection is already serving the next request"
                )
        self.state = self.state.to[_CONNECTION_DETACHED]
        self.deadline = NEVER
        self._deadlines = None
        self.params.deadlines.discard(self)
        stream = self.stream
        stream.stop_push()
        if exchange.input is not NO_BODY or self._reader.buffered:
            rest = exchange.input.take_pieces() + self._reader.take_buffer()
            if rest:
                stream.unread(rest)
        self.exchange = None
        exchange.end(_EXCHANGE_DETACHED)
        self._notify_closed()

    def detached_connection(self, context: Any) -> DetachedConnection:
        """Return a smaller ``request.connection`` for a request whose exchange was detached.

        :param context: the context of the exchange; None to use the connection's.
        """
        context = self._context if context is None else context
        return DetachedConnection(self.params, self.stream, self._dispatcher, context)

    def _notify_closed(self) -> None:
        delegate = self.delegate
        try:
            if delegate is not None:
                run_guarded(delegate.on_close, self)
        finally:
            if self._closed is not None and not self._closed.done():
                self._closed.set_result(None)

    def failed(self, exchange: HTTP1Connection, error: BaseException) -> None:
        """Process an error in the request or an exception in the program.

        :param error: the exception. An `.HTTPInputError` contains the status code of the response. Any other
            exception is logged, and the response has status 500. No response is sent if one has begun.
        """
        under_way = self.exchange is exchange
        if isinstance(error, HTTPInputError) and under_way:
            _error_responses.reject(self, error)
            return
        if not isinstance(error, asyncio.CancelledError):
            head: Any = exchange.head
            app_log.error(
                "Uncaught exception while serving %s: %s %s",
                self.context,
                head.method,
                escape_controls(head.target),
                exc_info=error,
            )
            # An HTTPOutputError comes from writing a response, so no other response is sent.
            begun = exchange.head_sent or isinstance(error, HTTPOutputError)
            if not begun and under_way:
                _error_responses.respond_and_close(self, 500)
                return
        if self.state is not _CONNECTION_DETACHED:  # a detached stream has another owner
            self.stream.close()


async def finish_after(result: Any, message: Any) -> None:
    """Call ``finish`` of a message delegate after the awaitable that its ``headers_received`` returned."""
    await result
    finished = message.finish()
    if finished is not None:
        await finished
