"""The read side of an exchange: the message that it receives.

A `MessageInput` passes the body from the parser to the message delegate of the exchange. It pauses while an
awaitable that the delegate returned is pending.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

from tornado._loop.tasks import run_eagerly
from tornado._wire import h1
from tornado.concurrent import Future
from tornado.gen import convert_yielded
from tornado.http1connection._interfaces import Exchange
from tornado.http1connection._states import ExchangeState, InputState

# These are module globals, because looking up an enum member costs more than a transition.
_HEAD, _BODY, _COMPLETE, _FAILED, _RELEASED = InputState
_OPEN = ExchangeState.OPEN


class MessageInput:
    """The message that an exchange receives.

    :param exchange: the exchange; None for a message without a body, which needs no further processing.
    :param reader: the parser.
    :ivar reader: the parser; None after the end of the exchange.
    :ivar state: an `InputState`.
    :ivar waiting: the Future of the awaitable that the delegate returned, while it is pending.
    """

    __slots__ = ("_exchange", "_pieces", "reader", "state", "waiting")

    def __init__(
        self, exchange: Exchange | None, reader: h1.Reader | None, state: InputState = _HEAD
    ) -> None:
        self._exchange = exchange
        self.reader = reader
        self.state: InputState = state
        self.waiting: Future[Any] | None = None
        self._pieces: Iterator[bytes] | None = None  # the rest of an event that is larger than chunk_size

    def __repr__(self) -> str:
        return f"<MessageInput {self.state.name}{', paused' if self.waiting is not None else ''}>"

    def begin_body(self) -> None:
        """Record that the delegate has received the head."""
        self.state = self.state.to[_BODY]

    def pump(self) -> None:
        """Pass body events to the delegate until more data is needed or the delegate returns an awaitable."""
        exchange, reader = self._exchange, self.reader
        assert exchange is not None
        assert reader is not None
        message = exchange.message_delegate
        while self.waiting is None and exchange.state is _OPEN:
            pieces = self._pieces
            if pieces is not None:
                piece = next(pieces, None)
                if piece is None:
                    self._pieces = None
                else:
                    self.deliver(message.data_received, piece)
                continue
            event = reader.next_event()
            if event is None:
                return
            if type(event) is bytes:
                if exchange.output.state.ended and not exchange.is_client:
                    continue  # the response is finished, so the rest of the body is discarded
                chunk_size = exchange.driver.params.chunk_size
                if len(event) <= chunk_size:
                    self.deliver(message.data_received, event)
                else:
                    self._pieces = _split(event, chunk_size)
            elif type(event) is h1.EndOfMessage:
                self.complete()
                return
            else:
                exchange.driver.head_received(exchange, event)
                if self.state.ended:
                    return

    def deliver(self, call: Callable[..., Any], *args: Any) -> None:
        """Call a method of the delegate in the request's context; wait if it returns an awaitable."""
        exchange = self._exchange
        assert exchange is not None
        context, request_task = exchange.run_context, exchange.request_task
        if request_task is not None:
            args, call = (call, *args), request_task.call
        result = call(*args) if context is None else context.run(call, *args)
        if result is not None:
            self.wait_for(result)

    def wait_for(self, result: Any) -> None:
        """Pause reading until the awaitable `result` is done."""
        exchange = self._exchange
        if asyncio.iscoroutine(result):
            context = request_task = None
            if exchange is not None:
                context, request_task = exchange.run_context, exchange.request_task
            start = run_eagerly if request_task is None else functools.partial(request_task.call, run_eagerly)
            future: Future[Any] = start(
                asyncio.get_running_loop(), result, context or contextvars.copy_context()
            )
        else:
            future = convert_yielded(result)
        if future.done():
            future.result()
        else:
            self.waiting = future
            future.add_done_callback(self._resume)

    def stop(self) -> None:
        """Pass no further part of the message to the delegate."""
        self.waiting = Future()  # never done

    def _resume(self, future: Future[Any]) -> None:
        self.waiting = None
        exchange = self._exchange
        if exchange is None or exchange.state is not _OPEN:
            if not future.cancelled():
                future.exception()  # marks it as retrieved: the exchange has ended for another reason
            return
        try:
            future.result()
        except (Exception, asyncio.CancelledError) as error:
            exchange.driver.failed(exchange, error)
        else:
            exchange.driver.resumed(exchange)

    def take_pieces(self) -> bytes:
        """Remove and return the data that was read but not passed to the delegate."""
        pieces, self._pieces = self._pieces, None
        return b"" if pieces is None else b"".join(pieces)

    # -- the end --

    def complete(self) -> None:
        """Call ``finish`` of the delegate, and tell the driver that the message has been read."""
        self.state = self.state.to[_COMPLETE]
        exchange = self._exchange
        assert exchange is not None
        if not exchange.output.state.ended or exchange.is_client:
            try:
                self.deliver(exchange.message_delegate.finish)
            except Exception:
                self.fail()  # so that the delegate's on_connection_close() is called
                raise
        if exchange.state is _OPEN:
            exchange.driver.body_read(exchange)

    def fail(self) -> None:
        """Record that the delegate raised an exception; a message that is not complete remains incomplete."""
        if self.state is _COMPLETE:
            self.state = self.state.to[_FAILED]

    def abandon(self) -> None:
        """Record that the delegate does not receive the rest of the message."""
        self.state = self.state.to[_RELEASED]

    def release(self) -> None:
        """Break the reference cycle with the exchange at its end."""
        self._exchange = self.reader = self.waiting = self._pieces = None


def _split(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))
