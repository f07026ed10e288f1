"""One exchange: a request and its response, on the server or on the client side.

A handler uses the exchange as ``request.connection``. The output half frames the body: by its length, in
chunks, or by closing the connection. The input half passes body events from the reader to the delegate, and
waits when the delegate returns an awaitable.

The driver of an exchange feeds the reader, and handles errors and the end of the exchange. On the server side
it is the `HTTP1ServerConnection`, on the client side a `ResponseReader`.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import re
from collections.abc import Awaitable, Callable, Iterator
from operator import attrgetter
from types import MethodType
from typing import Any, Protocol

from tornado._tasks import done_future, run_eagerly
from tornado._wire import h1
from tornado._wire.errors import HTTPOutputError
from tornado.concurrent import Future
from tornado.gen import convert_yielded
from tornado.http1connection import _timeouts
from tornado.http1connection._client import ResponseReader
from tornado.http1connection._detached import DetachedConnection
from tornado.http1connection._parameters import DIGITS, HTTP1ConnectionParameters
from tornado.http1connection._request_task import RequestTask
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import BaseIOStream, IOStream, StreamClosedError
from tornado.iostream._file_segment import FileSegment
from tornado.log import app_log

#: The number of pending bytes above which output is sent immediately instead of at the end of the current
#: callback.
COLLECT_LIMIT = 65536
#: The maximum and minimum number of bytes that one exchange may write in one event loop iteration, and the
#: total number of bytes that is divided among the connections of a server, within these bounds.
FAIR_SHARE = 256 * 1024
_MIN_SHARE = 64 * 1024
_TOTAL_SHARE = 4 * 1024 * 1024

_STREAM_WRITE = BaseIOStream.write
_OK_LINE = h1.status_line("HTTP/1.1", 200, "OK")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_framing_fields = re.compile(rb"(?im)^(?:content-length|transfer-encoding):[^\n]*\n")
_find_control = re.compile(rb"[\x00-\x1f\x7f]").search


class ExchangeDriver(Protocol):
    """The interface through which an exchange calls its driver."""

    params: HTTP1ConnectionParameters

    @property
    def context(self) -> Any: ...
    def head_received(self, exchange: HTTP1Connection, head: Any) -> None: ...
    def resumed(self, exchange: HTTP1Connection) -> None: ...
    def exchange_finished(self, exchange: HTTP1Connection) -> None: ...
    def body_read(self, exchange: HTTP1Connection) -> None: ...
    def failed(self, exchange: HTTP1Connection, error: BaseException) -> None: ...
    def detached(self, exchange: HTTP1Connection) -> None: ...


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
        if exchange._origin is None:
            raise AttributeError(f"{type(exchange).__name__!r} object has no attribute {self._name!r}")
        return self._get(exchange._origin)


class HTTP1Connection(HTTPConnection):
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
    is_client: bool = False
    # These attributes are looked up when they are read: a server creates an exchange for each request, and
    # few programs read them.
    context: Any = _ConnectionAttribute("context")
    params: HTTP1ConnectionParameters = _ConnectionAttribute("params")  # type: ignore[assignment]
    #: The server's limits in bytes; None for no limit. A handler may assign other values.
    max_form_size: int | None = _ConnectionAttribute("params.protection.max_form_size")  # type: ignore[assignment]
    max_json_size: int | None = _ConnectionAttribute("params.protection.max_json_size")  # type: ignore[assignment]
    #: Whether the connection closes after this exchange. Programs may set it.
    no_keep_alive: bool = False

    _driver: ExchangeDriver | None = None  # None after the end of the exchange
    _fault: HTTPInputError | None = None  # the error in the server's message, on the client side
    # The driver of a server's exchange. Unlike `_driver`, it remains set after the end of the exchange,
    # because programs may read `context` later.
    _origin: ExchangeDriver | None = None
    _head: h1.RequestHead | None = None
    _reader: h1.Reader | None = None
    _message: HTTPMessageDelegate | None = None
    _run_context: contextvars.Context | None = None
    _pieces: Iterator[bytes] | None = None
    _waiting: Future[Any] | None = None
    _read_done = False
    _head_sent = False
    _write_done = False
    _chunking = False
    _left: int | None = None
    _bodiless = 0  # the status code of the last head if it was 204 or 1xx, otherwise 0
    _close_after = False
    _detached = False
    _body_begun = False
    _written_since_yield = 0
    _send_failed = False
    _output_pending = False
    _close_callback: Callable[[], None] | None = None
    _max_body_size: int | None = None
    _body_timeout: float | None = None
    _on_body_too_large: Callable[[], None] | None = (
        None  # the handler's own response to a body over the limit
    )
    _half_close_disconnects = False  # whether a half-close by the peer counts as a disconnect
    _request_method = "GET"
    _task: asyncio.Task[Any] | None = None
    #: The Task in which the delegate is called; None if the server's `start_request` is not overridden.
    request_task: RequestTask | None = None

    def __init__(
        self,
        stream: IOStream,
        is_client: bool,
        params: HTTP1ConnectionParameters | None = None,
        context: object | None = None,
    ) -> None:
        self.stream = stream
        self.is_client = is_client
        self.params = params if params is not None else HTTP1ConnectionParameters()
        self.context = context
        self.no_keep_alive = self.params.no_keep_alive

    # -- settings of the current message --

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Call `callback` once if the peer disconnects before the end of the exchange.

        A half-close cannot be distinguished from a disconnect: the callback runs in both cases, and the
        response may still be written.
        """
        self._close_callback = callback

    def set_body_timeout(self, timeout: float) -> None:
        """Limit the time for receiving this message's body.

        :param timeout: the time in seconds; overrides ``body_timeout`` of the parameters.
        """
        self._body_timeout = timeout

    def set_max_body_size(self, max_body_size: int) -> None:
        """Limit the size of this message's body.

        :param max_body_size: the size in bytes; overrides ``max_body_size`` of the parameters.
        """
        self._max_body_size = max_body_size
        if self._reader is not None:
            self._reader.max_body_size = max_body_size

    def _disable_body_limit(self) -> int:
        """Disable the limit on this message's body, because the caller enforces it from now on.

        :returns: the limit in bytes.
        """
        limit = self._max_body_size
        if limit is None:
            limit = self.params.max_body_size
        self.set_max_body_size(2**63 - 1)
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
        driver = self._origin if self._driver is None and not self._detached else self._driver
        if driver is not None:
            driver.detached(self)
        self._detached = True
        self._close_callback = None
        self.stream = None  # type: ignore[assignment]
        return stream

    def _detached_connection(self) -> DetachedConnection:
        """Return a smaller ``request.connection`` for the request of this detached exchange."""
        return DetachedConnection(self._origin, self.__dict__.get("context"))

    @property
    def head_sent(self) -> bool:
        """Whether the head of this message has been sent and can no longer be replaced."""
        return self._head_sent

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
        return self._write_response_head(code, reason, block, length, framed, chunk, connection_header)

    def _write_response_head(
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
        if self._driver is None:
            return self._failed_write()
        head = self._head
        assert head is not None
        version_11 = head.version == "HTTP/1.1"
        is_head = head.method == "HEAD"
        if head.method == "CONNECT" and 200 <= code < 300:
            return self._open_tunnel(code, reason, block, chunk, connection_header)
        # The status line is created first, because an invalid status line raises an exception. Nothing has
        # been changed yet, so the caller can then send another head.
        line = h1.status_line("HTTP/1.1", code, reason)
        if self._bodiless:  # the previous head was an interim response
            self._left, self._bodiless = None, 0
        if code < 200 or code == 204:
            block, length = self._begin_bodiless(code, block), None
        elif is_head or code == 304:
            self._left = 0
        elif length is not None:
            self._left = length
        if not framed and code not in (204, 304) and code >= 200:
            if version_11:
                block += b"Transfer-Encoding: chunked\r\n"
                self._chunking = not is_head
            elif not is_head:
                self._close_after = True  # HTTP/1.0: closing the connection marks the end of the body
        if code != 101:
            if not head.keep_alive or self.no_keep_alive:
                self._close_after = True
            elif not self._read_done and length is not None and self._left == len(chunk or b""):
                # The response is complete before the request is, so the rest of the request is not read.
                self._close_after = True
            block += self._connection_field(connection_header)
        self._head_sent = True
        data = line + block + b"\r\n"
        if chunk:
            data += self._frame(chunk)
        return self._transmit(data)

    def _begin_bodiless(self, code: int, block: bytes) -> bytes:
        """Prepare for a response without a body (1xx or 204; RFC 9110 sections 15.2 and 15.3.5).

        :returns: the header fields without Content-Length and Transfer-Encoding, which such a response must
            not have (RFC 9110 section 8.6, RFC 9112 section 6.1). A client that relied on them would read the
            next response as a body.
        """
        self._bodiless = code
        if code == 101:
            return block  # data of another protocol follows
        self._left = 0
        return _framing_fields.sub(b"", block)

    def _connection_field(self, connection_header: str | None) -> bytes:
        """Return the Connection field line; empty if it equals the default of the protocol version."""
        assert self._head is not None
        version_11 = self._head.version == "HTTP/1.1"
        if connection_header is not None:
            if "close" in [option.strip() for option in connection_header.lower().split(",")]:
                self._close_after = True
            elif self._close_after:
                connection_header = "close"
            return f"Connection: {connection_header}\r\n".encode("latin-1")
        if self._close_after:
            return b"Connection: close\r\n" if version_11 else b""
        return b"" if version_11 else b"Connection: Keep-Alive\r\n"

    def _open_tunnel(
        self, code: int, reason: str, block: bytes, chunk: bytes | None, connection_header: str | None
    ) -> Future[None]:
        """Send a successful response to CONNECT. It has no framing fields, and the connection carries no
        further messages (RFC 9110 section 9.3.6).
        """
        line = h1.status_line("HTTP/1.1", code, reason)
        self._head_sent = self._close_after = True
        block = _framing_fields.sub(b"", block)
        if connection_header is not None:
            block += f"Connection: {connection_header}\r\n".encode("latin-1")
        return self._transmit(line + block + b"\r\n" + (chunk or b""))

    def _respond(self, code: int, reason: str, block: bytes, tail: bytes, body: bytes) -> None:
        """Send a complete response and end the exchange.

        This is the fast path for `write_headers` followed by `finish`. It may be used only if neither of them
        nor the stream's ``write`` is overridden, and not for a HEAD request.

        :param block: serialized header fields.
        :param tail: more header fields, including Content-Length, and the empty line.
        """
        driver, head, stream = self._driver, self._head, self.stream
        if driver is None or head is None or stream._closed:
            self._send_failed = True
            self.finish()
            return
        if not head.keep_alive or not self._read_done or self.no_keep_alive:
            self._close_after = True
            if head.version == "HTTP/1.1":
                block += b"Connection: close\r\n"
        elif head.version != "HTTP/1.1":
            block += b"Connection: Keep-Alive\r\n"
        line = _OK_LINE if code == 200 and reason == "OK" else h1.status_line("HTTP/1.1", code, reason)
        self._head_sent = self._write_done = True
        self._output_pending = not stream._send(b"".join((line, block, tail, body)))
        self._close_callback = None
        driver.exchange_finished(self)

    def _response_future(self) -> Future[None]:
        """Return the Future that `write_headers` would have returned for the response sent by `_respond`."""
        stream = self.stream
        if self._send_failed:
            return self._failed_write()
        return (
            stream.write(b"") if self._output_pending and not stream.closed() else done_future(stream._loop)
        )

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
        self._request_method = method
        if length is not None:
            self._left = length
        elif not framed and method in _METHODS_WITH_BODY:
            block += b"Transfer-Encoding: chunked\r\n"
            self._chunking = True
        self._head_sent = True
        data = line + block + b"\r\n"
        if chunk:
            data += self._frame(chunk)
        return self._transmit(data)

    def write(self, chunk: bytes) -> Future[None]:
        """Send a part of the body after `write_headers`, or a complete serialized message.

        :raises .HTTPOutputError: if the body becomes longer than its Content-Length.
        :returns: a Future that is done when the bytes have been passed to the operating system.
        """
        if self._driver is None and not self.is_client:
            return self._failed_write()
        return self._transmit(self._frame(chunk))

    def finish(self) -> None:
        """End the message.

        :raises .HTTPOutputError: if less was written than the Content-Length.
        """
        if 0 < self._bodiless < 200:
            self._end_informational()
            return
        if self._left and self._stream_is_open():
            missing = self._left
            self.stream.close()
            raise HTTPOutputError(f"Tried to write {missing} bytes less than Content-Length")
        if self._chunking and self._stream_is_open():
            _ = self._transmit(h1.LAST_CHUNK)
        self._write_done = True
        self._clear_close_callback()
        driver = self._driver
        if driver is not None and not self.is_client:
            driver.exchange_finished(self)

    def _end_informational(self) -> None:
        """End the exchange after a 1xx head. No final response follows, so the connection is closed, too.

        After 101 the caller may still `detach` the stream during this event loop iteration.
        """
        self._close_after = self._write_done = True
        self._clear_close_callback()
        if self._bodiless != 101:
            self._end_upgrade()
        elif self.stream is not None:
            self.stream.io_loop.asyncio_loop.call_soon(self._end_upgrade)

    def _end_upgrade(self) -> None:
        driver = self._driver
        if driver is not None and not self.is_client:
            driver.exchange_finished(self)

    def _clear_close_callback(self) -> None:
        if not self.is_client:
            self._close_callback = None

    def _stream_is_open(self) -> bool:
        return self.stream is not None and not self.stream.closed()

    def _frame(self, chunk: bytes) -> bytes:
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                if self._bodiless:
                    return self._discard(chunk)
                self.stream.close()
                raise HTTPOutputError("Tried to write more data than Content-Length")
        if self._chunking and chunk:
            return h1.serialize_chunk(chunk)
        return chunk

    def _discard(self, chunk: bytes) -> bytes:
        """Discard a part of a body that the client would read as the beginning of the next response.

        Upstream sends such a body. Here a warning is logged, and a program that writes a body after a 204
        continues to work.
        """
        self._left = 0
        app_log.warning(
            "Discarded %d bytes written after a %d response, which has no body: use another status code",
            len(chunk),
            self._bodiless,
        )
        return b""

    def _transmit(self, data: bytes) -> Future[None]:
        stream = self.stream
        if stream is None:
            return self._failed_write()  # type: ignore[unreachable]  # after detach()
        write: Any = stream.write
        if type(write) is not MethodType or write.__func__ is not _STREAM_WRITE:
            return stream.write(data)  # a program overrides this method to process all output
        if stream.closed():
            return self._failed_write()
        if not stream._send(data):
            return stream.write(b"")
        if stream._pending_output > COLLECT_LIMIT:
            stream._flush_now()
            if stream._pending_output:
                return stream.write(b"")
        self._written_since_yield += len(data)
        if self._written_since_yield > _MIN_SHARE and self._written_since_yield > self._fair_share():
            self._written_since_yield = 0
            return self._wait_for_share()
        return done_future(stream.io_loop.asyncio_loop)

    def _fair_share(self) -> int:
        """Return how many bytes this exchange may write per event loop iteration."""
        return min(FAIR_SHARE, _TOTAL_SHARE // max(1, len(self.params._deadlines.connections)))

    def _write_file(self, piece: FileSegment) -> Future[None]:
        """Send a segment of a file as a part of the body, which must have a Content-Length.

        The segment is closed when it has been sent or cannot be sent. The connection is closed if the peer
        receives nothing for the time that a connection may be idle (``idle_connection_timeout``).

        :raises .HTTPOutputError: if the body becomes longer than its Content-Length.
        :returns: a Future that is done when the whole segment has been passed to the operating system.
        """
        driver: Any = self._driver
        if driver is None or self.stream is None or self.stream.closed():
            piece.close()
            return self._failed_write()
        if self._left is None or piece.size > self._left:
            piece.close()
            self.stream.close()
            raise HTTPOutputError("Tried to write more data than Content-Length")
        self._left -= piece.size
        _timeouts.set_idle_deadline(driver)
        return self.stream._send_file(piece)

    def _send_now(self, written: Future[None]) -> Future[None]:
        """Send the output collected by the current callback immediately.

        :param written: the Future that the last write returned.
        :returns: a Future that is done when the bytes have been passed to the operating system.
        """
        stream = self.stream
        if (
            stream is not None
            and written.done()
            and (type(m := stream.write) is MethodType and m.__func__ is _STREAM_WRITE)
        ):
            stream._flush_now()
            if stream._pending_output:
                return stream.write(b"")
        return written

    def _wait_for_share(self) -> Future[None]:
        loop = self.stream.io_loop.asyncio_loop
        future: Future[None] = loop.create_future()
        self.params._waiting_writers.add(future, loop)
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
        if self._run_context is None:
            self._run_context = contextvars.copy_context()
        task = self.request_task = RequestTask(self.stream.io_loop.asyncio_loop)
        return task

    def read_response(self, delegate: HTTPMessageDelegate) -> Awaitable[bool]:
        """Read one message and pass it to `delegate`.

        Malformed input is logged, and ``on_connection_close`` of the delegate is called.

        :returns: a Future whose result is True if the connection can be used for another exchange, and False
            if it was closed, failed, or was detached.
        """
        return ResponseReader(self, delegate).done

    def _deliver(self, call: Callable[..., Any], *args: Any) -> None:
        """Call a method of the delegate in the request's context; wait if it returns an awaitable."""
        context, request_task = self._run_context, self.request_task
        if request_task is not None:
            args, call = (call, *args), request_task.call
        result = call(*args) if context is None else context.run(call, *args)
        if result is not None:
            self._wait_for(result)

    def _wait_for(self, result: Any) -> None:
        """Pause reading until the awaitable `result` is done."""
        if asyncio.iscoroutine(result):
            loop, request_task = asyncio.get_running_loop(), self.request_task
            start = run_eagerly if request_task is None else functools.partial(request_task.call, run_eagerly)
            future: Future[Any] = start(loop, result, self._run_context or contextvars.copy_context())
        else:
            future = convert_yielded(result)
        if future.done():
            future.result()
        else:
            self._waiting = future
            future.add_done_callback(self._resume)

    def _resume(self, future: Future[Any]) -> None:
        self._waiting = None
        driver = self._driver
        if driver is None or self._detached:
            if not future.cancelled():
                future.exception()  # marks it as retrieved: the exchange has ended for another reason
            return
        try:
            future.result()
        except (Exception, asyncio.CancelledError) as error:
            driver.failed(self, error)
        else:
            driver.resumed(self)

    def _pump(self) -> None:
        """Pass body events to the delegate until more data is needed or the delegate returns an awaitable."""
        reader, message = self._reader, self._message
        assert reader is not None
        assert message is not None
        while self._waiting is None and not self._detached and self._driver is not None:
            pieces = self._pieces
            if pieces is not None:
                piece = next(pieces, None)
                if piece is None:
                    self._pieces = None
                else:
                    self._deliver(message.data_received, piece)
                continue
            event = reader.next_event()
            if event is None:
                return
            if type(event) is bytes:
                if self._write_done and not self.is_client:
                    continue  # the response is finished, so the rest of the body is discarded
                if len(event) <= self.params.chunk_size:
                    self._deliver(message.data_received, event)
                else:
                    self._pieces = _split(event, self.params.chunk_size)
            elif type(event) is h1.EndOfMessage:
                self._end_of_body()
                return
            else:
                assert self._driver is not None
                self._driver.head_received(self, event)
                if self._read_done:
                    return

    def _take_pieces(self) -> bytes:
        """Remove and return the data that was read but not passed to the delegate."""
        pieces, self._pieces = self._pieces, None
        return b"" if pieces is None else b"".join(pieces)

    def _end_of_body(self) -> None:
        self._read_done = True
        message = self._message
        assert message is not None
        assert self._driver is not None
        if self.is_client or not self._write_done:
            try:
                self._deliver(message.finish)
            except Exception:
                self._read_done = False  # so that the delegate's on_connection_close() is called
                raise
        if self._driver is not None:
            self._driver.body_read(self)

    def _notify_disconnect(self) -> None:
        """Call the close callback and, if the message is incomplete, ``on_connection_close`` of the delegate.

        Each of them is called only once. This method is called after a half-close by the peer, and when the
        stream is closed.
        """
        callback, self._close_callback = self._close_callback, None
        message, self._message = self._message, None
        # A copy, because a context cannot be entered twice, and the handler that runs in this context may
        # have closed the stream.
        context = contextvars.copy_context() if self._run_context is None else self._run_context.copy()
        calls = [] if callback is None else [callback]
        if message is not None and not self._read_done:
            self._read_done = True
            calls.append(message.on_connection_close)
        for call in calls:
            run_guarded(context.run, call)

    def discard_body(self) -> None:
        """Call ``on_connection_close`` of the delegate, because the response ended before the request."""
        if self._message is not None:
            run_guarded(self._message.on_connection_close)


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


def _split(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))
