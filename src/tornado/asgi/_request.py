"""`ASGIRequest`: serves one request of an ASGI server with an application.

It is the driver of an `.ASGIExchange`. Its coroutine `ASGIRequest.run`, which the server awaits, starts the
handler and passes the events of the response to the server. If the response is not complete at once, a task
receives the rest of the body and the disconnect of the client.

The coroutine returns when the response has been sent and the handler has ended. An incomplete response, for
example because a handler has closed the connection, makes the coroutine return early: ASGI has no event that
aborts a response, and servers close the connection in this case.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
from typing import Any

from tornado._log_rate_limit import LogRateLimit
from tornado._loop.tasks import run_eagerly
from tornado._wire.errors import BodyTooLarge
from tornado._wire.heads import RequestHead
from tornado.asgi._adapter_head import ASGIContext, may_have_body, read_head, with_body
from tornado.asgi._body_reader import BodyReader
from tornado.asgi._exchange import ASGIExchange
from tornado.asgi._types import Event, Receive, Scope, Send
from tornado.http1connection import HTTP1ConnectionParameters
from tornado.http1connection._decompress import GzipMessageDelegate
from tornado.http1connection._interfaces import opener_of
from tornado.http1connection._server_connection import finish_after
from tornado.http1connection._states import ExchangeState, InputState
from tornado.httputil import (
    HTTPInputError,
    HTTPOutputError,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    responses,
)
from tornado.log import app_log, escape_controls, gen_log

#: The number of events that are received before other requests are served.
_BATCH = 4
_OPEN, _LOST = ExchangeState.OPEN, ExchangeState.LOST
_log_limit = LogRateLimit(gen_log, burst=10)


class ASGIRequest:
    """One call of the adapter for a request.

    :param application: the application.
    :param params: the limits of the adapter.
    :param scope: the arguments of the call.
    """

    def __init__(
        self,
        application: HTTPServerConnectionDelegate,
        params: HTTP1ConnectionParameters,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self.params = params
        self.context = ASGIContext(scope)
        self._application = application
        self.scope = scope
        self.receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._exchange: ASGIExchange | None = None
        self._reader: BodyReader | None = None
        self._receiver: asyncio.Task[None] | None = None
        #: The Future of `run` while it waits for output, and that of the receiver while a handler is busy.
        self._output_waiter: asyncio.Future[None] | None = None
        self._input_waiter: asyncio.Future[None] | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        #: The status of the error response to send instead of the handler's response.
        self._error_code: int | None = None

    # -- the call --

    async def run(self) -> None:
        """Serve the request."""
        first: Event | None = None
        try:
            head = read_head(self.scope, self.params.limits)
            if may_have_body(self.scope, head):
                first = await self.receive()
                if first.get("body") or first.get("more_body"):
                    head = with_body(head)
        except HTTPInputError as error:
            self._log_rejected(error)
            await self._send_error(error.status_code, self.scope.get("method") == "HEAD")
            return
        exchange = self._exchange = self.make_exchange(head)
        try:
            self._begin(exchange, head)
            if first is not None:
                self.received(first)
            await self._transfer(exchange)
        except asyncio.CancelledError:
            self._cancelled(exchange)
            raise
        finally:
            self._end()
        await self._wait_for_handler(exchange)

    def make_exchange(self, head: RequestHead) -> ASGIExchange:
        """Return the exchange for a request."""
        return ASGIExchange(self, head, self.scope)

    async def _transfer(self, exchange: ASGIExchange) -> None:
        """Pass the events of the response to the server until the exchange is over."""
        while True:
            event = self.next_event()
            if event is not None:
                try:
                    await self.send_event(event)
                except OSError:  # since version 2.4 of the HTTP specification: the client has disconnected
                    self.disconnected()
                else:
                    self.event_accepted()
            elif self._error_code is not None:
                code, self._error_code = self._error_code, None
                await self._send_error(code, exchange.head.method == "HEAD")
                return
            elif self.is_over():
                return
            else:
                await self._wait()

    async def send_event(self, event: Event) -> None:
        """Pass an event to the server."""
        await self._send(event)

    async def stop_receiving(self) -> None:
        """Cancel the task that receives events, and wait for its end."""
        receiver = self._receiver
        if receiver is not None and not receiver.done():
            receiver.cancel()
            await asyncio.wait([receiver])

    async def _wait(self) -> None:
        """Wait for output or the end of the exchange, and receive input in the meantime."""
        if self._receiver is None:
            self._receiver = self._loop.create_task(self._receive_all())
        waiter = self._output_waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._output_waiter = None

    def wake(self) -> None:
        """Continue `run`, because there is an event to send or the exchange has ended."""
        waiter = self._output_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def next_event(self) -> Event | None:
        """Return the event to send next, or None."""
        assert self._exchange is not None
        return self._exchange.queue.first()

    def event_accepted(self) -> None:
        """Record that the server has accepted the event that `next_event` returned."""
        assert self._exchange is not None
        self._exchange.queue.accepted()

    def is_over(self) -> bool:
        """Whether no event will follow."""
        assert self._exchange is not None
        return self._exchange.state is not _OPEN

    def _end(self) -> None:
        if self._receiver is not None:
            self._receiver.cancel()
        self._stop_body_timer()
        if not self.is_over():  # the server's `send` has raised an exception
            self.disconnected()

    def _cancelled(self, exchange: ASGIExchange) -> None:
        """Cancel the handler, because the server has cancelled the call."""
        self.disconnected()
        if exchange.task is not None:
            exchange.task.cancel()

    async def _wait_for_handler(self, exchange: ASGIExchange) -> None:
        """Wait until a handler that still runs after its response has ended, as servers do at shutdown."""
        task = exchange.task
        if task is not None and not task.done():
            await asyncio.wait([task])

    # -- the start --

    def _begin(self, exchange: ASGIExchange, head: RequestHead) -> None:
        try:
            if head.has_body:
                self._begin_body(exchange, head)
                return
            context = contextvars.copy_context()
            result = context.run(self._open, exchange, head)
            if inspect.iscoroutine(result):
                task = run_eagerly(self._loop, result, context)
                if task.done():
                    self._task_done(exchange, task)
                else:
                    exchange.task = task
                    task.add_done_callback(functools.partial(self._task_done, exchange))
        except (Exception, asyncio.CancelledError) as error:
            self.failed(exchange, error)

    def _begin_body(self, exchange: ASGIExchange, head: RequestHead) -> None:
        self._reader = exchange.new_reader()
        message = exchange.begin_input(self, self._reader)
        assert exchange.run_context is not None
        result = exchange.run_context.run(self._open, exchange, head)
        if result is not None:
            message.wait_for(result)
        self._pump(exchange)

    def _open(self, exchange: Any, head: RequestHead) -> Any:
        """Start the request through the application; return None or an awaitable."""
        if not self.params.decompress:
            opener = opener_of(self._application)
            result = NotImplemented if opener is None else opener(exchange, head)
            if result is not NotImplemented:
                return result
        message = self._application.start_request(self, exchange)
        if self.params.decompress:
            message = GzipMessageDelegate(message, exchange)
        exchange.message_delegate = message
        result = message.headers_received(
            RequestStartLine(head.method, head.target, head.version), head.headers
        )
        if head.has_body or exchange.is_detached:
            return result
        return message.finish() if result is None else finish_after(result, message)

    def _task_done(self, exchange: ASGIExchange, task: asyncio.Task[Any]) -> None:
        if exchange.task is task and exchange.ended:
            exchange.task = None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self.failed(exchange, error)

    # -- input --

    async def _receive_all(self) -> None:
        """Receive the body, and wait for the disconnect of the client."""
        exchange = self._exchange
        assert exchange is not None
        batch = _BATCH
        try:
            while exchange.state is _OPEN or exchange.is_detached:
                if self.is_input_paused():
                    self._input_waiter = self._loop.create_future()
                    await self._input_waiter
                    batch = _BATCH
                elif not self.received(await self.receive()):
                    return
                elif batch:
                    batch -= 1
                else:
                    # `receive` does not suspend while the server has events.
                    batch = _BATCH
                    await asyncio.sleep(0)
        except Exception as error:
            app_log.error("Uncaught exception in receive() of the ASGI server", exc_info=error)
            self.disconnected()

    def is_input_paused(self) -> bool:
        """Whether the handler is still busy with the previous part of the body."""
        exchange = self._exchange
        assert exchange is not None
        return not exchange.read_done and exchange.input.waiting is not None

    def continue_input(self) -> None:
        """Continue to receive after `is_input_paused`."""
        waiter, self._input_waiter = self._input_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def received(self, event: Event) -> bool:
        """Process an event; return False if no other event will follow."""
        kind = event["type"]
        if kind == "http.disconnect":
            self.disconnected()
            return False
        if kind == "http.request":
            exchange, reader = self._exchange, self._reader
            assert exchange is not None
            if reader is not None and not reader.is_complete:
                reader.receive(bytes(event.get("body", b"")), event.get("more_body", False))
                if not exchange.read_done:
                    self._pump(exchange)
        return True

    def disconnected(self) -> None:
        """Process the disconnect of the client."""
        exchange = self._exchange
        if exchange is not None:
            exchange.queue.clear()
            if exchange.state is _OPEN:
                exchange.end(_LOST)

    def _pump(self, exchange: ASGIExchange) -> None:
        """Pass the received part of the body to the delegate."""
        message = exchange.input
        if message.waiting is not None or exchange.state is not _OPEN:
            return
        try:
            if message.state is InputState.HEAD:
                self._check_announced_size(exchange)
                message.begin_body()
                self._start_body_timer(exchange)
            message.pump()
        except (Exception, asyncio.CancelledError) as error:
            self.failed(exchange, error)

    def _check_announced_size(self, exchange: ASGIExchange) -> None:
        length, limit = exchange.head.content_length, exchange.body_limit()
        assert self._reader is not None
        self._reader.max_body_size = limit
        if length is not None and length > limit:
            raise BodyTooLarge(f"Content-Length {length} is over the limit of {limit} bytes (max_body_size)")

    def _start_body_timer(self, exchange: ASGIExchange) -> None:
        timeout = self.params.body_timeout if exchange.body_timeout is None else exchange.body_timeout
        if timeout is not None:
            self._body_timer = self._loop.call_later(timeout, self._body_timed_out, timeout)

    def _stop_body_timer(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _body_timed_out(self, timeout: float) -> None:
        text = "Timeout reading body from %s: not complete within body_timeout (%g s)"
        _log_limit.log("body", logging.INFO, text, self.context, timeout)
        self.disconnected()

    # -- called by the exchange and its input --

    def resumed(self, exchange: ASGIExchange) -> None:
        """Continue after the awaitable of the delegate is done."""
        if not exchange.read_done:  # otherwise it was that of a handler that finishes its response later
            self._pump(exchange)
        if not self.is_input_paused():
            self.continue_input()

    def body_read(self, exchange: ASGIExchange) -> None:
        """Process the end of the body."""
        self._stop_body_timer()

    def head_received(self, exchange: ASGIExchange, head: Any) -> None:
        """Do nothing: the head is known before the exchange is created."""

    def failed(self, exchange: ASGIExchange, error: BaseException) -> None:
        """Process an error in the request or an exception in the program.

        :param error: an `.HTTPInputError` contains the status of the response. Any other exception is logged,
            and the response has the status 500. No response is sent if one has begun.
        """
        under_way = exchange.state is _OPEN
        if isinstance(error, HTTPInputError) and under_way:
            self._reject(exchange, error)
            return
        begun = exchange.head_sent or isinstance(error, HTTPOutputError)
        if not isinstance(error, asyncio.CancelledError):
            app_log.error(
                "Uncaught exception while serving %s: %s %s",
                self.context,
                exchange.head.method,
                escape_controls(exchange.head.target),
                exc_info=error,
            )
            if under_way and not begun:
                self._error_code = 500
        if under_way:
            exchange.end(_LOST)
        self.continue_input()

    def _reject(self, exchange: ASGIExchange, error: HTTPInputError) -> None:
        """Respond to a malformed or oversized request, unless a response has begun."""
        self._log_rejected(error)
        respond = exchange.on_body_too_large
        if isinstance(error, BodyTooLarge) and respond is not None and not exchange.head_sent:
            exchange.on_body_too_large = None
            exchange.input.stop()
            assert exchange.run_context is not None
            try:
                exchange.run_context.run(respond)
            except (Exception, asyncio.CancelledError) as fault:
                self.failed(exchange, fault)
            return
        if not exchange.head_sent:
            self._error_code = error.status_code
        exchange.end(_LOST)

    # -- error responses --

    def _log_rejected(self, error: HTTPInputError) -> None:
        kind = "Unsatisfiable read, oversized" if isinstance(error, BodyTooLarge) else "Malformed HTTP"
        _log_limit.log(kind, logging.INFO, f"{kind} message from %s: %s", self.context, error)

    async def _send_error(self, code: int, is_head: bool) -> None:
        """Send a short response without the application."""
        body = f"{code} {responses.get(code, 'Bad Request')}\n".encode()
        fields = [
            (b"content-type", b"text/plain; charset=UTF-8"),
            (b"content-length", b"%d" % len(body)),
        ]
        if str(self.scope.get("http_version", "1.1")).startswith("1"):
            fields.append((b"connection", b"close"))
        try:
            for event in self.error_events(code, fields, b"" if is_head else body):
                await self._send(event)
        except OSError:
            return  # the client has disconnected

    def error_events(self, code: int, fields: list[tuple[bytes, bytes]], body: bytes) -> list[Event]:
        """Return the events of an error response."""
        return [
            {"type": "http.response.start", "status": code, "headers": fields},
            {"type": "http.response.body", "body": body},
        ]


__all__ = ["ASGIRequest"]
