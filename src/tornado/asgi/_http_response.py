"""The response of an ASGI application: checks the order of its messages and writes them to a connection.

The head is sent with the first part of the body, because the application may still replace it with an error
response before that (ASGI specification, "Response Start"). A response with one part is sent at once, with a
Content-Length if the application has not set one.

======================================  ======================================================================
message                                 states in which it is accepted
======================================  ======================================================================
``http.response.start``                 WAITING
``http.response.early_hint``            WAITING, STARTED
``http.response.body``                  STARTED, SENDING
``http.response.pathsend``              STARTED
``http.response.trailers``              TRAILERS
======================================  ======================================================================
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from typing import Any

from tornado._gateway_observation import ObservedRequest
from tornado._original_methods import OriginalMethods
from tornado._wire.state_machine import State, permit
from tornado.asgi._http_head import ResponseHead, make_head, serialize_fields
from tornado.concurrent import Future
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPOutputError, ResponseStartLine, responses
from tornado.httputil._server_exchange import ServerExchange
from tornado.iostream import BaseIOStream, StreamClosedError
from tornado.iostream._file_segment import O_BINARY, FileSegment


class ResponseState(State):
    """The state of a response."""

    #: The application has not sent ``http.response.start``.
    WAITING = 1
    #: The head is known, but has not been sent.
    STARTED = 2
    #: The head has been sent, and the body follows.
    SENDING = 3
    #: The body is complete, and trailers follow.
    TRAILERS = 4
    #: The response is complete.
    COMPLETE = 5
    #: The client has disconnected, or the response was ended before it was complete.
    ABORTED = 6


_WAITING, _STARTED, _SENDING, _TRAILERS, _COMPLETE, _ABORTED = ResponseState

#: The states that may follow each state.
TRANSITIONS = {
    _WAITING: (_STARTED, _COMPLETE, _ABORTED),
    _STARTED: (_SENDING, _COMPLETE, _ABORTED),
    _SENDING: (_TRAILERS, _COMPLETE, _ABORTED),
    _TRAILERS: (_COMPLETE, _ABORTED),
    _COMPLETE: (),
    _ABORTED: (_ABORTED,),
}
permit(TRANSITIONS)

#: The methods that the fast path bypasses.
_FAST_STEPS = OriginalMethods(HTTP1Connection, "write_headers", "finish")
_STREAM_WRITE = OriginalMethods(BaseIOStream, "write")
_NO_FIELDS: tuple[Any, ...] = ()
_BODILESS = (204, 304)


class HTTPResponse:
    """One response on a connection.

    :param connection: the exchange of the request.
    :param head: the head of the request.
    :ivar state: a `ResponseState`.
    :ivar status: the status code; 0 before the response has started.
    :ivar size: the size of a body that was sent at once, in bytes; None if the connection has counted it.
    """

    __slots__ = ("_connection", "_fields", "_request", "_trailer_block", "size", "state", "status")

    def __init__(self, connection: Any, head: Any) -> None:
        self._connection = connection
        self._request = head
        self.state: ResponseState = _WAITING
        self.status = 0
        self.size: int | None = None
        self._fields: Any = _NO_FIELDS
        #: The serialized trailers received so far; None if the response has none.
        self._trailer_block: bytes | None = None

    @property
    def begun(self) -> bool:
        """Whether a part of the response has been sent."""
        return self.state not in (_WAITING, _STARTED)

    def handler_of(self, kind: str) -> Callable[[Any], Future[None] | None]:
        """Return the method for a message whose type is not ``http.response.body``.

        :raises ValueError: if the type is unknown.
        """
        method = _METHODS.get(kind)
        if method is None:
            raise ValueError(f"unknown ASGI message type {kind!r:.100}; expected one of {', '.join(_KNOWN)}")
        found: Callable[[Any], Future[None] | None] = getattr(self, method)
        return found

    def start(self, message: Any) -> None:
        """Accept the status and the header fields.

        :raises RuntimeError: if the response has started already.
        """
        if self.state is not _WAITING:
            self._reject(message)
        status = message["status"]
        if type(status) is not int:
            status = _status_code(status)
        if not 200 <= status <= 999:
            raise ValueError(f"status must be a final status code (200 to 999), got {status!r}")
        self.status = status
        self._fields = message.get("headers", _NO_FIELDS)
        if message.get("trailers"):
            self._trailer_block = b""
        self.state = self.state.to[_STARTED]

    def body(self, message: Any) -> Future[None] | None:
        """Send a part of the body.

        :returns: a Future that is done when more may be sent; None if that is now.
        :raises RuntimeError: if the response has not started, or is complete.
        :raises StreamClosedError: if the client has disconnected.
        """
        state = self.state
        if state is not _STARTED and state is not _SENDING:
            self._reject(message)
        data = message.get("body", b"")
        if type(data) is not bytes:
            data = _as_bytes(data)
        if message.get("more_body", False):
            if state is _SENDING:
                return self._write(data) if data else None
            head = make_head(self._fields)
            self.state = state.to[_SENDING]
            return self._write_head(head, data)
        if state is _STARTED:
            head = make_head(self._fields)
            if self._trailer_block is None:
                self._send_whole(head, data)
                return None
            self.state = state.to[_SENDING]
            _ = self._write_head(head, data)
        elif data:
            _ = self._write(data)
        self._end_body()
        return None

    def _end_body(self) -> None:
        if self._trailer_block is None:
            self.state = self.state.to[_COMPLETE]
            self._connection.finish()
        else:
            self.state = self.state.to[_TRAILERS]

    def _send_whole(self, head: ResponseHead, data: bytes) -> None:
        """Send a response whose body has one part.

        :raises HTTPOutputError: if the body does not have the length that the application has announced. The
            application may then send another response.
        """
        connection, status = self._connection, self.status
        block, length, connection_header = head
        method = self._request.method
        has_body = method != "HEAD" and status not in _BODILESS
        if length is None:
            tail = b"content-length: %d\r\n\r\n" % len(data)
        elif has_body and length != len(data):
            raise HTTPOutputError(
                f"content-length is {length}, but the body of the response has {len(data)} bytes"
            )
        else:
            tail = b"\r\n"
        self._check_connection()
        self.state = self.state.to[_COMPLETE]
        reason = responses.get(status, "Unknown")
        if (
            has_body
            and connection_header is None
            and method != "CONNECT"
            and type(connection) is HTTP1Connection
            and _FAST_STEPS.are_original(HTTP1Connection)
            and _STREAM_WRITE.are_original_on(connection.stream)
        ):
            self.size = len(data)
            connection.send_response(status, reason, block, tail, data)
            return
        if length is None and has_body:
            head = (block + tail[:-2], len(data), connection_header)
        _ = self._write_head(head, data)
        connection.finish()

    def _write_head(self, head: ResponseHead, data: bytes) -> Future[None]:
        """Send the head and the first part of the body."""
        self._check_connection()
        block, length, connection_header = head
        status, connection = self.status, self._connection
        if self._request.method == "HEAD" or status == 304:
            data = b""  # RFC 9110 sections 9.3.2 and 15.4.5
        reason = responses.get(status, "Unknown")
        if isinstance(connection, HTTP1Connection):
            return connection.write_response_head(
                status, reason, block, length, length is not None, data, connection_header
            )
        headers = HTTPHeaders()
        for line in block.decode("latin-1").split("\r\n")[:-1]:
            name, _, value = line.partition(":")
            headers.add(name, value.strip(" \t"))
        return connection.write_headers(  # type: ignore[no-any-return]
            ResponseStartLine("HTTP/1.1", status, reason), headers, data or None
        )

    def _write(self, data: bytes) -> Future[None] | None:
        self._check_connection()
        if self._request.method == "HEAD" or self.status in _BODILESS:
            return _next_iteration()  # a long stream must not block the event loop
        future: Future[None] = self._connection.write(data)
        return future

    def _check_connection(self) -> None:
        """Raise an error if the connection has ended, whose cause may be the client or the server."""
        if getattr(self._connection, "ended", False):
            self.state = self.state.to[_ABORTED] if self.state is not _COMPLETE else _ABORTED
            raise StreamClosedError

    # -- extensions --

    def early_hint(self, message: Any) -> Future[None] | None:
        """Send an informational response with links (RFC 8297), except to clients with HTTP/1.0."""
        if self.state is not _WAITING and self.state is not _STARTED:
            self._reject(message)
        block = serialize_fields([(b"link", link) for link in message.get("links", ())])
        connection = self._connection
        if not block or self._request.version == "HTTP/1.0" or not isinstance(connection, HTTP1Connection):
            return None
        self._check_connection()
        return connection.send_now(
            connection.write_response_head(103, "Early Hints", block, None, False, None)
        )

    def path_send(self, message: Any) -> Future[None] | None:
        """Send a file as the whole body.

        :raises OSError: if the file cannot be opened. The application may then send another body.
        """
        if self.state is not _STARTED:
            self._reject(message)
        path = message["path"]
        fd = os.open(path, os.O_RDONLY | O_BINARY)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"http.response.pathsend: expected the path of a regular file, got {path!r}")
            head = make_head(self._fields)
            block, length, connection_header = head
            if length is None:
                length = status.st_size
                head = (block + b"content-length: %d\r\n" % length, length, connection_header)
            size = min(status.st_size, length)
            self.state = self.state.to[_SENDING]
            _ = self._write_head(head, b"")
            piece = FileSegment(fd, 0, size)
            fd = -1
        finally:
            if fd >= 0:
                os.close(fd)
        if self._request.method == "HEAD" or self.status in _BODILESS or not size:
            piece.close()
            self._end_body()
            return None
        sent: Future[None] = self._connection.write_file(piece)
        if sent.done():
            self._file_sent(sent)  # a callback would be called after `send` has returned
        else:
            sent.add_done_callback(self._file_sent)
        return sent

    def _file_sent(self, sent: Future[None]) -> None:
        if self.state is _SENDING:
            if sent.cancelled() or sent.exception() is not None:
                self.state = self.state.to[_ABORTED]
            else:
                self._end_body()

    def trailers(self, message: Any) -> None:
        """Accept trailers, and complete the response. They are sent if the client accepts them."""
        if self.state is not _TRAILERS:
            self._reject(message)
        block = serialize_fields(message.get("headers", _NO_FIELDS))
        self._trailer_block = (self._trailer_block or b"") + block
        if message.get("more_trailers", False):
            return
        self.state = self.state.to[_COMPLETE]
        connection = self._connection
        if self._trailer_block and isinstance(connection, HTTP1Connection) and self._accepts_trailers():
            connection.set_trailers(self._trailer_block)
        connection.finish()

    def _accepts_trailers(self) -> bool:
        codings = self._request.headers.get("TE", "")
        return any(each.partition(";")[0].strip().lower() == "trailers" for each in codings.split(","))

    # -- errors --

    def send_error(self, status: int, text: str, observed: ObservedRequest | None = None) -> None:
        """Send an error response, if no response has begun and the client is connected.

        :param observed: the observation of the request, which may add a field.
        """
        self.state, self.status = _STARTED, status
        self._trailer_block = None
        fields = [(b"content-type", b"text/plain; charset=utf-8")]
        self._fields = fields if observed is None else observed.asgi_fields(fields)
        self.body({"body": text.encode()})

    def abort(self) -> None:
        """End an incomplete response so that the client does not mistake it for a complete one: pending
        output is sent, then the connection is closed (RFC 9112 section 8).
        """
        self.state = self.state.to[_ABORTED]
        connection = self._connection
        if isinstance(connection, ServerExchange):
            if connection.ended:
                return
            connection.truncate_body()
        connection.finish()

    def disconnected(self) -> None:
        """Record that the client has disconnected."""
        if self.state is not _COMPLETE:
            self.state = self.state.to[_ABORTED]

    def _reject(self, message: Any) -> None:
        """Raise an error for a message that is not permitted in this state."""
        if self.state is _ABORTED:
            raise StreamClosedError
        expected = _EXPECTED[self.state]
        raise RuntimeError(f"unexpected ASGI message {message['type']!r}, expected {expected}")


_METHODS = {
    "http.response.start": "start",
    "http.response.body": "body",
    "http.response.trailers": "trailers",
    "http.response.pathsend": "path_send",
    "http.response.early_hint": "early_hint",
}
_KNOWN = tuple(_METHODS)
_EXPECTED = {
    _WAITING: "'http.response.start'",
    _STARTED: "'http.response.body'",
    _SENDING: "'http.response.body'",
    _TRAILERS: "'http.response.trailers'",
    _COMPLETE: "no further message: the response is complete",
}


def _status_code(status: Any) -> int:
    """Return a status code that is an `int` of another class, such as `http.HTTPStatus`."""
    if not isinstance(status, int):
        raise TypeError(f"status must be an int, got {type(status).__name__}: {status!r:.100}")
    return int(status)


def _next_iteration() -> Future[None]:
    """Return a Future that is done in the next iteration of the event loop."""
    loop = asyncio.get_running_loop()
    future: Future[None] = loop.create_future()
    loop.call_soon(_complete, future)
    return future


def _complete(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _as_bytes(data: Any) -> bytes:
    if isinstance(data, (bytearray, memoryview, bytes)):
        return bytes(data)
    raise TypeError(f"body must be bytes, got {type(data).__name__}: {data!r:.100}")


__all__ = ["TRANSITIONS", "HTTPResponse", "ResponseState"]
