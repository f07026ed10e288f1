"""One exchange: a request and its response, seen from either side.

This is what a handler knows as ``request.connection``. The output half frames what is written (a length,
chunks, or until close); the input half takes body events from the reader and hands them to the delegate, and
waits when the delegate returns an awaitable. Who feeds the reader, and what happens at the end or on an
error, is the business of the exchange's driver: the server connection, or the reader of a client's response.
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

#: Bytes that may be collected before a write goes out although its callback has not ended.
COLLECT_LIMIT = 65536
#: Bytes one exchange may write without the loop running in between, at most and at least; and between these
#: all of a server's connections together.
FAIR_SHARE = 256 * 1024
_LEAST_SHARE = 64 * 1024
_SHARED = 4 * 1024 * 1024

_STREAM_WRITE = BaseIOStream.write
_OK_LINE = h1.status_line("HTTP/1.1", 200, "OK")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_framing_fields = re.compile(rb"(?im)^(?:content-length|transfer-encoding):[^\n]*\n")
_find_control = re.compile(rb"[\x00-\x1f\x7f]").search


class ExchangeOwner(Protocol):
    """What an exchange needs from whoever runs its connection."""

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
    """An attribute of an exchange that is its connection's while nothing else has been assigned.

    :param path: where the connection has it, such as ``params`` or ``params.protection.max_form_size``.

    It has no ``__set__``, so that an assigned value takes precedence. With ``__getattr__`` in its place, each
    read of any attribute would cost 300 instructions more, twelve times in each request.
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

    Servers make one for each request. A client makes one, calls `write_headers`, `write` and `finish` to send
    its request, and `read_response` to receive the answer.

    :param stream: the `.IOStream` to use; the exchange does not own it on the server's side.
    :param is_client: whether this side sends the request.
    :param params: `HTTP1ConnectionParameters`.
    :param context: anything that says where the stream comes from; read by `.HTTPServerRequest`
        (``remote_ip``, ``protocol``) and shown in log lines.
    """

    stream: IOStream
    is_client: bool = False
    # A server makes an exchange for each request, and few programs read these: looked up when they do.
    context: Any = _ConnectionAttribute("context")
    params: HTTP1ConnectionParameters = _ConnectionAttribute("params")  # type: ignore[assignment]
    #: The server's limits, in bytes; None: no limit. A handler's own may be assigned.
    max_form_size: int | None = _ConnectionAttribute("params.protection.max_form_size")  # type: ignore[assignment]
    max_json_size: int | None = _ConnectionAttribute("params.protection.max_json_size")  # type: ignore[assignment]
    #: Whether the connection closes after this exchange; may be set.
    no_keep_alive: bool = False

    _driver: ExchangeOwner | None = None  # until the exchange is over
    _fault: HTTPInputError | None = None  # of the peer's message, where we are the client
    _origin: ExchangeOwner | None = (
        None  # of a server's exchange, for good: programs ask later where a request came from
    )
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
    _bodiless = 0  # status code of the last head, if it was 204 or 1xx
    _close_after = False
    _detached = False
    _body_begun = False
    _written = 0
    _lost = False
    _waits = False
    _close_callback: Callable[[], None] | None = None
    _max_body_size: int | None = None
    _body_timeout: float | None = None
    _oversized: Callable[[], None] | None = None  # answers a body that is over the limit, in our place
    _ends_at_eof = False  # a peer that closes its sending side counts as gone
    _request_method = "GET"
    _task: asyncio.Task[Any] | None = None
    #: The current Task of what a server calls for this request; None where `start_request` is ours.
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

    # -- settings of the message under way --

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Have `callback` called once if the peer goes away before the exchange is over.

        A peer that closed only its sending side cannot be told from one that is gone; the callback runs, and
        the response may still be written.
        """
        self._close_callback = callback

    def set_body_timeout(self, timeout: float) -> None:
        """Give the body of this message `timeout` seconds; overrides ``body_timeout`` of the parameters."""
        self._body_timeout = timeout

    def set_max_body_size(self, max_body_size: int) -> None:
        """Limit the body of this message to `max_body_size` bytes; overrides the parameter of that name."""
        self._max_body_size = max_body_size
        if self._reader is not None:
            self._reader.max_body_size = max_body_size

    def _take_over_limit(self) -> int:
        """The limit on the body of this message, which from now on is the caller's to keep."""
        limit = self._max_body_size
        if limit is None:
            limit = self.params.max_body_size
        self.set_max_body_size(2**63 - 1)
        return self.stream.max_buffer_size if limit is None else limit

    def detach(self) -> IOStream:
        """Take the stream out of HTTP's hands: nothing more is read or written here, and unread bytes are in
        its buffer.

        To be called while a handler or delegate runs, at any byte of the request. After the response was
        finished it is still possible as long as the connection serves no other request.

        :returns: the stream, in pull mode.
        :raises RuntimeError: if the connection serves another request already.
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
        """What a request that is kept long may have in place of this exchange, which is detached."""
        return DetachedConnection(self._origin, self.__dict__.get("context"))

    @property
    def head_sent(self) -> bool:
        """Whether the head of this message has been sent, so that no other can be."""
        return self._head_sent

    def close(self) -> None:
        """Close the stream; what was not sent yet is lost."""
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

        Framing and connection fields are added where `headers` lack them.

        :raises ValueError: if a name or value holds a line end.
        :raises .HTTPOutputError: if `chunk` is longer than a Content-Length in `headers`.
        :returns: a Future that is done when the bytes have been handed to the operating system.
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
            # It may turn out that the connection closes, whatever the program wishes: the field comes last.
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

        :param connection_header: the value of Connection that the program set.
        """
        if self._driver is None:
            return self._failed_write()
        head = self._head
        assert head is not None
        version_11 = head.version == "HTTP/1.1"
        is_head = head.method == "HEAD"
        if head.method == "CONNECT" and 200 <= code < 300:
            return self._open_tunnel(code, reason, block, chunk, connection_header)
        # First, as it refuses what cannot be sent: the caller may still send another head then.
        line = h1.status_line("HTTP/1.1", code, reason)
        if self._bodiless:  # an interim response came first
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
                self._close_after = True  # HTTP/1.0: the end of the body is the end of the connection
        if code != 101:
            if not head.keep_alive or self.no_keep_alive:
                self._close_after = True
            elif not self._read_done and length is not None and self._left == len(chunk or b""):
                # The response is complete and the request is not: its rest will not be read.
                self._close_after = True
            block += self._connection_field(connection_header)
        self._head_sent = True
        data = line + block + b"\r\n"
        if chunk:
            data += self._frame(chunk)
        return self._transmit(data)

    def _begin_bodiless(self, code: int, block: bytes) -> bytes:
        """Note a head that no body follows, whatever it says (RFC 9110 sections 15.2 and 15.3.5).

        :returns: its fields without a length or coding of the body, which it must not have (sections 8.6 and
            RFC 9112 section 6.1). A client that believed them would take the next response for a body.
        """
        self._bodiless = code
        if code == 101:
            return block  # what follows is of another protocol
        self._left = 0
        return _framing_fields.sub(b"", block)

    def _connection_field(self, connection_header: str | None) -> bytes:
        """The line that says what becomes of the connection, where that is not clear without it."""
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
        """Say yes to CONNECT. From here on there are no messages: no framing, and no request behind this one
        (RFC 9110 section 9.3.6).
        """
        line = h1.status_line("HTTP/1.1", code, reason)
        self._head_sent = self._close_after = True
        block = _framing_fields.sub(b"", block)
        if connection_header is not None:
            block += f"Connection: {connection_header}\r\n".encode("latin-1")
        return self._transmit(line + block + b"\r\n" + (chunk or b""))

    def _respond(self, code: int, reason: str, block: bytes, tail: bytes, body: bytes) -> None:
        """Send a whole response, and end the exchange.

        :param block: ready-made fields.
        :param tail: more of them, the length among them, and the empty line.

        It does at once what `write_headers` and `finish` do one after the other, and may be called only while
        both of them, and the stream's ``write``, are ours, and the request is no HEAD.
        """
        driver, head, stream = self._driver, self._head, self.stream
        if driver is None or head is None or stream._closed:
            self._lost = True
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
        self._waits = not stream._send(b"".join((line, block, tail, body)))
        self._close_callback = None
        driver.exchange_finished(self)

    def _responded(self) -> Future[None]:
        """What `write_headers` would have returned for what `_respond` has sent."""
        stream = self.stream
        if self._lost:
            return self._failed_write()
        return stream.write(b"") if self._waits and not stream.closed() else done_future(stream._loop)

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
        """Send a part of the body; `write_headers` must have been called, or `chunk` be a whole ready-made
        message.

        :raises .HTTPOutputError: if the body grows longer than its Content-Length.
        :returns: a Future that is done when the bytes have been handed to the operating system.
        """
        if self._driver is None and not self.is_client:
            return self._failed_write()
        return self._transmit(self._frame(chunk))

    def finish(self) -> None:
        """End the message.

        :raises .HTTPOutputError: if less was written than the Content-Length announced.
        """
        if 0 < self._bodiless < 200:
            self._end_informational()
            return
        if self._left and self._request_or_response_open():
            missing = self._left
            self.stream.close()
            raise HTTPOutputError(f"Tried to write {missing} bytes less than Content-Length")
        if self._chunking and self._request_or_response_open():
            _ = self._transmit(h1.LAST_CHUNK)
        self._write_done = True
        self._close_callback_done()
        driver = self._driver
        if driver is not None and not self.is_client:
            driver.exchange_finished(self)

    def _end_informational(self) -> None:
        """End the exchange after a 1xx head. No final response follows, so the connection ends too.

        After 101 the caller may still `detach` the stream, as programs do that speak another protocol.
        """
        self._close_after = self._write_done = True
        self._close_callback_done()
        if self._bodiless != 101:
            self._end_upgrade()
        elif self.stream is not None:
            self.stream.io_loop.asyncio_loop.call_soon(self._end_upgrade)

    def _end_upgrade(self) -> None:
        driver = self._driver
        if driver is not None and not self.is_client:
            driver.exchange_finished(self)

    def _close_callback_done(self) -> None:
        if not self.is_client:
            self._close_callback = None

    def _request_or_response_open(self) -> bool:
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
        """Drop a part of a body that the client would take for the beginning of the next response.

        Upstream sends it. Programs that rely on the 204 itself keep working this way, and are told.
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
            return stream.write(data)  # somebody's own write, which must see every byte
        if stream.closed():
            return self._failed_write()
        if not stream._send(data):
            return stream.write(b"")
        if stream._pending_output > COLLECT_LIMIT:
            stream._flush_now()
            if stream._pending_output:
                return stream.write(b"")
        self._written += len(data)
        if self._written > _LEAST_SHARE and self._written > self._fair_share():
            self._written = 0
            return self._yielding()
        return done_future(stream.io_loop.asyncio_loop)

    def _fair_share(self) -> int:
        """What this exchange may write in one turn: less where many do."""
        return min(FAIR_SHARE, _SHARED // max(1, len(self.params._deadlines.connections)))

    def _write_file(self, piece: FileSegment) -> Future[None]:
        """Send a piece of a file as a part of the body, which must have a Content-Length.

        The piece is closed when it was sent, or cannot be sent any more. A peer that takes none of it for as
        long as a connection may be idle is given up.

        :raises .HTTPOutputError: if the body grows longer than its Content-Length.
        :returns: a Future that is done when all of it has been handed to the operating system.
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
        _timeouts.wait_for_peer(driver)
        return self.stream._send_file(piece)

    def _push_out(self, written: Future[None]) -> Future[None]:
        """Send what the current callback has collected at once; `written` is what the last write returned."""
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

    def _yielding(self) -> Future[None]:
        loop = self.stream.io_loop.asyncio_loop
        future: Future[None] = loop.create_future()
        self.params._yields.add(future, loop)
        return future

    def _failed_write(self) -> Future[None]:
        stream = self.stream
        future: Future[None] = Future()
        future.set_exception(StreamClosedError(real_error=None if stream is None else stream.error))
        future.exception()  # whoever does not look at it knew that the peer may go
        return future

    # -- input --

    def begin_task(self) -> RequestTask:
        """Begin the Task of this request, which lasts until the connection forgets the exchange."""
        if self._run_context is None:
            self._run_context = contextvars.copy_context()
        owner = self.request_task = RequestTask(self.stream.io_loop.asyncio_loop)
        return owner

    def read_response(self, delegate: HTTPMessageDelegate) -> Awaitable[bool]:
        """Read one message and hand it to `delegate`.

        :returns: a Future: True if the connection can be used for another exchange, False if it is closed,
            failed, or was detached. Malformed input is logged and told to the delegate by
            ``on_connection_close``.
        """
        return ResponseReader(self, delegate).done

    def _deliver(self, call: Callable[..., Any], *args: Any) -> None:
        """Call the delegate in the request's context; wait if it returns an awaitable."""
        context, owner = self._run_context, self.request_task
        if owner is not None:
            args, call = (call, *args), owner.call
        result = call(*args) if context is None else context.run(call, *args)
        if result is not None:
            self._wait_for(result)

    def _wait_for(self, result: Any) -> None:
        """Read on only when the awaitable `result` is done."""
        if asyncio.iscoroutine(result):
            loop, owner = asyncio.get_running_loop(), self.request_task
            start = run_eagerly if owner is None else functools.partial(owner.call, run_eagerly)
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
                future.exception()  # the exchange has ended in the meantime, and was told why
            return
        try:
            future.result()
        except (Exception, asyncio.CancelledError) as error:
            driver.failed(self, error)
        else:
            driver.resumed(self)

    def _pump(self) -> None:
        """Hand body events to the delegate until more data is needed or the delegate has us wait."""
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
                    continue  # answered already: the rest of the body is nobody's
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
        """What was read for the delegate and has not been handed to it."""
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
                self._read_done = False  # a body that was not what it said: whoever waits is told
                raise
        if self._driver is not None:
            self._driver.body_read(self)

    def _notify_disconnect(self) -> None:
        """Tell once whoever asked that the peer has closed its side or the stream is closed."""
        callback, self._close_callback = self._close_callback, None
        message, self._message = self._message, None
        # A copy, as a handler may be running in the context itself and have closed the stream just now.
        context = contextvars.copy_context() if self._run_context is None else self._run_context.copy()
        calls = [] if callback is None else [callback]
        if message is not None and not self._read_done:
            self._read_done = True
            calls.append(message.on_connection_close)
        for call in calls:
            run_guarded(context.run, call)

    def discard_body(self) -> None:
        """The response was finished before the request was read: tell the delegate that no more comes."""
        if self._message is not None:
            run_guarded(self._message.on_connection_close)


def run_guarded(call: Callable[..., Any], *args: Any) -> None:
    """Call a program's callback at the end of a connection, and log what it raises.

    That may be a `asyncio.CancelledError`, by ``result()`` of a cancelled future. Neither the end of this
    connection nor the others that end with it may depend on it.
    """
    try:
        call(*args)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        app_log.error("Uncaught exception in a close callback", exc_info=True)


def is_transfer_encoding_chunked(headers: HTTPHeaders) -> bool:
    """Whether `headers` say that the body is chunked (RFC 9112 section 6.1).

    :raises .HTTPInputError: for any other transfer coding, or one beside a Content-Length.
    """
    coding = headers.get("Transfer-Encoding")
    if coding is None:
        return False
    if "Content-Length" in headers:
        raise HTTPInputError("Message with both Transfer-Encoding and Content-Length")
    if coding.lower() != "chunked":
        raise HTTPInputError(f"Unsupported Transfer-Encoding {coding!r}")
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
        raise HTTPOutputError(f"Content-Length {text!r} is not a number")
    return int(text)


def _split(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))
