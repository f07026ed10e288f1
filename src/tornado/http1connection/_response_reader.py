"""The client side of an exchange: reading the response."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from tornado._wire import h1
from tornado._wire.errors import BodyTooLarge, HeadTooLarge, IncompleteMessage
from tornado.concurrent import Future
from tornado.http1connection._decompress import GzipMessageDelegate
from tornado.http1connection._interfaces import Exchange
from tornado.http1connection._parameters import READ_AHEAD
from tornado.http1connection._states import ExchangeState
from tornado.httputil import HTTPInputError, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import UnsatisfiableReadError
from tornado.log import app_log, gen_log

# See `tornado._wire.state_machine` for the reason for these constants.
_DETACHED = ExchangeState.DETACHED
_FINISHED = ExchangeState.FINISHED
_LOST = ExchangeState.LOST


class ResponseReader:
    """The driver of one `HTTP1Connection.read_response` call.

    :ivar done: the Future that the call returns.
    """

    def __init__(self, exchange: Exchange, delegate: HTTPMessageDelegate) -> None:
        params = exchange.params
        if params.decompress:
            delegate = GzipMessageDelegate(delegate, exchange)
        self.exchange = exchange
        self.params = params
        self.context = exchange.context
        self.done: Future[bool] = Future()
        self._reusable = True
        self._timer: asyncio.TimerHandle | None = None
        role = h1.Role.CLIENT if exchange.is_client else h1.Role.SERVER
        self._reader = reader = h1.Reader(role, params.limits)
        if exchange.is_client:
            reader.expect_response_to(exchange.request_method)
        reader.max_body_size = exchange.body_limit()
        exchange.begin_input(self, reader, delegate)
        if params.header_timeout is not None:
            self._set_timer(params.header_timeout, "Timeout reading the head from %s")
        exchange.stream.start_push(self)

    # -- stream callbacks --

    def data_received(self, data: bytes) -> None:
        self._reader.receive_data(data)
        exchange = self.exchange
        if exchange.input.waiting is None:
            self._pump()
        if (
            exchange.input.waiting is not None
            and self._reader.buffered > READ_AHEAD
            and exchange.stream is not None
        ):
            exchange.stream.pause_reading()

    def eof_received(self) -> None:
        self._reader.receive_eof()
        self._reusable = False
        if self.exchange.input.waiting is None:
            self._pump()
            if not self.done.done() and self.exchange.input.waiting is None:
                self.exchange.stream.close()

    def connection_lost(self, error: BaseException | None) -> None:
        self._end(False)

    def input_wanted(self) -> None:
        """Ignore reads by the program: the stream stays in push mode until the response ends."""

    def output_drained(self) -> None:
        pass

    # -- the message --

    def _pump(self) -> None:
        try:
            self.exchange.input.pump()
        except (Exception, asyncio.CancelledError) as error:
            self.failed(self.exchange, error)

    def head_received(self, exchange: Exchange, head: Any) -> None:
        """Pass a head to the delegate, including the head of an interim response."""
        message = exchange.message_delegate
        assert message is not None
        line: Any
        if exchange.is_client:
            line = ResponseStartLine(head.version, head.code, head.reason)
        else:
            line = RequestStartLine(head.method, head.target, head.version)
        interim = exchange.is_client and 100 <= head.code < 200 and head.code != 101
        if not interim:
            self._clear_timer()
            if not head.keep_alive or exchange.no_keep_alive:
                self._reusable = False
        exchange.input.deliver(message.headers_received, line, head.headers)
        if exchange.is_detached or interim or self.done.done():
            return
        limit = self._reader.max_body_size = self.exchange.body_limit()
        if head.content_length is not None and head.has_body and head.content_length > limit:
            text = f"Content-Length {head.content_length} is over the limit of {limit} bytes (max_body_size)"
            raise BodyTooLarge(text)
        timeout = exchange.body_timeout if exchange.body_timeout is not None else self.params.body_timeout
        if head.has_body:
            exchange.input.begin_body()
            if timeout is not None:
                self._set_timer(timeout, "Timeout reading body from %s")
        elif exchange.input.waiting is None:
            exchange.input.complete()
        else:
            exchange.input.waiting.add_done_callback(lambda future: self._end_after_wait())

    def _end_after_wait(self) -> None:
        if self.done.done() or self.exchange.read_done:
            return
        try:
            self.exchange.input.complete()
        except (Exception, asyncio.CancelledError) as error:
            self.failed(self.exchange, error)

    def resumed(self, exchange: Exchange) -> None:
        """Continue reading after the delegate's awaitable is done."""
        if self.done.done() or exchange.read_done:
            return
        self._pump()
        if exchange.input.waiting is None and not self.done.done() and exchange.stream is not None:
            exchange.stream.resume_reading()

    def body_read(self, exchange: Exchange) -> None:
        waiting = exchange.input.waiting
        if waiting is not None:
            waiting.add_done_callback(lambda future: self._end(self._reusable))
        else:
            self._end(self._reusable)

    def exchange_finished(self, exchange: Exchange) -> None:
        """Do nothing: on the client side, finishing the request does not end the exchange."""

    def await_output(self) -> None:
        """Do nothing: on the client side, sending has no time limit."""

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """End the exchange because the input is not valid HTTP, or because the delegate raised `error`."""
        if isinstance(error, HeadTooLarge):
            # Programs expect an UnsatisfiableReadError, because upstream reads the head with a `read_until`
            # that has a size limit.
            gen_log.info("Unsatisfiable read from %s: %s", self.context, error)
            self._end(False, closed_by=UnsatisfiableReadError(str(error)))
            return
        if isinstance(error, HTTPInputError):
            # Disconnects are common, so an incomplete message is logged at a lower level than a malformed
            # one.
            level = logging.DEBUG if isinstance(error, IncompleteMessage) else logging.INFO
            gen_log.log(level, "Malformed HTTP message from %s: %s", self.context, error)
            # The frames of the traceback refer to the exchange: 39 objects would be left to the garbage
            # collector for each malformed response.
            exchange.fault = error.with_traceback(None)
            self._end(False)
            return
        self._end(False, error)

    def detached(self, exchange: Exchange) -> None:
        self._leave_stream()
        self._clear_timer()
        exchange.driver = None
        exchange.end(_DETACHED)
        if not self.done.done():
            self.done.set_result(False)

    # -- the end --

    def _leave_stream(self) -> None:
        stream = self.exchange.stream
        stream.stop_push()
        rest = self._reader.take_buffer()
        if rest and not stream.closed():
            stream.unread(rest)

    def _end(
        self, reusable: bool, error: BaseException | None = None, closed_by: Exception | None = None
    ) -> None:
        """Release the stream and set the result of `done`.

        :param reusable: whether the connection can be used for another exchange.
        :param error: the exception that the delegate raised, if any.
        :param closed_by: the exception that becomes the stream's `error`, if any.
        """
        exchange = self.exchange
        if exchange.driver is not self:
            return
        self._clear_timer()
        exchange.driver = None
        stream = exchange.stream
        if stream is not None:
            self._leave_stream()
            if not reusable:
                stream.close(closed_by or False)
        if error is not None:
            _log_uncaught(error)
            # The delegate's on_connection_close() is also called if its finish() raised the exception.
            exchange.input.fail()
        try:
            exchange.end(_FINISHED if exchange.read_done else _LOST)
        finally:
            if not self.done.done():
                self.done.set_result(reusable)

    def _set_timer(self, seconds: float, text: str) -> None:
        self._clear_timer()
        loop = self.exchange.stream.io_loop.asyncio_loop
        self._timer = loop.call_later(seconds, self._timed_out, text)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timed_out(self, text: str) -> None:
        gen_log.info(text, self.context)
        self._end(False)


def _log_uncaught(error: BaseException) -> None:
    if not isinstance(error, asyncio.CancelledError):
        app_log.error("Uncaught exception in a message delegate", exc_info=error)
