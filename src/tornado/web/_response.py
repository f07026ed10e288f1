"""The response of a handler: default header fields, ETag, head and body in one send.

Until a handler's header fields are accessed, no mapping exists: the default fields are prepared as bytes,
formatted once a second, and the entity tag, the length and the JSON content type are stored separately. The
first access to ``handler._headers`` creates an `.HTTPHeaders` from all of these; from then on, only this
mapping is used.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from hashlib import sha1 as _hashlib_sha1
from time import time
from types import MethodType
from typing import TYPE_CHECKING, Any

from tornado import httputil
from tornado import version as _version
from tornado._tornado4.deprecation import deprecated
from tornado.concurrent import Future
from tornado.escape import json_encode, utf8
from tornado.http1connection import HTTP1Connection
from tornado.iostream import BaseIOStream
from tornado.util import import_object
from tornado.web import _background_compression
from tornado.web._security_headers import SecurityHeaders

if TYPE_CHECKING:
    from tornado.web._handler import HeaderValue, RequestHandler

try:
    # For a body of a few bytes, this function takes half the time of hashlib.sha1; the digest is the same.
    from _sha1 import sha1  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha1
#: The size in bytes from which hashlib.sha1 is faster, for very large bodies by a factor of seven.
_LARGE_BODY = 4096

SERVER = f"TornadoServer/{_version}"
HTML = "text/html; charset=UTF-8"
JSON = "application/json; charset=UTF-8"

_write_headers = HTTP1Connection.write_headers
_connection_finish = HTTP1Connection.finish
_STREAM_WRITE = BaseIOStream.write
_etags = re.compile(r'\*|(?:W/)?"[^"]*"')
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_REPRESENTATION_FIELDS = ("Content-Encoding", "Content-Language", "Content-Type")

_date = ""
_html_block = b""
_json_block = b""
_html_headers = httputil.HTTPHeaders()
_valid_from = _valid_until = 0.0


def _refresh(now: float) -> None:
    """Format the date of this second, and the header blocks that contain it."""
    global _date, _html_block, _json_block, _html_headers, _valid_from, _valid_until
    _valid_from = float(int(now))
    _valid_until = _valid_from + 1
    _date = httputil.format_timestamp(int(now))
    _html_headers = httputil.HTTPHeaders({"Server": SERVER, "Content-Type": HTML, "Date": _date})
    _html_block = _html_headers._serialize()
    _json_block = httputil.HTTPHeaders({"Server": SERVER, "Content-Type": JSON, "Date": _date})._serialize()


def default_headers() -> httputil.HTTPHeaders:
    """Return a new copy of the default header fields of a response."""
    now = time()
    if now >= _valid_until or now < _valid_until - 1:
        _refresh(now)
    return _html_headers.copy()


def default_block(json: bool) -> bytes:
    """Return the default header fields, serialised; `json` selects the content type."""
    now = time()
    if now >= _valid_until or now < _valid_until - 1:
        _refresh(now)
    return _json_block if json else _html_block


def make_headers(handler: RequestHandler) -> httputil.HTTPHeaders:
    """Create the headers of a handler when they are first accessed."""
    if handler._sent_header_blocks is not None:
        # The access log or `on_finish` reads the headers of a response that the fast path sent.
        block, tail = handler._sent_header_blocks
        return httputil.HTTPHeaders._from_block((block + tail[:-2]).decode("latin-1"))
    headers = default_headers()
    try:
        security: Any = handler.application._security
    except AttributeError:  # a handler created by a test without an `Application`
        security = None
    if isinstance(security, SecurityHeaders):
        headers = security.headers(_html_headers, handler)
    if handler._json:
        headers["Content-Type"] = JSON
    if handler._etag is not None:
        headers["Etag"] = handler._etag
    if handler._length is not None:
        headers["Content-Length"] = str(handler._length)
    return headers


def header_text(value: HeaderValue) -> str:
    """Convert a header value to str.

    :raises TypeError: if `.RequestHandler.set_header` does not accept its type.
    :raises ValueError: if it contains a control character, or a character outside Latin-1.
    """
    if isinstance(value, str):
        text = value
    elif isinstance(value, bytes):
        text = value.decode("latin-1")
    elif isinstance(value, int):
        return str(value)
    elif isinstance(value, datetime.datetime):
        return httputil.format_timestamp(value)
    else:
        raise TypeError(
            f"a header value must be str, bytes, int or datetime, got {type(value).__name__}: {value!r}"
        )
    found = _UNSENDABLE.search(text)
    if found is None:
        return text
    if found[0] > "\xff":
        raise ValueError(f"header value {text!r} is not Latin-1: encode it first, for example as UTF-8")
    raise ValueError(f"Unsafe header value {text!r}: it contains a control character")


def _uses_default_set_header(handler: RequestHandler) -> bool:
    """Whether ``set_header`` is not overridden, so that a header may be set without calling it."""
    cls = type(handler)
    return cls.set_header is cls._original_set_header


# -- write, flush, finish --


def write(handler: RequestHandler, chunk: Any) -> None:
    """Append a chunk that is not bytes to the output buffer."""
    if isinstance(chunk, dict):
        chunk = json_encode(chunk).encode()
        cls = type(handler)
        if handler._response_headers is None and cls.set_header is cls._original_set_header:
            handler._json = True
        else:
            handler.set_header("Content-Type", JSON)
        handler._write_buffer.append(chunk)
        return
    if not isinstance(chunk, (str, bytes)):
        message = f"write() accepts bytes, str or dict, got {type(chunk).__name__}"
        if isinstance(chunk, list):
            message += (
                ". A list is not written as JSON, because old browsers let other sites read it; "
                "put it in a dict, or write json_encode(value)"
            )
        raise TypeError(message)
    handler._write_buffer.append(utf8(chunk))


class _LengthLines(dict[int, str]):
    """A cache from length to the Content-Length line and the end of the head; formatting takes ten times as
    long as a look-up.
    """

    def __missing__(self, length: int) -> str:
        if len(self) >= 1000:
            self.clear()
        line = self[length] = f"Content-Length: {length}\r\n\r\n"
        return line


class _SmallLengthLines(_LengthLines):
    """A `_LengthLines` for bodies smaller than `_LARGE_BODY`. The look-up itself detects larger bodies, so
    small ones need no comparison, which would take about a hundred instructions.
    """

    def __missing__(self, length: int) -> str:
        if length >= _LARGE_BODY:
            raise KeyError(length)
        return super().__missing__(length)


_length_lines = _LengthLines()
_small_length_lines = _SmallLengthLines()


def overridable_steps(cls: type[RequestHandler]) -> tuple[Any, ...]:
    """Return the methods for finishing a response that a class may override, in the order in which
    `finish_fast` compares them.
    """
    return (
        cls.flush,
        cls.set_header,
        cls.set_etag_header,
        cls.compute_etag,
        cls.check_etag_header,
        cls._log,
    )


#: The `overridable_steps` of `RequestHandler`, set by the module of that class.
DEFAULT_STEPS: tuple[Any, ...] = ()


def finish(handler: RequestHandler) -> Future[None]:
    """Complete the response of a handler after its body has been written."""
    if finish_fast(handler):
        connection: Any = handler.request.connection
        return connection._response_future()  # type: ignore[no-any-return]
    return finish_stepwise(handler)


def finish_fast(handler: RequestHandler, now: float | None = None) -> bool:
    """Send a simple response on the fast path; most responses are simple.

    :param now: the time for the Date field, if the caller knows it.
    :returns: False if the response is not simple, or if a step is overridden.
    """
    if (
        handler._response_headers is not None
        or handler._new_cookie is not None
        or handler._headers_written
        or handler._transforms
        or handler._etag is not None
    ):
        return False
    cls = type(handler)
    flush, set_header, set_etag, compute, check, log = DEFAULT_STEPS
    request = handler.request
    connection: Any = request.connection
    code = handler._status_code
    if (
        cls.flush is not flush
        or cls.set_header is not set_header
        or cls.set_etag_header is not set_etag
        or cls.compute_etag is not compute
        or cls.check_etag_header is not check
        or cls._log is not log
        or type(connection) is not HTTP1Connection
        or HTTP1Connection.write_headers is not _write_headers
        or HTTP1Connection.finish is not _connection_finish
        or connection.stream is None
        or type(connection.stream).write is not _STREAM_WRITE
        or request.method == "HEAD"
        or (code != 200 and (code < 200 or code == 204 or code == 304))
    ):
        return False
    buffer = handler._write_buffer
    body = buffer[0] if len(buffer) == 1 else b"".join(buffer)
    if code == 200 and request.method == "GET":
        try:
            line = _small_length_lines[len(body)]
            tail = 'Etag: "' + sha1(body).hexdigest() + '"\r\n' + line
        except KeyError:
            etag = _hashlib_sha1(body, usedforsecurity=False).hexdigest()
            tail = 'Etag: "' + etag + '"\r\n' + _length_lines[len(body)]
        if connection._head.conditional:  # type: ignore[union-attr]
            condition = request.headers.get("If-None-Match")
            if condition and etag_matches(condition, tail[6:48]):
                return False
    elif request.method == "CONNECT" and code < 300:
        return False  # a tunnel has no Content-Length
    else:
        tail = _length_lines[len(body)]
    if now is None:
        now = time()
    if not _valid_from <= now < _valid_until:
        _refresh(now)
    handler._headers_written = True
    block = _json_block if handler._json else _html_block
    application = handler.application
    # The application of the instance is used, because programs also create and run handlers directly.
    if application._security is not None:
        block += application._security.block(request.protocol)
    fields = tail.encode()
    handler._sent_header_blocks = block, fields
    try:
        connection._respond(code, handler._reason, block, fields, body)
    except httputil.HTTPOutputError:
        handler._head_failed(begun=connection.head_sent)  # the status line is invalid
        raise
    application.log_request(handler)
    handler._finished = True
    handler.on_finish()
    if handler._has_ui:
        handler._break_cycles()
    return True


def is_plain(connection: Any) -> bool:
    """Whether a serialised response may be sent to `connection`: no method that it bypasses is overridden."""
    return (
        type(connection) is HTTP1Connection
        and HTTP1Connection.write_headers is _write_headers
        and HTTP1Connection.finish is _connection_finish
        and connection.stream is not None
        and type(connection.stream).write is _STREAM_WRITE
    )


def date() -> str:
    """Return the value of the Date field."""
    now = time()
    if not _valid_from <= now < _valid_until:
        _refresh(now)
    return _date


def finish_stepwise(handler: RequestHandler) -> Future[None]:
    if not handler._headers_written:
        complete_head(handler)
        request_session = handler._request_session
        if request_session is not None and (saving := request_session.saving()) is not None:
            return handler._finish_after(saving)
    return finish_saved(handler)


def finish_saved(handler: RequestHandler) -> Future[None]:
    """Send a response whose head is complete, and whose session, if any, has been saved."""
    connection: Any = handler.request.connection
    future = handler.flush(include_footers=True)
    if not handler._transforms or not _background_compression.finish(handler):
        connection.finish()
    handler._log()
    handler._finished = True
    handler.on_finish()
    handler._break_cycles()
    return future


def truncate(handler: RequestHandler) -> None:
    """End a response that cannot be completed, so that the client does not mistake the fragment for the
    whole: send the pending output, then close the connection without the last chunk (RFC 9112 section 8).
    """
    connection: Any = handler.request.connection
    is_http1 = isinstance(connection, HTTP1Connection)
    try:
        _ = handler.flush()
        handler._transforms = []  # they would complete the content coding
        if is_http1:
            connection._chunking = False
            connection._close_after = True
        _ = handler.finish()
    finally:
        if is_http1 and not connection._write_done:
            connection.close()  # flush() or finish() has failed and has not ended the response


def complete_head(handler: RequestHandler) -> None:
    """Set the fields that depend on the whole body: entity tag and length. If the client's If-None-Match
    contains the entity tag, set the status 304.
    """
    code = handler._status_code
    if code == 200 and handler.request.method in ("GET", "HEAD"):
        if handler._entity_tag() is None:  # keep a tag that the handler has set
            handler.set_etag_header()
        if handler.check_etag_header():
            handler._write_buffer = []
            handler.set_status(304)
            code = 304
    if code == 204 or code == 304 or 100 <= code < 200:
        buffer = handler._write_buffer
        if buffer:
            raise RuntimeError(f"a {code} response has no body, but {len(buffer)} chunks were written")
        handler._clear_representation_headers()
    elif handler._response_headers is None and _uses_default_set_header(handler):
        length = 0
        for part in handler._write_buffer:
            length += len(part)
        handler._length = length
    elif "Content-Length" not in handler._headers:
        handler.set_header("Content-Length", sum(map(len, handler._write_buffer)))


def flush(handler: RequestHandler, finishing: bool) -> Future[None]:
    """Pass the head, unless it has been sent, and the buffered body to the connection."""
    buffer = handler._write_buffer
    chunk = buffer[0] if len(buffer) == 1 else b"".join(buffer)
    handler._write_buffer = []
    connection: Any = handler.request.connection
    queue = _background_compression.prepare(handler, len(chunk)) if handler._transforms else None
    if handler._headers_written:
        for transform in handler._transforms:
            chunk = transform.transform_chunk(chunk, finishing)
        if handler.request.method != "HEAD":
            future = connection.write(chunk)
        else:
            future = Future()
            future.set_result(None)
    else:
        try:
            future = _flush_head(handler, connection, chunk, finishing)
        except BaseException:
            # Another implementation of a connection may have sent the head, or a part of it.
            handler._head_failed(begun=getattr(connection, "head_sent", True))
            raise
        handler._headers_written = True
    if queue is not None:
        future = queue.start() or future
    if not finishing:
        push_out = getattr(connection, "_send_now", None)
        if push_out is not None:
            future = push_out(future)
    return future  # type: ignore[no-any-return]


def flush_for_callback(handler: RequestHandler, finishing: bool, callback: Callable[[], Any]) -> Future[None]:
    """Flush, and call `callback` when it is done, in the style of Tornado 4."""
    deprecated("RequestHandler.flush(callback=...)", "await the Future that flush() returns")
    flushed = handler.flush(finishing)
    import_object("tornado._tornado4.future_callbacks.call_when_done")(flushed, callback)
    return flushed


def _flush_head(handler: RequestHandler, connection: Any, chunk: bytes, finishing: bool) -> Future[None]:
    is_head = handler.request.method == "HEAD"
    code = handler._status_code
    transforms = handler._transforms
    if (
        handler._response_headers is None
        and not transforms
        and handler._new_cookie is None
        and (type(m := connection.write_headers) is MethodType and m.__func__ is _write_headers)
    ):
        block = default_block(handler._json)
        security = handler.application._security
        if security is not None:
            block += security.block(handler.request.protocol)
        length = handler._length
        etag = handler._etag
        if etag is not None:
            block += f"Etag: {etag}\r\n".encode("latin-1")
        if length is not None:
            block += b"Content-Length: %d\r\n" % length
        return connection._write_response_head(  # type: ignore[no-any-return]
            code,
            handler._reason,
            block,
            length,
            length is not None,
            None if is_head else chunk,
        )
    headers = handler._headers
    request_session = handler._request_session
    if request_session is not None:
        request_session.respond(headers)
    for transform in transforms:
        code, headers, chunk = transform.transform_first_chunk(code, headers, chunk, finishing)
        handler._status_code, handler._headers = code, headers
    cookies = handler._new_cookie
    if cookies is not None:
        for cookie in cookies.values():
            handler.add_header("Set-Cookie", cookie.OutputString(None))
        headers = handler._headers
    start_line = httputil.ResponseStartLine("", code, handler._reason)
    return connection.write_headers(start_line, headers, None if is_head else chunk)  # type: ignore[no-any-return]


# -- entity tags (RFC 9110 section 8.8.3) --


def compute_etag(handler: RequestHandler) -> str | None:
    """Return a strong entity tag: the SHA-1 of the body as written."""
    buffer = handler._write_buffer
    if len(buffer) == 1 and len(buffer[0]) < _LARGE_BODY:
        return f'"{sha1(buffer[0]).hexdigest()}"'
    hasher = _hashlib_sha1(usedforsecurity=False)
    for part in buffer:
        hasher.update(part)
    return f'"{hasher.hexdigest()}"'


def set_etag_header(handler: RequestHandler) -> None:
    """Store the entity tag that the handler computes, unless it is None."""
    etag: Any = handler.compute_etag()
    if etag is None:
        return
    if isinstance(etag, bytes):
        etag = etag.decode("latin-1")
    if handler._response_headers is None and _uses_default_set_header(handler):
        if _UNSENDABLE.search(etag):
            raise ValueError(
                f"compute_etag() returned a tag with a control or non-Latin-1 character: {etag!r}"
            )
        handler._etag = etag
    else:
        handler.set_header("Etag", etag)


def check_etag_header(handler: RequestHandler) -> bool:
    """Whether If-None-Match contains the entity tag of the response, using weak comparison (RFC 9110 section
    13.1.2).
    """
    condition = _request_field(handler.request, "If-None-Match")
    if not condition:
        return False
    tag = handler._entity_tag()
    return etag_matches(condition, tag) if tag else False


def etag_matches(condition: str, etag: str) -> bool:
    """Whether an If-None-Match field contains `etag` (weak comparison)."""
    wanted = etag.removeprefix("W/")
    return any(tag == "*" or tag.removeprefix("W/") == wanted for tag in _etags.findall(condition))


def _request_field(request: httputil.HTTPServerRequest, name: str) -> Any:
    """Return a request header field without creating the mapping if the field is absent, as it usually is."""
    try:
        head = request._head
    except AttributeError:  # a request created by the program
        return request.headers.get(name)
    if name.lower() not in head.headers_block.lower() and "headers" not in request.__dict__:
        return None
    return request.headers.get(name)


def clear_representation_headers(handler: RequestHandler) -> None:
    """Remove the fields that describe a body, from a response without one."""
    for name in _REPRESENTATION_FIELDS:
        handler.clear_header(name)
