"""One exchange: a request and its response, on the server or on the client side.

A handler uses the exchange as ``request.connection``. Its read side is a `MessageInput`, which passes the
body to the message delegate. Its write side is a `MessageOutput`, which frames the body: by its length, in
chunks, or by closing the connection. The exchange itself sends the framed bytes, and ends.

The driver of an exchange feeds the reader, and handles errors and the end of the exchange. On the server side
it is the `HTTP1ServerConnection`, on the client side a `ResponseReader`.

States (`ExchangeState`): an exchange is OPEN until `HTTP1Connection.end` is called, or until
`HTTP1Connection.send_response` has sent the whole response.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Any

from tornado._loop.tasks import done_future
from tornado._original_methods import OriginalMethods
from tornado._wire import h1
from tornado._wire.errors import HTTPOutputError
from tornado.concurrent import Future
from tornado.http1connection._detached_connection import DetachedConnection
from tornado.http1connection._interfaces import ExchangeDriver
from tornado.http1connection._message_input import MessageInput
from tornado.http1connection._message_output import MessageOutput
from tornado.http1connection._parameters import DIGITS, HTTP1ConnectionParameters
from tornado.http1connection._request_task import RequestTask
from tornado.http1connection._response_reader import ResponseReader
from tornado.http1connection._states import ExchangeState, InputState, OutputState
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.httputil._server_exchange import ServerExchange
from tornado.iostream import BaseIOStream, IOStream, StreamClosedError
from tornado.iostream._file_segment import FileSegment
from tornado.log import app_log

# See `tornado._wire.state_machine` for the reason for these constants.
_DETACHED = ExchangeState.DETACHED
_LOST = ExchangeState.LOST
_IDLE = OutputState.IDLE

#: The number of pending bytes above which output is sent immediately instead of at the end of the current
#: callback.
COLLECT_LIMIT = 65536
#: The maximum and minimum number of bytes that one exchange may write in one event loop iteration, and the
#: total number of bytes that is divided among the connections of a server, within these bounds.
FAIR_SHARE = 256 * 1024
_MIN_SHARE = 64 * 1024
_TOTAL_SHARE = 4 * 1024 * 1024

_STREAM_WRITE = OriginalMethods(BaseIOStream, "write")
_OK_LINE = h1.status_line("HTTP/1.1", 200, "OK")
_UPGRADE_LINE = h1.status_line("HTTP/1.1", 101, "Switching Protocols")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_OPEN, _SWITCHING, _FINISHED = ExchangeState.OPEN, ExchangeState.SWITCHING, ExchangeState.FINISHED
_find_control = re.compile(rb"[\x00-\x1f\x7f]").search


# Most requests have no body, and most responses are sent in one step. Their exchanges share these objects.
#: The read side of an exchange for a request without a body, and the write side before the response begins.
NO_BODY = MessageInput(None, None, InputState.COMPLETE)
NO_OUTPUT = MessageOutput()
_SENT_AT_ONCE = MessageOutput(OutputState.COMPLETE)
_UNSENT = MessageOutput(OutputState.UNSENT)


class _ConnectionAttribute:
    """An attribute of an exchange whose value is the connection's unless another one is assigned.

    It has no ``__set__``, so an assigned value takes precedence. If ``__getattr__`` were used instead, each
    read of any attribute would cost 300 more instructions, twelve times per request.

    :param path: the attribute path on the connection, such as ``params`` or
        ``params.protection.max_form_size``.
    """

    __slots__ = ("_get", "_name")

    def __init__(self, path: str) -> None:
        self._name = path.rpartition(".")[2]
        self._get = attrgetter(path)

    def __get__(self, exchange: Any, owner: type | None = None) -> Any:
        if exchange is None:
            return self
        if exchange.driver is None:
            raise AttributeError(f"{type(exchange).__name__!r} object has no attribute {self._name!r}")
        return self._get(exchange.driver)


class HTTP1Connection(ServerExchange):
    """One HTTP/1.x exchange over a stream.

    A server creates one for each request. A client creates one, calls `write_headers`, `write` and `finish`
    to send its request, and `read_response` to receive the response.

    :param stream: the `.IOStream` to use; on the server side, the exchange does not own it.
    :param is_client: whether this side sends the request.
    :param params: `HTTP1ConnectionParameters`.
    :param context: any object that describes the peer. `.HTTPServerRequest` reads its ``remote_ip`` and
        ``protocol``, and log lines contain it as text.
    """

    stream: IOStream
    # These attributes are looked up when they are read: a server creates an exchange for each request, and
    # few programs read them.
    context: Any = _ConnectionAttribute("context")
    params: HTTP1ConnectionParameters = _ConnectionAttribute("params")  # type: ignore[assignment]
    #: The server's limits in bytes; None for no limit. A handler may assign other values.
    max_form_size: int | None = _ConnectionAttribute("params.protection.max_form_size")  # type: ignore[assignment]
    max_json_size: int | None = _ConnectionAttribute("params.protection.max_json_size")  # type: ignore[assignment]
    #: Whether the connection closes after this exchange. Programs may set it.
    no_keep_alive: bool

    #: The role of this side: a server reads a request and writes the response, and a client does the reverse.
    role: h1.Role = h1.Role.SERVER
    # Most attributes that are assigned for each request have no default in the class: CPython does not
    # specialize an assignment to an attribute of an instance if its class has one of the same name, and an
    # assignment then costs 330 instructions instead of 60.
    state: ExchangeState
    #: The read side and the write side.
    input: MessageInput
    output: MessageOutput
    #: The driver. It remains set after the end of a server's exchange, because programs may read `context`
    #: later.
    driver: Any
    head: h1.RequestHead | None
    message_delegate: HTTPMessageDelegate | None = None
    #: The context in which the delegate is called, if it is not the caller's.
    run_context: contextvars.Context | None
    request_method: str = "GET"
    close_after: bool
    #: On the client side, the error that was found in a malformed message; otherwise None.
    fault: HTTPInputError | None = None
    max_body_size: int | None = None
    body_timeout: float | None = None
    on_body_too_large: Callable[[], None] | None = None  # the handler's own response to a body over the limit
    #: The event stream in the response, which a drain of the server ends.
    drainable: Any = None
    #: The Task that serves the request, if it waits. The event loop itself has only a weak reference to it.
    task: asyncio.Task[Any] | None = None
    #: The Task in which the delegate is called; None if the server's `start_request` is not overridden.
    request_task: RequestTask | None = None

    #: Whether the delegate receives no further part of the message, because it is complete or abandoned.
    read_done: Any = property(attrgetter("input.state.ended"))
    #: Whether the message that this side sends is complete.
    write_done: Any = property(attrgetter("output.state.ended"))
    #: Whether the message is sent in the chunked transfer coding.
    chunking: Any = property(attrgetter("output.chunking"))
    #: How many bytes of the body have not been written; None without a Content-Length.
    remaining_length: Any = property(attrgetter("output.remaining_length"))
    _written_since_yield = 0

    def __init__(
        self,
        stream: IOStream,
        is_client: bool,
        params: HTTP1ConnectionParameters | None = None,
        context: object | None = None,
    ) -> None:
        self.stream = stream
        self.state, self.input, self.output = _OPEN, NO_BODY, NO_OUTPUT
        self.driver = self.head = self.run_context = self.close_callback = None
        self.close_after = False
        self.role = h1.Role.CLIENT if is_client else h1.Role.SERVER
        self.params = params if params is not None else HTTP1ConnectionParameters()
        self.context = context
        self.no_keep_alive = self.params.no_keep_alive

    def begin_input(
        self, driver: ExchangeDriver, reader: h1.Reader, message: HTTPMessageDelegate | None = None
    ) -> MessageInput:
        """Begin to receive a message with `reader`. Pass it to `message` in a copy of the current context.

        :param message: the delegate; None if the application sets `message_delegate`.
        """
        if self.state is not _OPEN:
            self.state = self.state.to[_OPEN]
        self.driver = driver
        if message is not None:
            self.message_delegate = message
        self.run_context = contextvars.copy_context()
        self.input = MessageInput(self, reader)
        return self.input

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.name}, {self.input!r}, {self.output!r}>"

    @property
    def is_client(self) -> bool:
        """Whether this side sends the request."""
        return self.role is h1.Role.CLIENT

    # -- settings of the current message --

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once if the peer disconnects before the end of the exchange.

        A half-close cannot be distinguished from a disconnect: the callback runs in both cases, and the
        response may still be written.
        """
        self.close_callback = callback

    def set_body_timeout(self, timeout: float) -> None:
        """Limit the time for receiving this message's body.

        :param timeout: the time in seconds; overrides ``body_timeout`` of the parameters.
        """
        self.body_timeout = timeout

    def set_max_body_size(self, max_body_size: int) -> None:
        """Limit the size of this message's body.

        :param max_body_size: the size in bytes; overrides ``max_body_size`` of the parameters.
        """
        self.max_body_size = max_body_size
        if self.input.reader is not None:
            self.input.reader.max_body_size = max_body_size

    # The names of these attributes in Tornado, which programs use.
    _body_timeout = property(attrgetter("body_timeout"), set_body_timeout)
    _max_body_size = property(lambda self: self.body_limit(), set_max_body_size)

    def disable_body_limit(self) -> int:
        """Disable the limit on this message's body, because the caller enforces it from now on.

        :returns: the limit in bytes.
        """
        limit = self.body_limit()
        self.set_max_body_size(2**63 - 1)
        return limit

    def body_limit(self) -> int:
        """Return the maximum size of this message's body in bytes."""
        limit = self.max_body_size
        if limit is None:
            driver = self.driver  # reading `self.params` is slow on the server side
            limit = (self.params if driver is None else driver.params).max_body_size
        return self.stream.max_buffer_size if limit is None else limit

    def detach(self) -> IOStream:
        """Release the stream, for example to use another protocol on it.

        The exchange neither reads nor writes afterwards. Unread bytes are in the stream's read buffer. The
        method may be called at any point of the request while a handler or delegate runs, and also after the
        response is finished, until the connection begins the next request.

        :returns: the stream, in pull mode.
        :raises RuntimeError: if the connection is serving another request already.
        """
        stream = self.stream
        if self.state is not _DETACHED:
            if self.driver is not None:
                self.driver.detached(self)
            if not self.is_detached:  # otherwise the driver has ended the exchange
                self.end(_DETACHED)
            self.stream = None  # type: ignore[assignment]
        return stream

    def detached_connection(self) -> DetachedConnection:
        """Return a smaller ``request.connection`` for the request of this detached exchange."""
        result: DetachedConnection = self.driver.detached_connection(self.__dict__.get("context"))
        return result

    @property
    def is_detached(self) -> bool:
        """Whether the stream has another owner."""
        return self.state is _DETACHED

    @property
    def ended(self) -> bool:
        """Whether the exchange has ended, so that its writes fail."""
        return self.state is not _OPEN

    def truncate_body(self) -> None:
        """End the body as it is: `finish` then sends no last chunk, accepts a body shorter than its
        Content-Length, and closes the connection, so that the peer detects that the body is incomplete.
        """
        self._own_output().truncate()
        self.close_after = True

    def set_trailers(self, block: bytes) -> None:
        """Let `finish` send serialized trailer fields, if the body is chunked."""
        self._own_output().set_trailers(block)

    @property
    def head_sent(self) -> bool:
        """Whether the head of this message has been sent and can no longer be replaced."""
        return self.output.state is not _IDLE

    def close(self) -> None:
        """Close the stream; output that has not been sent is lost."""
        if self.stream is not None:
            self.stream.close()

    # -- output --

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Future[None]:
        """Send the head of the message, and `chunk` as the first part of its body.

        Framing and connection fields are added unless `headers` contain them.

        :raises ValueError: if a name or value contains a line break.
        :raises .HTTPOutputError: if `chunk` is longer than a Content-Length in `headers`.
        :returns: a Future that is done when the bytes have been passed to the operating system.
        """
        block = _serialize(headers)
        length = _content_length(headers)
        framed = length is not None or "Transfer-Encoding" in headers
        if self.is_client:
            assert isinstance(start_line, RequestStartLine)
            return self._write_request_head(start_line, block, length, framed, chunk)
        code = start_line.code  # type: ignore[union-attr]
        reason = start_line.reason  # type: ignore[union-attr]
        connection_header = None
        if code != 101 and "Connection" in headers:
            connection_header = headers["Connection"]
            # The Connection field is written last, possibly with another value, because the connection may
            # have to close.
            headers = headers.copy()
            del headers["Connection"]
            block = _serialize(headers)
        return self.write_response_head(code, reason, block, length, framed, chunk, connection_header)

    def write_response_head(
        self,
        code: int,
        reason: str,
        block: bytes,
        length: int | None,
        framed: bool,
        chunk: bytes | None,
        connection_header: str | None = None,
    ) -> Future[None]:
        """Send a response head with serialized fields.

        :param block: the header fields, each with its line end.
        :param length: the value of Content-Length, if set.
        :param framed: whether `block` has a Content-Length or Transfer-Encoding field.
        :param chunk: the first part of the body.
        :param connection_header: the value of the Connection field that the program set.
        """
        if self.state is not _OPEN or self.output.state.ended:  # the latter after 101
            return self._failed_write()
        head = self.head
        assert head is not None
        if head.method == "CONNECT" and 200 <= code < 300:
            return self._open_tunnel(code, reason, block, chunk, connection_header)
        # The status line is created first, because an invalid status line raises an exception. Nothing has
        # been changed yet, so the caller can then send another head.
        line = h1.status_line("HTTP/1.1", code, reason)
        output = self._own_output()
        block, until_close = output.begin_response(head, code, block, length, framed)
        if until_close:
            self.close_after = True
        if code != 101:
            bodiless = code < 200 or code == 204
            complete = length is not None and not bodiless and output.remaining_length == len(chunk or b"")
            # If the response is complete before the request is, the rest of the request is not read.
            if not head.keep_alive or self.no_keep_alive or (complete and not self.read_done):
                self.close_after = True
            block += self._connection_field(connection_header)
        data = line + block + b"\r\n"
        if chunk:
            data += self._frame(chunk)
        return self._transmit(data)

    def _connection_field(self, connection_header: str | None) -> bytes:
        """Return the Connection field line; empty if it equals the default of the protocol version."""
        assert self.head is not None
        version_11 = self.head.version == "HTTP/1.1"
        if connection_header is not None:
            if "close" in [option.strip() for option in connection_header.lower().split(",")]:
                self.close_after = True
            elif self.close_after:
                connection_header = "close"
            return f"Connection: {connection_header}\r\n".encode("latin-1")
        if self.close_after:
            return b"Connection: close\r\n" if version_11 else b""
        return b"" if version_11 else b"Connection: Keep-Alive\r\n"

    def _open_tunnel(
        self, code: int, reason: str, block: bytes, chunk: bytes | None, connection_header: str | None
    ) -> Future[None]:
        """Send a successful response to CONNECT. It has no framing fields, and the connection carries no
        further messages (RFC 9110 section 9.3.6).
        """
        line = h1.status_line("HTTP/1.1", code, reason)
        self.close_after = True
        block = self._own_output().begin_tunnel(block)
        if connection_header is not None:
            block += f"Connection: {connection_header}\r\n".encode("latin-1")
        return self._transmit(line + block + b"\r\n" + (chunk or b""))

    def send_response(self, code: int, reason: str, block: bytes, tail: bytes, body: bytes) -> None:
        """Send a complete response and end the exchange.

        This is the fast path for `write_headers` followed by `finish`. It may be used only if neither of them
        nor the stream's ``write`` is overridden, and not for a HEAD request.

        :param block: serialized header fields.
        :param tail: more header fields, including Content-Length, and the empty line.
        """
        head, stream = self.head, self.stream
        if self.state is not _OPEN or head is None:
            self.output = _UNSENT
            self._end_response()
            return
        message = self.input
        reads = message is not NO_BODY and not message.state.ended
        if reads or not head.keep_alive or self.no_keep_alive:
            self.close_after = True
            if head.version == "HTTP/1.1":
                tail = tail[:-2] + b"Connection: close\r\n\r\n"
        elif head.version != "HTTP/1.1":
            tail = tail[:-2] + b"Connection: Keep-Alive\r\n\r\n"
        line = _OK_LINE if code == 200 and reason == "OK" else h1.status_line("HTTP/1.1", code, reason)
        self.output = _SENT_AT_ONCE
        self.close_callback = None
        stream.send(b"".join((line, block, tail, body)))
        if self.run_context is None and self.message_delegate is None and self.state is _OPEN:
            self.state = _FINISHED  # from OPEN, as in `end`; there is nothing to release
        self.driver.exchange_finished(self)

    def send_upgrade(self, fields: bytes) -> None:
        """Send the head of a 101 response. The caller then detaches the stream.

        This is the fast path of `write_headers`, with the same conditions as `send_response`.

        :param fields: the serialized header fields and the empty line.
        """
        if self.state is _OPEN:
            self.output = _SENT_AT_ONCE
            self.stream.send(_UPGRADE_LINE + fields)

    def response_future(self) -> Future[None]:
        """Return the Future that `write_headers` would have returned, after `send_response`."""
        stream = self.stream
        if self.output is _UNSENT:
            return self._failed_write()
        if stream.unsent_output is not None and not stream.closed():
            return stream.write(b"")
        return done_future(stream.loop)

    def _write_request_head(
        self,
        start_line: RequestStartLine,
        block: bytes,
        length: int | None,
        framed: bool,
        chunk: bytes | None,
    ) -> Future[None]:
        method, path, _ = start_line
        line = f"{method} {path} HTTP/1.1\r\n".encode()
        if not method or not path or line.count(b" ") != 2 or _find_control(line, 0, len(line) - 2):
            raise ValueError(f"Illegal characters in request line: {method!r} {path!r}")
        self.request_method = method
        if self.output.state.ended:  # the second request of this object
            self.output = MessageOutput()
        data = line + self._own_output().begin_request(method, block, length, framed) + b"\r\n"
        if chunk:
            data += self._frame(chunk)
        return self._transmit(data)

    def write(self, chunk: bytes) -> Future[None]:
        """Send a part of the body after `write_headers`, or a complete serialized message.

        :raises .HTTPOutputError: if the body becomes longer than its Content-Length.
        :returns: a Future that is done when the bytes have been passed to the operating system.
        """
        if self.state is not _OPEN and not self.is_client:
            return self._failed_write()
        return self._transmit(self._frame(chunk))

    def finish(self) -> None:
        """End the message.

        :raises .HTTPOutputError: if less was written than the Content-Length.
        """
        output = self._own_output()
        if output.state.ended:
            return
        if output.interim_code:
            self._end_informational(output)
            return
        if not self.is_closed():
            try:
                last = output.last_bytes()
            except HTTPOutputError:
                self.stream.close()
                raise
            if last:
                _ = self._transmit(last)
                if self.write_done:
                    return  # the write failed, and a callback of the program has called this method
        output.end()
        self._end_response()

    def _end_informational(self, output: MessageOutput) -> None:
        """End the exchange after a 1xx head. No final response follows, so the connection is closed, too.

        After 101 the caller may still `detach` the stream during this event loop iteration.
        """
        code = output.interim_code
        self.close_after = True
        output.end()
        if code != 101:
            self._end_response()
        elif self.stream is not None:
            self.close_callback = None
            if self.state is _OPEN:  # otherwise the connection is lost
                self.state = self.state.to[_SWITCHING]
            self.stream.io_loop.asyncio_loop.call_soon(self._end_response)

    def _end_response(self) -> None:
        """Let the driver end the exchange, because the response is complete."""
        if self.role is h1.Role.SERVER:
            self.close_callback = None
            # An exchange without a driver was created by the program, not by a server.
            if (self.state is _OPEN or self.state is _SWITCHING) and self.driver is not None:
                self.driver.exchange_finished(self)

    def _own_output(self) -> MessageOutput:
        output = self.output
        if output is NO_OUTPUT:
            output = self.output = MessageOutput()
        return output

    def is_closed(self) -> bool:
        """Whether nothing can be sent any more, because the stream is closed or has another owner."""
        return self.stream is None or self.stream.closed()

    @property
    def unsent_size(self) -> int:
        """The number of bytes that have not been passed to the operating system."""
        return 0 if self.stream is None else self.stream.pending_output

    def when_sent(self) -> Future[None]:
        """Return a Future that is done when all output has been passed to the operating system."""
        return self._failed_write() if self.is_closed() else self.stream.write(b"")

    def _frame(self, chunk: bytes) -> bytes:
        try:
            return self.output.frame(chunk)
        except HTTPOutputError:
            self.stream.close()
            raise

    def _transmit(self, data: bytes) -> Future[None]:
        stream = self.stream
        if stream is None:
            return self._failed_write()  # type: ignore[unreachable]  # after detach()
        if not _STREAM_WRITE.are_original_on(stream):
            return stream.write(data)  # some programs override this method to process all output
        if stream.closed():
            return self._failed_write()
        if not stream.send(data):
            return stream.write(b"")
        if stream.pending_output > COLLECT_LIMIT:
            stream.flush_output()
            if stream.pending_output:
                return stream.write(b"")
        self._written_since_yield += len(data)
        if self._written_since_yield > _MIN_SHARE and self._written_since_yield > self._fair_share():
            self._written_since_yield = 0
            return self._wait_for_share()
        return done_future(stream.io_loop.asyncio_loop)

    def _fair_share(self) -> int:
        """Return how many bytes this exchange may write per event loop iteration."""
        return min(FAIR_SHARE, _TOTAL_SHARE // max(1, len(self.params.deadlines.watched)))

    def write_file(self, piece: FileSegment) -> Future[None]:
        """Send a segment of a file as a part of the body, which must have a Content-Length.

        The segment is closed when it has been sent or cannot be sent. The connection is closed if the peer
        receives nothing for the time that a connection may be idle (``idle_connection_timeout``).

        :raises .HTTPOutputError: if the body becomes longer than its Content-Length.
        :returns: a Future that is done when the whole segment has been passed to the operating system.
        """
        if self.state is not _OPEN or self.stream is None or self.stream.closed():
            piece.close()
            return self._failed_write()
        try:
            self.output.frame_file(piece.size)
        except HTTPOutputError:
            piece.close()
            self.stream.close()
            raise
        self.driver.await_output()
        return self.stream.send_file(piece)

    def send_now(self, written: Future[None]) -> Future[None]:
        """Send the output collected by the current callback immediately.

        :param written: the Future that the last write returned.
        :returns: a Future that is done when the bytes have been passed to the operating system.
        """
        stream = self.stream
        if stream is not None and written.done() and _STREAM_WRITE.are_original_on(stream):
            stream.flush_output()
            if stream.pending_output:
                return stream.write(b"")
        return written

    def send_continue(self) -> None:
        """Send 100 Continue, unless a response has begun."""
        if not self.head_sent:
            _ = self.send_now(self._transmit(_CONTINUE))

    def _wait_for_share(self) -> Future[None]:
        loop = self.stream.io_loop.asyncio_loop
        future: Future[None] = loop.create_future()
        self.params.waiting_writers.add(future, loop)
        return future

    def _failed_write(self) -> Future[None]:
        stream = self.stream
        future: Future[None] = Future()
        future.set_exception(StreamClosedError(real_error=None if stream is None else stream.error))
        future.exception()  # marks it as retrieved: callers may ignore a failed write
        return future

    # -- input --

    def begin_task(self) -> RequestTask:
        """Create the Task of this request, which ends when the connection releases the exchange."""
        if self.run_context is None:
            self.run_context = contextvars.copy_context()
        task = self.request_task = RequestTask(self.stream.io_loop.asyncio_loop)
        return task

    def read_response(self, delegate: HTTPMessageDelegate) -> Awaitable[bool]:
        """Read one message and pass it to `delegate`.

        Malformed input is logged, and ``on_connection_close`` of the delegate is called.

        :returns: a Future whose result is True if the connection can be used for another exchange, and False
            if it was closed, failed, or was detached.
        """
        return ResponseReader(self, delegate).done

    # -- the end --

    def end(self, state: ExchangeState) -> None:
        """End the exchange; its writes fail from now on.

        If the state is LOST, the close callback is called. If the message was not read completely,
        ``on_connection_close`` of the delegate is called, except if the state is DETACHED.

        :param state: the new state.
        """
        self.state = self.state.to[state]
        if state is not _FINISHED:
            self.task = None
            try:
                if state is _LOST:
                    self.notify_disconnect()
            finally:
                self._release()
            return
        if not self.input.state.ended and self.role is h1.Role.SERVER:
            # The response was sent before the body was received, so do not wait for the rest of the body.
            self.close_after = True
            if self.message_delegate is not None:
                run_guarded(self.message_delegate.on_connection_close)
        if self.run_context is not None or self.message_delegate is not None:
            self._release()

    def _release(self) -> None:
        """Break the reference cycles, so that dropping the last reference frees the exchange."""
        self.close_callback = None
        if self.request_task is not None:
            self.request_task.end()
        self.message_delegate = self.run_context = self.on_body_too_large = None
        if self.input is not NO_BODY:
            self.input.release()

    def notify_disconnect(self) -> None:
        """Call the close callback and, if the message is incomplete, ``on_connection_close`` of the delegate.

        Each of them is called only once. This method is called after a half-close by the peer, and when the
        stream is closed.
        """
        callback, self.close_callback = self.close_callback, None
        message, self.message_delegate = self.message_delegate, None
        # A copy, because a context cannot be entered twice, and the handler that runs in this context may
        # have closed the stream.
        context = contextvars.copy_context() if self.run_context is None else self.run_context.copy()
        calls = [] if callback is None else [callback]
        if message is not None and not self.read_done:
            self.input.abandon()
            calls.append(message.on_connection_close)
        for call in calls:
            run_guarded(context.run, call)


def run_guarded(call: Callable[..., Any], *args: Any) -> None:
    """Call a program's callback at the end of a connection and log an exception that it raises.

    An exception, including the `asyncio.CancelledError` that ``result()`` of a cancelled Future raises, must
    not prevent the cleanup of this connection or of others.
    """
    try:
        call(*args)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        app_log.error("Uncaught exception in a close callback", exc_info=True)


def is_transfer_encoding_chunked(headers: HTTPHeaders) -> bool:
    """Whether the body is chunked according to `headers` (RFC 9112 section 6.1).

    :raises .HTTPInputError: if there is another transfer coding, or a Content-Length as well.
    """
    coding = headers.get("Transfer-Encoding")
    if coding is None:
        return False
    if "Content-Length" in headers:
        raise HTTPInputError("Message with both Transfer-Encoding and Content-Length")
    if coding.lower() != "chunked":
        raise HTTPInputError(f"Unsupported Transfer-Encoding {coding!r}: only 'chunked' is accepted")
    return True


def _serialize(headers: HTTPHeaders) -> bytes:
    if type(headers) is HTTPHeaders:
        return headers._serialize()
    lines = []
    for name, value in headers.get_all():
        if "\n" in name or "\n" in value or "\r" in name or "\r" in value:
            raise ValueError(f"Illegal characters (CR or LF) in header: {name!r}: {value!r}")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")


def _content_length(headers: HTTPHeaders) -> int | None:
    text = headers.get("Content-Length")
    if text is None:
        return None
    if DIGITS.fullmatch(text) is None:
        raise HTTPOutputError(f"Content-Length must be a decimal number, got {text!r}")
    return int(text)
