"""`ASGIExchange`: the ``request.connection`` of a request that an ASGI server has received.

It offers handlers what `.HTTP1Connection` does. Output becomes events in an `EventQueue`, which the driver of
the exchange, an `.ASGIRequest`, passes to the server. Input is delivered by a `.MessageInput`.

Neither the bytes of the connection nor its stream are accessible on an ASGI server. `ASGIExchange.stream` and
`ASGIExchange.detach` raise exceptions that say so.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from tornado._loop.tasks import done_future
from tornado._wire.errors import HTTPOutputError
from tornado._wire.heads import RequestHead
from tornado.asgi._body_reader import BodyReader
from tornado.asgi._event_queue import EventQueue
from tornado.asgi._response_head import ResponseFraming, response_fields
from tornado.asgi._types import Scope
from tornado.concurrent import Future
from tornado.http1connection import HTTP1ConnectionParameters
from tornado.http1connection._exchange import NO_BODY, run_guarded
from tornado.http1connection._message_input import MessageInput
from tornado.http1connection._states import ExchangeState, OutputState
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.httputil._server_exchange import ServerExchange
from tornado.iostream import StreamClosedError
from tornado.iostream._file_segment import READ_SIZE, FileSegment, FileTruncatedError, read_at

_NO_STREAM = (
    "{} is not available under an ASGI server, which gives an application events instead of the bytes of the "
    "connection; serve this handler with tornado.httpserver.HTTPServer"
)
#: The maximum size of a request body in bytes if the adapter has no other limit: that of `.HTTPServer`.
DEFAULT_MAX_BODY_SIZE = 100 * 1024 * 1024


class ASGIExchange(ServerExchange):
    """One request and its response.

    :param driver: the `.ASGIRequest`.
    :param head: the head of the request.
    :param scope: the scope that the ASGI server has passed.
    :ivar scope: the same, for handlers: ``self.request.connection.scope["state"]``.
    """

    #: The prefix of the types of the response's events.
    event_prefix = "http.response"
    is_client = False
    no_keep_alive = False
    message_delegate: HTTPMessageDelegate | None = None
    #: The context in which the delegate is called.
    run_context: contextvars.Context | None = None
    #: The Task that serves the request, if it waits.
    task: asyncio.Task[Any] | None = None
    request_task: None = None
    request_method = "GET"
    close_after = False
    fault: None = None
    max_body_size: int | None = None
    body_timeout: float | None = None
    on_body_too_large: Callable[[], None] | None = None

    def __init__(self, driver: Any, head: RequestHead, scope: Scope) -> None:
        self.driver = driver
        self.head = head
        self.scope = scope
        self.close_callback = None
        self.state: ExchangeState = ExchangeState.OPEN
        self.input: MessageInput = NO_BODY
        self.output = ResponseFraming(head.method == "HEAD")
        protection = driver.params.protection
        #: Limits in bytes; None for no limit. A handler may assign other values.
        self.max_form_size: int | None = protection.max_form_size
        self.max_json_size: int | None = protection.max_json_size
        self._loop = asyncio.get_running_loop()
        self._queue = EventQueue(self._loop, driver.wake)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.name}, {self.input!r}, {self.output!r}>"

    # -- the connection --

    @property
    def stream(self) -> Any:
        """Not available.

        :raises AttributeError: always.
        """
        raise AttributeError(_NO_STREAM.format("request.connection.stream"))

    def detach(self) -> Any:
        """Not available.

        :raises RuntimeError: always.
        """
        raise RuntimeError(_NO_STREAM.format("detach()"))

    @property
    def context(self) -> Any:
        """The client's address and protocol, an `.ASGIContext`."""
        return self.driver.context

    @property
    def params(self) -> HTTP1ConnectionParameters:
        """The limits of the adapter."""
        params: HTTP1ConnectionParameters = self.driver.params
        return params

    @property
    def queue(self) -> EventQueue:
        """The events that the driver passes to the server."""
        return self._queue

    @property
    def is_detached(self) -> bool:
        """Whether a WebSocket has replaced the exchange."""
        return self.state is ExchangeState.DETACHED

    @property
    def ended(self) -> bool:
        """Whether the exchange is over: its writes fail."""
        return self.state is not ExchangeState.OPEN

    def is_closed(self) -> bool:
        """Whether the client has disconnected, or the exchange was closed."""
        return self.state in (ExchangeState.LOST, ExchangeState.DETACHED)

    def close(self) -> None:
        """End the exchange; the ASGI server closes the connection if the response is incomplete."""
        self._queue.clear()
        if self.state is ExchangeState.OPEN:
            self.end(ExchangeState.LOST)

    # -- settings --

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once if the client disconnects before the end of the exchange."""
        self.close_callback = callback

    def set_max_body_size(self, max_body_size: int) -> None:
        """Limit the size of the request's body.

        :param max_body_size: the size in bytes; a larger body is rejected with 413.
        """
        self.max_body_size = max_body_size
        if self.input.reader is not None:
            self.input.reader.max_body_size = max_body_size

    def set_body_timeout(self, timeout: float) -> None:
        """Limit the time for receiving the body.

        :param timeout: the time in seconds.
        """
        self.body_timeout = timeout

    def disable_body_limit(self) -> int:
        """Disable the limit on the body, because the caller enforces it from now on.

        :returns: the limit in bytes.
        """
        limit = self.body_limit()
        self.set_max_body_size(2**63 - 1)
        return limit

    def body_limit(self) -> int:
        """Return the maximum size of the body in bytes."""
        limit = self.params.max_body_size if self.max_body_size is None else self.max_body_size
        return DEFAULT_MAX_BODY_SIZE if limit is None else limit

    # -- input --

    def begin_input(
        self, driver: Any, reader: Any, message: HTTPMessageDelegate | None = None
    ) -> MessageInput:
        """Begin to receive the body from `reader`, in a copy of the current context."""
        self.driver = driver
        if message is not None:
            self.message_delegate = message
        self.run_context = contextvars.copy_context()
        self.input = MessageInput(self, reader)  # type: ignore[arg-type]  # it has no stream
        return self.input

    def new_reader(self) -> BodyReader:
        """Return a reader with the limit of this exchange."""
        return BodyReader(self.body_limit())

    @property
    def read_done(self) -> bool:
        """Whether the delegate receives no further part of the request."""
        return self.input.state.ended

    # -- output --

    @property
    def head_sent(self) -> bool:
        """Whether the head of the response can no longer be replaced."""
        return self.output.state is not OutputState.IDLE

    @property
    def write_done(self) -> bool:
        """Whether the response is complete."""
        return self.output.state.ended

    @property
    def unsent_size(self) -> int:
        """The number of bytes that the ASGI server has not accepted."""
        return self._queue.size

    def when_sent(self) -> Future[None]:
        """Return a Future that is done when the ASGI server has accepted all output."""
        return self._queue.when_sent()

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Future[None]:
        """Send the head of the response, and `chunk` as the first part of its body.

        :raises ValueError: if a name or value contains a line break.
        :raises .HTTPOutputError: if `chunk` is longer than a Content-Length in `headers`, or for the status
            101.
        :returns: a Future that is done when the ASGI server has accepted the events.
        """
        assert isinstance(start_line, ResponseStartLine)
        if self.ended or self.write_done:
            return self._failed_write()
        code = start_line.code
        if code < 200:
            return self.put_interim(code, headers)
        fields = response_fields(headers, self.close_after, self._is_http_1())
        self.output.begin(code, headers)
        part = self._counted(chunk) if chunk else b""
        sent = self.put_head(code, fields)
        return self.put_body(part) if part else sent

    def write(self, chunk: bytes) -> Future[None]:
        """Send a part of the body.

        :raises .HTTPOutputError: if the body becomes longer than its Content-Length, or the head has not been
            sent.
        """
        if self.ended:
            return self._failed_write()
        if not self.head_sent:
            raise HTTPOutputError(
                "write() was called before write_headers(): "
                "an ASGI server does not accept serialized messages"
            )
        part = self._counted(chunk)
        return self.put_body(part) if part else self._queue.when_sent()

    def write_file(self, piece: FileSegment) -> Future[None]:
        """Send a segment of a file as a part of the body, and close it.

        :returns: a Future that is done when the ASGI server has accepted the whole segment. It raises
            `.FileTruncatedError` if the file is shorter than the segment.
        """
        return self._loop.create_task(self._send_file(piece))

    async def _send_file(self, piece: FileSegment) -> None:
        position, end = piece.start, piece.start + piece.size
        try:
            while position < end:
                data = read_at(piece.fd, min(READ_SIZE, end - position), position)
                if not data:
                    self.close()
                    raise FileTruncatedError(f"the file ends {end - position} bytes before its segment")
                await self.write(data)
                position += len(data)
        finally:
            piece.close()

    def finish(self) -> None:
        """End the response.

        :raises .HTTPOutputError: if less was written than the Content-Length.
        """
        if self.write_done or self.is_detached:
            return
        if self.state is ExchangeState.OPEN:
            try:
                complete = self.output.finish()
            except HTTPOutputError:
                self.close()
                raise
            if complete:
                self.put_end()
        else:
            self.output.abandon()
        if self.state is ExchangeState.OPEN:
            self.end(ExchangeState.FINISHED)

    def truncate_body(self) -> None:
        """Let `finish` omit the end of the body, so that the server closes the connection."""
        self.output.truncate()

    def _counted(self, chunk: bytes) -> bytes:
        try:
            return self.output.count(chunk)
        except HTTPOutputError:
            self.close()
            raise

    def put_head(self, code: int, fields: list[tuple[bytes, bytes]]) -> Future[None]:
        """Add the event of the head."""
        return self._queue.put({"type": f"{self.event_prefix}.start", "status": code, "headers": fields})

    def put_body(self, part: bytes) -> Future[None]:
        """Add the event of a part of the body."""
        event = {"type": f"{self.event_prefix}.body", "body": bytes(part), "more_body": True}
        return self._queue.put(event, len(part))

    def put_end(self) -> None:
        """Mark the last event of the body as such, or add one."""
        last = self._queue.last()
        if last is not None and last.get("more_body"):
            last["more_body"] = False
        else:
            _ = self._queue.put({"type": f"{self.event_prefix}.body", "body": b"", "more_body": False})

    def put_interim(self, code: int, headers: HTTPHeaders) -> Future[None]:
        """Send early hints, if the server supports them; omit other interim responses."""
        if code == 101:
            raise HTTPOutputError(
                "a response with the status 101 is not possible under an ASGI server: "
                "it accepts WebSockets itself, if it has support for them"
            )
        links = headers.get_list("Link")
        if code == 103 and links and "http.response.early_hint" in (self.scope.get("extensions") or ()):
            event = {"type": "http.response.early_hint", "links": [each.encode("latin-1") for each in links]}
            return self._queue.put(event)
        return done_future(self._loop)

    def _is_http_1(self) -> bool:
        return str(self.scope.get("http_version", "1.1")).startswith("1")

    def _failed_write(self) -> Future[None]:
        future: Future[None] = self._loop.create_future()
        future.set_exception(StreamClosedError())
        future.exception()  # marks it as retrieved: callers may ignore a failed write
        return future

    # -- the end --

    def end(self, state: ExchangeState) -> None:
        """End the exchange; its writes fail from now on.

        If the client has disconnected (LOST), its close callback is called. If the request was not received
        completely, ``on_connection_close`` of the delegate is called, unless the exchange is DETACHED.
        """
        self.state = self.state.to[state]
        callback, self.close_callback = self.close_callback, None
        message, self.message_delegate = self.message_delegate, None
        incomplete = message is not None and not self.read_done
        context = contextvars.copy_context() if self.run_context is None else self.run_context.copy()
        if state is ExchangeState.LOST:
            self._queue.clear()
            if incomplete:
                self.input.abandon()
            if callback is not None:
                run_guarded(context.run, callback)
        if incomplete and message is not None and state is not ExchangeState.DETACHED:
            run_guarded(context.run, message.on_connection_close)
        self.run_context = self.on_body_too_large = None
        if self.input is not NO_BODY:
            self.input.release()
        self.driver.wake()


__all__ = ["DEFAULT_MAX_BODY_SIZE", "ASGIExchange"]
