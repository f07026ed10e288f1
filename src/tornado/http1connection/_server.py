"""The server side of one connection: its requests, one after the other.

States::

    SERVING   requests are read and answered; there is at most one exchange at a time, and bytes of the next
              request wait in the reader
    CLOSING   the last response is being sent; the rest of the request body is discarded up to a limit, and
              reading stops after the body
    LINGERING the connection is half-closed; input is discarded until the peer closes too, because closing
              earlier would reset the connection and the peer might lose the response
    DETACHED  the stream has another owner
    CLOSED    the stream is closed

Requests begin in `data_received`. Pipelined requests begin in the loop of `_advance` instead, never inside
``finish()`` of the previous response.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import types
from collections.abc import Callable
from contextvars import copy_context
from time import monotonic
from typing import Any

from tornado._tasks import run_eagerly
from tornado._wire import h1
from tornado._wire.errors import BodyTooLarge, IncompleteMessage
from tornado.concurrent import Future
from tornado.http1connection import _error_responses, _lingering_close, _timeouts
from tornado.http1connection._deadline_scheduler import NEVER
from tornado.http1connection._decompress import GzipMessageDelegate
from tornado.http1connection._exchange import _CONTINUE, FAIR_SHARE, HTTP1Connection, run_guarded
from tornado.http1connection._lingering_close import LingeringClose
from tornado.http1connection._parameters import READ_AHEAD, HTTP1ConnectionParameters
from tornado.http1connection._state import State as _State
from tornado.http1connection._transfer_rate import TransferRate
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

_SERVING = _State.SERVING
_HEAD = h1.State.HEAD
_new_exchange = HTTP1Connection.__new__

#: The original `.HTTPServer.start_request`, set by the module of that class. The application is called
#: directly unless this method is overridden or patched.
ORIGINAL_START_REQUEST: Any = None


class HTTP1ServerConnection:
    """A server's connection, which reads requests and passes them to a delegate.

    :param stream: the accepted `.IOStream`.
    :param params: `HTTP1ConnectionParameters`.
    :param context: see `HTTP1Connection`.
    """

    __slots__ = (
        "__weakref__",
        "_advancing",
        "_closed",
        "_context",
        "_deadline",
        "_delegate",
        "_eof",
        "_exchange",
        "_fast_delegate",
        "_handshake_deadline",
        "_head_deadline",
        "_lingering_close",
        "_pipelined_count",
        "_previous_pending_output",
        "_reader",
        "_scheduled",
        "_state",
        "_transfer_rate",
        "_waits_for_output",
        "params",
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
        self._reader = h1.Reader(h1.Role.SERVER, self.params._limits)
        self._exchange: HTTP1Connection | None = None
        self._state = _SERVING
        self._advancing = False
        self._eof = False
        self._head_deadline = 0.0  # the deadline of a partially received head; otherwise 0
        self._waits_for_output = False  # whether the next request waits until the peer has received output
        self._scheduled = False  # whether the next request waits for the next event loop iteration
        self._previous_pending_output = self._pipelined_count = 0
        self._deadline = NEVER
        self._handshake_deadline = 0.0  # the deadline of the TLS handshake; otherwise 0
        self._transfer_rate: TransferRate | None = None
        self._lingering_close: LingeringClose | None = None
        self._closed: Future[None] | None = None
        self._delegate: HTTPServerConnectionDelegate | None = None
        self._fast_delegate: Any = None

    @property
    def context(self) -> Any:
        """The peer's address and protocol; created by the delegate on first use."""
        context = self._context
        if context is None or isinstance(context, (tuple, str, bytes)):  # the peer's address
            make = getattr(self._delegate, "_make_context", None)
            if make is not None:
                context = self._context = make(self.stream, context)
        return context

    def start_serving(self, delegate: HTTPServerConnectionDelegate) -> None:
        """Start reading requests, which continues until the connection is closed.

        :param delegate: its ``start_request`` is called for each request, and ``on_close`` at the end.
        """
        assert isinstance(delegate, HTTPServerConnectionDelegate)
        self._delegate = delegate
        self._fast_delegate = delegate if hasattr(delegate, "_find_opener") else None
        params = self.params
        watch = params._deadlines
        watch.add(self, self.stream.io_loop.asyncio_loop)
        now = monotonic()
        if isinstance(self.stream, SSLIOStream):
            self._handshake_deadline = now + params._handshake_timeout
            watch.set(self, now, params._handshake_timeout)
        else:
            watch.set(self, now, params._idle_timeout)
        self.stream._start_push(self)

    async def close(self) -> None:
        """Close the connection and wait until the delegate's ``on_close`` has been called."""
        if self._state is not _State.CLOSED and self._state is not _State.DETACHED:
            closed = self._closed
            if closed is None:
                closed = self._closed = Future()
            self.stream.close()
            await closed

    # -- stream callbacks --

    def data_received(self, data: bytes) -> None:
        """Process received bytes."""
        if self._state is not _SERVING:
            if self._lingering_close is not None:
                self._lingering_close.received(self, data)
            return
        reader = self._reader
        exchange = self._exchange
        if exchange is None:
            if self.stream._output is not None or self._scheduled:
                reader.receive_data(data)
                if not self._scheduled:
                    self._advance()
                elif reader.buffered > READ_AHEAD:
                    self.stream._pause_reading()
                return
            head = reader.receive_request(data)
            if head is None:
                self._advance()
                return
            self._advancing = True
            try:
                self._begin(head)
            except HTTPInputError as error:
                _error_responses.reject(self, error)
            finally:
                self._advancing = False
            if self._exchange is None and self._state is _SERVING:
                self._deadline = deadline = monotonic() + self.params._idle_timeout
                if deadline < self.params._deadlines._next_deadline or self._transfer_rate is not None:
                    self._wait_for_head()
            return
        reader.receive_data(data)
        if self._transfer_rate is not None:
            self._transfer_rate.received += len(data)
        if exchange._read_done:
            if reader.buffered > READ_AHEAD:
                self.stream._pause_reading()
        elif exchange._waiting is None:
            self._pump(exchange)
        elif reader.buffered > READ_AHEAD:
            self.stream._pause_reading()

    def eof_received(self) -> None:
        """Process a half-close by the peer, which may still receive the current response."""
        self._eof = True
        exchange = self._exchange
        if self._state is not _SERVING:
            if self._state is _State.LINGERING:
                self.stream.close()
        elif exchange is None:
            if not self._scheduled and not self._waits_for_output:
                self._end_of_input()
        else:
            self._eof_during_request(exchange, received=True)

    def eof_pending(self) -> None:
        """Process a half-close that is detected while reading is paused, before all input was received."""
        if self._exchange is not None and self._state is _SERVING:
            self._eof_during_request(self._exchange, received=False)

    def _eof_during_request(self, exchange: HTTP1Connection, received: bool) -> None:
        """Process a half-close by the peer while a request is being served.

        :param received: whether all of the peer's input has been received.
        """
        if exchange._read_done:
            exchange._notify_disconnect()
        elif exchange._half_close_disconnects or (received and exchange._waiting is None):
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
        _lingering_close.close(self, linger=False)

    def connection_lost(self, error: BaseException | None) -> None:
        """Called once when the stream closes, from either side."""
        if self._state in (_State.CLOSED, _State.DETACHED):
            return
        self._transfer_rate = None
        self.params._deadlines.discard(self)
        try:
            self._end_exchange(_State.CLOSED)
        finally:  # `close` waits for this call, so it is necessary even after a KeyboardInterrupt
            self._notify_closed()

    def _end_exchange(self, state: _State) -> None:
        """End the current exchange, if any, and call its close callbacks; its writes fail from now on."""
        self._state = state
        self._deadline = NEVER
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._detach_exchange(exchange)
            try:
                exchange._notify_disconnect()
            finally:
                self._release_exchange(exchange)

    def input_wanted(self) -> None:
        """Pass unread input to the handler, which reads from the stream until its response is finished."""
        exchange = self._exchange
        if exchange is None or self._state is not _SERVING:
            return
        if not exchange._read_done:
            # From here on, only the handler knows where the body ends.
            exchange._read_done = exchange._close_after = True
        self.stream._suspend_push(exchange._take_pieces() + self._reader.take_buffer())

    def output_waiting(self) -> None:
        """Called when output could not be sent immediately."""
        if self.params._min_send_rate is not None:
            _timeouts.set_output_deadline(self)

    def output_drained(self) -> None:
        """Called when all pending output has been sent."""
        if self._transfer_rate is not None:
            self._transfer_rate.end_output()
            _timeouts.update_deadline(self)
        if self._lingering_close is not None and self._state is _State.CLOSING:
            self._lingering_close.response_sent(self)
        elif self._waits_for_output:
            self._waits_for_output = False
            self._advance_later()
        elif self._exchange is None and self._state is _SERVING:
            self._wait_for_head()

    # -- requests --

    def _advance(self, waited: bool = False) -> None:
        """Begin the requests in the reader, until one is not answered immediately or the next head is
        incomplete.

        :param waited: whether these requests arrived before the previous response was finished.
        """
        self._advancing = True
        reader, stream = self._reader, self.stream
        count = 0
        try:
            while self._exchange is None and self._state is _SERVING:
                if count and not reader._buffer:
                    break
                if stream._pending_output > FAIR_SHARE:
                    # Back-pressure: wait until the peer has received output, or for the next iteration.
                    stream._flush_now()
                    if stream._pending_output > FAIR_SHARE:
                        self._waits_for_output = True
                        stream._pause_reading()
                        _timeouts.set_idle_deadline(self)
                    else:
                        self._advance_later()
                    return
                if count == _PIPELINE_BATCH:
                    self._advance_later()
                    return
                head: Any = reader.next_event()
                if head is None:
                    break
                if count or waited:
                    head = _timeouts.count_pipelined(self, head)
                count += 1
                self._begin(head)
                if self._transfer_rate is not None:
                    _timeouts.update_deadline(self)
                pipelined: Any = self._exchange
                if self._eof and pipelined is not None:
                    self._eof_during_request(pipelined, received=True)
        except HTTPInputError as error:
            _error_responses.reject(self, error)
        finally:
            self._advancing = False
        if self._exchange is None and self._state is _SERVING:
            self._wait_for_head()

    def _wait_for_head(self) -> None:
        if self._eof:
            self._end_of_input()
        elif not self._reader._buffer:
            self._head_deadline = 0.0
            self._pipelined_count = 0
            _timeouts.set_idle_deadline(self)
        elif not self._head_deadline:
            _timeouts.set_head_deadline(self)

    def _advance_later(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.stream.io_loop.asyncio_loop.call_soon(self._resume_pipelining)

    def _resume_pipelining(self) -> None:
        """Continue with pipelined requests, as a separate event loop callback."""
        self._scheduled = False
        if self._state is not _SERVING or self._exchange is not None:
            return
        self.stream._call_corked(self._advance, True)
        self._maybe_resume_reading()

    def _maybe_resume_reading(self) -> None:
        """Resume reading, unless it must stay paused."""
        if self._state is not _SERVING or self._waits_for_output or self._scheduled:
            return
        exchange = self._exchange
        if exchange is None or (not exchange._read_done and exchange._waiting is None):
            self.stream._resume_reading()
        elif not self._eof:
            self.stream._watch_unread()  # to detect a half-close although reading is paused

    def _begin(self, head: h1.RequestHead) -> None:
        exchange: HTTP1Connection = _new_exchange(HTTP1Connection)
        exchange.stream = self.stream
        exchange._driver = exchange._origin = self
        exchange._head = head
        # The class defines defaults for these attributes, but reading them from the instance is faster.
        exchange.no_keep_alive = self.params.no_keep_alive
        exchange._close_after = False
        exchange._close_callback = exchange._run_context = None
        self._exchange = exchange
        self._deadline = NEVER
        self._head_deadline = 0.0
        if not head.plain:
            _error_responses.check_head(self, head)
            if head.has_body:
                self._begin_body(exchange, head)
                return
        exchange._read_done = True
        context = copy_context()
        try:
            fast_delegate = self._fast_delegate
            result = NotImplemented
            if fast_delegate is not None and type(fast_delegate).start_request is ORIGINAL_START_REQUEST:
                opener = (
                    fast_delegate._opener
                    if fast_delegate._opener_of is fast_delegate.request_callback
                    else fast_delegate._find_opener()
                )
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
        fast_delegate = self._fast_delegate
        if fast_delegate is None or (
            type(fast_delegate).start_request is ORIGINAL_START_REQUEST
            and "start_request" not in vars(fast_delegate)
        ):
            return self._open
        return self._open_in_task

    def _open_in_task(self, exchange: HTTP1Connection, head: h1.RequestHead) -> Any:
        """Call `_open` with a Task as the current task; see `RequestTask`."""
        return exchange.begin_task().call(self._open, exchange, head)

    def _open(self, exchange: HTTP1Connection, head: h1.RequestHead) -> Any:
        """Start the request through the server's delegate.

        :returns: None or an awaitable. Awaiting it completes a request without a body; if the request has a
            body, reading the body starts after the awaitable is done.
        """
        delegate = self._delegate
        assert delegate is not None
        message = delegate.start_request(self, exchange)
        if self.params.decompress:
            message = GzipMessageDelegate(message, exchange)
        exchange._message = message
        start_line = RequestStartLine(head.method, head.target, head.version)
        result = message.headers_received(start_line, head.headers)
        if not head.has_body and not exchange._detached:
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
            exchange._task = task
            task.add_done_callback(functools.partial(self._task_done, exchange))

    def _task_done(self, exchange: HTTP1Connection, task: asyncio.Task[Any]) -> None:
        exchange._task = None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            return
        if self._exchange is exchange:
            self.failed(exchange, error)
        elif not isinstance(error, asyncio.CancelledError):
            app_log.error("Uncaught exception after the end of a request", exc_info=error)

    # -- bodies --

    def _begin_body(self, exchange: HTTP1Connection, head: h1.RequestHead) -> None:
        reader = exchange._reader = self._reader
        context = exchange._run_context = copy_context()
        reader.max_body_size = self._body_limit(exchange)
        try:
            result: Any = NotImplemented
            fast_delegate = self._fast_delegate
            if fast_delegate is not None and type(fast_delegate).start_request is ORIGINAL_START_REQUEST:
                opener = fast_delegate._find_opener()
                if opener is not None:
                    result = context.run(opener, exchange, head)
            if result is NotImplemented:
                result = context.run(self._opening_method(), exchange, head)
            if result is not None:
                exchange._wait_for(result)
        except (Exception, asyncio.CancelledError) as error:
            self.failed(exchange, error)
            return
        self._pump(exchange)

    def _receive_body(self, exchange: HTTP1Connection) -> None:
        """Check the announced size of the body, and send 100 Continue if the client expects it.

        Called after the delegate has received the head.
        """
        exchange._body_begun = True
        head = exchange._head
        assert head is not None
        limit = self._reader.max_body_size = self._body_limit(exchange)
        if head.content_length is not None and head.content_length > limit:
            text = f"Content-Length {head.content_length} is over the limit of {limit} bytes (max_body_size)"
            raise BodyTooLarge(text)
        if head.expect_continue and not exchange._head_sent and not self._reader.buffered:
            _ = exchange._send_now(exchange._transmit(_CONTINUE))

    def _body_limit(self, exchange: HTTP1Connection) -> int:
        limit = exchange._max_body_size
        if limit is None:
            limit = self.params.max_body_size
            if limit is None:
                limit = self.stream.max_buffer_size
        return limit

    def _pump(self, exchange: HTTP1Connection) -> None:
        if exchange._waiting is not None or self._exchange is not exchange:
            return
        try:
            if exchange._body_begun:
                exchange._pump()
            else:
                self._receive_body(exchange)
                if self._exchange is not exchange:  # sending 100 Continue failed: connection reset
                    return
                exchange._pump()
                if not exchange._read_done and self._exchange is exchange:
                    timeout = exchange._body_timeout
                    _timeouts.set_body_deadline(
                        self, self.params.body_timeout if timeout is None else timeout
                    )
        except (Exception, asyncio.CancelledError) as error:
            self.failed(exchange, error)
            return
        if self._transfer_rate is not None and exchange._read_done:
            # The response is finished, too, so the connection already has the deadline of the next request.
            _timeouts.clear_body_deadline(self, self._transfer_rate)
        waiting: object = exchange._waiting  # `_pump` may have changed it
        if waiting is not None:
            if self._reader.buffered > READ_AHEAD:
                self.stream._pause_reading()
            if self._transfer_rate is not None:
                self._transfer_rate.pause(monotonic())

    def resumed(self, exchange: HTTP1Connection) -> None:
        """Continue reading the body after the delegate's awaitable is done."""
        if exchange._read_done:
            return
        if self._transfer_rate is not None:
            self._transfer_rate.resume(monotonic())
        self._pump(exchange)
        if self._exchange is exchange and exchange._waiting is None and self._state is _SERVING:
            self.stream._resume_reading()
            if self._eof and not exchange._read_done:
                self._close_incomplete()

    def head_received(self, exchange: HTTP1Connection, head: Any) -> None:
        """Do nothing: the server receives the head before it creates the exchange."""

    def body_read(self, exchange: HTTP1Connection) -> None:
        """Process the end of the request."""
        self._deadline = NEVER
        if self._transfer_rate is not None:
            self._transfer_rate.end_body()
            _timeouts.update_deadline(self)
        if self._exchange is not exchange:
            return
        if exchange._write_done:
            self.exchange_finished(exchange)
        elif self._eof:
            exchange._notify_disconnect()

    # -- ends --

    def exchange_finished(self, exchange: HTTP1Connection) -> None:
        """Process the end of the response: prepare for the next request, or close the connection."""
        if self._exchange is not exchange:
            return
        self._exchange = None
        exchange._driver = None
        stream = self.stream
        stream._close_callback = None  # the handler may have set a close callback
        if not exchange._read_done:
            # The response was sent before the body was received, so do not wait for the rest of the body.
            exchange._close_after = True
            exchange.discard_body()
        if exchange._run_context is not None:
            self._release_exchange(exchange)
        rest = b""
        if stream._suspended_consumer is not None:
            if stream.reading():
                gen_log.warning(
                    "Closing connection from %s: a handler still reads from its stream after the response",
                    self.context,
                )
                exchange._close_after = True
            else:
                rest = stream._resume_push()
        if exchange._close_after or self._state is not _SERVING:
            self._deadline = NEVER
            linger = not exchange._read_done or self._reader.buffered > 0
            _lingering_close.close(self, linger, _lingering_close.remaining_body(exchange, self._reader))
            return
        reader = self._reader
        if reader.state is not _HEAD:
            reader.start_next()
        if rest:
            reader.receive_data(rest)
        if self._advancing:
            return
        if reader.buffered:
            self._advance_later()
        elif self._eof:
            _lingering_close.close(self, linger=False)
        else:
            self._pipelined_count = 0
            if self._transfer_rate is not None:
                self._transfer_rate.end_body()
            _timeouts.set_idle_deadline(self)
            stream._resume_reading()

    def _release_exchange(self, exchange: HTTP1Connection) -> None:
        """Break the reference cycles of an exchange, so that it is freed with its last reference."""
        if exchange.request_task is not None:
            exchange.request_task.end()
        exchange._message = exchange._run_context = exchange._pieces = exchange._waiting = (
            exchange._reader
        ) = exchange._on_body_too_large = None

    def _detach_exchange(self, exchange: HTTP1Connection) -> None:
        """Disconnect an exchange, so that its writes fail from now on."""
        exchange._driver = None
        exchange._task = None
        exchange._reader = None

    def detached(self, exchange: HTTP1Connection) -> None:
        """Return unread bytes to the stream's buffer and release the stream.

        :raises RuntimeError: if the exchange has ended and the next one has begun.
        """
        if self._exchange is not exchange:
            if self._state is not _SERVING:
                return  # the connection is being closed already
            if self._exchange is not None:
                raise RuntimeError(
                    "detach() was called too late: the connection is already serving the next request"
                )
        self._state = _State.DETACHED
        self._deadline = NEVER
        self._transfer_rate = None
        self.params._deadlines.discard(self)
        stream = self.stream
        stream._stop_push()
        rest = exchange._take_pieces() + self._reader.take_buffer()
        if rest:
            stream._unread(rest)
        self._exchange = None
        self._detach_exchange(exchange)
        self._release_exchange(exchange)
        self._notify_closed()

    def _notify_closed(self) -> None:
        delegate = self._delegate
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
        under_way = self._exchange is exchange
        if isinstance(error, HTTPInputError) and under_way:
            _error_responses.reject(self, error)
            return
        if not isinstance(error, asyncio.CancelledError):
            head: Any = exchange._head
            app_log.error(
                "Uncaught exception while serving %s: %s %s",
                self.context,
                head.method,
                escape_controls(head.target),
                exc_info=error,
            )
            # An HTTPOutputError comes from writing a response, so no other response is sent.
            begun = exchange._head_sent or isinstance(error, HTTPOutputError)
            if not begun and under_way:
                _error_responses.respond_and_close(self, 500)
                return
        if self._state is not _State.DETACHED:  # a detached stream has another owner
            self.stream.close()

    def _expired(self) -> None:
        """Close the connection or set a new deadline; called when its deadline has passed."""
        try:
            _timeouts.expired(self)
        except BaseException:  # a program's own context may raise while a log line is formatted
            self.stream.close()
            raise


async def finish_after(result: Any, message: Any) -> None:
    """Call ``finish`` of a message delegate after the awaitable that its ``headers_received`` returned."""
    await result
    finished = message.finish()
    if finished is not None:
        await finished
