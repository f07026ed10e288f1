"""The response of a handler: default header fields, ETag, head and body in one send.

Until a handler's header fields are accessed, no mapping exists: the default fields are prepared as bytes,
formatted once per second, and the entity tag, the length and the JSON content type are stored separately. The
first access to ``handler._headers`` creates an `.HTTPHeaders` from all of these; from then on, only this
mapping is used.

This file exceeds the usual length limit because both forms of the head must give the same bytes, so that they
are changed together.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1 as _hashlib_sha1
from time import time
from typing import TYPE_CHECKING, Any

from tornado import httputil
from tornado._tornado4.deprecation import deprecated
from tornado._version import version as _version
from tornado.concurrent import Future
from tornado.escape import json_encode, utf8
from tornado.http1connection import HTTP1Connection
from tornado.httputil._server_exchange import ServerExchange
from tornado.log import escape_controls
from tornado.util import import_object
from tornado.web._encoding import _background_compression
from tornado.web._execution._bypassed_methods import (
    CONNECTION,
    FINISH_STEPS,
    SET_HEADER,
    STREAM_WRITE,
    WRITE_HEADERS,
)
from tornado.web._execution._response_fields import (
    LARGE_BODY,
    UNSENDABLE,
    etag_matches,
    is_confirmed,
    length_lines,
    reason_phrase,
    request_field,
    small_length_lines,
)
from tornado.web._execution._response_state import STATES_BY_FLAGS, ResponseState

# See `tornado._wire.state_machine` for the reason for these constants.
_UPGRADED = ResponseState.UPGRADED
_DETACHED = ResponseState.DETACHED
_SAVING = ResponseState.SAVING

try:
    # For a body of a few bytes, this function takes half the time of hashlib.sha1; the digest is the same.
    from _sha1 import sha1  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha1

SERVER = f"TornadoServer/{_version}"
HTML = "text/html; charset=UTF-8"
JSON = "application/json; charset=UTF-8"

_WRITE_HEADERS, _CONNECTION_FINISH = CONNECTION.originals
_STREAM_WRITE = STREAM_WRITE.originals
#: The methods whose responses may have no body, or no Content-Length as in front of a tunnel.
_UNUSUAL_METHODS = frozenset(("HEAD", "CONNECT"))
_REPRESENTATION_FIELDS = ("Content-Encoding", "Content-Language", "Content-Type")


class _DefaultFields:
    """The default header fields of the responses of one second. The object is never changed: a thread that
    needs those of another second replaces it.
    """

    __slots__ = ("bare_block", "date", "headers", "html_block", "json_block", "valid_from", "valid_until")

    def __init__(self, now: float) -> None:
        self.valid_from = float(int(now))
        self.valid_until = self.valid_from + 1
        self.date = date = httputil.format_timestamp(int(now))
        self.headers = httputil.HTTPHeaders({"Server": SERVER, "Content-Type": HTML, "Date": date})
        json_headers = httputil.HTTPHeaders({"Server": SERVER, "Content-Type": JSON, "Date": date})
        bare_headers = httputil.HTTPHeaders({"Server": SERVER, "Date": date})
        self.html_block, self.json_block, self.bare_block = (
            headers._serialize() for headers in (self.headers, json_headers, bare_headers)
        )


_fields = _DefaultFields(0.0)


def _present_fields(now: float | None = None) -> _DefaultFields:
    global _fields
    if now is None:
        now = time()
    fields = _fields
    if not fields.valid_from <= now < fields.valid_until:
        fields = _fields = _DefaultFields(now)
    return fields


def default_headers() -> httputil.HTTPHeaders:
    """Return a new copy of the default header fields of a response."""
    return _present_fields().headers.copy()


def default_block(json: bool) -> bytes:
    """Return the default header fields, serialized; `json` selects the content type."""
    fields = _present_fields()
    return fields.json_block if json else fields.html_block


def bare_block() -> bytes:
    """Return the default header fields of a response without content, serialized."""
    return _present_fields().bare_block


def is_plain(connection: Any) -> bool:
    """Whether a serialized response may be sent to `connection`: no method that it bypasses is overridden."""
    return (
        type(connection) is HTTP1Connection
        and CONNECTION.are_original_on(connection)
        and connection.stream is not None
        and STREAM_WRITE.are_original_on(connection.stream)
    )


def date() -> str:
    """Return the value of the Date field."""
    return _present_fields().date


_OPEN, _HEAD_SENT, _FINISHED = ResponseState.OPEN, ResponseState.HEAD_SENT, ResponseState.FINISHED
_no_transforms: list[Any] = []


class Response:
    """The response of one handler: status, header fields, unsent body, and how much has been sent.

    Methods that call hooks of the handler take it as an argument; there is no reference to the handler, which
    would be a cycle.

    :ivar state: the `ResponseState`; changed by `advance`.
    :ivar status_code: the status code.
    :ivar reason: the reason phrase.
    :ivar fields: the header fields, or None until they are first accessed (see `headers`).
    :ivar buffer: the parts of the body that have not been passed to the connection.
    :ivar cookies: the cookies to set, by name, or None.
    :ivar transforms: the `OutputTransform` objects; not to be changed in place.
    :ivar session: the `RequestSession` of the request, or None.
    :ivar auto_finish: whether the response is finished when the HTTP method returns.
    :ivar has_ui: whether functions for templates, which refer to the handler, are stored in it.
    """

    __slots__ = (
        "_is_json",
        "_length",
        "_sent_blocks",
        "auto_finish",
        "buffer",
        "cookies",
        "fields",
        "has_ui",
        "reason",
        "session",
        "state",
        "status_code",
        "transforms",
    )

    def __init__(self) -> None:
        self.state: ResponseState = _OPEN
        self.status_code: int = 200
        self.reason: str = "OK"
        self.buffer: list[bytes] = []
        self.transforms: list[Any] = _no_transforms
        self.auto_finish: bool = True
        self.has_ui: bool = False
        self._is_json = False
        self.fields: httputil.HTTPHeaders | None = None
        self.cookies: dict[str, Any] | None = None
        self.session: Any = None
        self._length: int | None = None
        #: The two halves of a head that was sent as bytes.
        self._sent_blocks: tuple[bytes, bytes] | None = None

    def __repr__(self) -> str:
        return f"<Response {self.status_code} {self.state.value}>"

    # -- state --

    def advance(self, state: ResponseState) -> None:
        """Change the state.

        :raises RuntimeError: if the table of transitions does not contain the change.
        """
        if state not in self.state.successors:
            raise RuntimeError(f"the response cannot change from {self.state.value!r} to {state.value!r}")
        self.state = state

    def end(self) -> None:
        """Record that the response is complete, unless it has already ended."""
        if not self.state.ended:
            self.advance(_FINISHED)

    def detach(self) -> None:
        """Record that the handler sends no more output, although the response may be incomplete."""
        state = self.state
        if not state.ended:
            self.advance(_UPGRADED if state.head_sent else _DETACHED)

    def abandon(self) -> None:
        """Discard the unsent output of a client that has disconnected."""
        state = self.state
        self.advance(_FINISHED if state.head_sent else _DETACHED)
        self.buffer = []

    def set_flags(self, head_sent: bool, ended: bool) -> None:
        """Set the state that corresponds to a program's values of ``_headers_written`` and ``_finished``."""
        self.state = STATES_BY_FLAGS[bool(head_sent), bool(ended)]

    @property
    def is_head_sent(self) -> bool:
        """Whether the status and the header fields have been sent."""
        return self.state.head_sent

    @property
    def is_finished(self) -> bool:
        """Whether the handler can no longer write to the response."""
        return self.state.ended

    def head_failed(self, begun: bool) -> None:
        """Prepare for sending an error page, without transforms, after the head could not be sent.

        :param begun: whether a part of the head was sent, so that no error page can follow.
        """
        wanted = _HEAD_SENT if begun else _OPEN
        # A hook that was called for the head may have ended the response, for example by `detach`.
        if self.state is not wanted and not self.state.ended:
            self.advance(wanted)
        self._sent_blocks = None
        self.transforms = _no_transforms

    # -- status and header fields --

    def clear(self) -> None:
        """Reset status, header fields and body. If the head has been sent, only the body is reset."""
        self.buffer = []
        if self.state.head_sent:
            return
        self.status_code = 200
        self.reason = "OK"
        self.fields = None
        self._is_json = False
        self._length = None

    def set_status(self, status_code: int, reason: str | None) -> None:
        """Set the status code, and the reason phrase: by default the standard one, or "Unknown".

        A phrase that cannot be sent is replaced by "Unknown".
        """
        self.status_code = status_code
        self.reason = reason_phrase(status_code, reason)

    def headers(self, handler: ResponseOwner) -> httputil.HTTPHeaders:
        """Return the header fields, creating the mapping on the first call."""
        fields = self.fields
        if fields is None:
            fields = self.fields = self._make_headers(handler)
        return fields

    def _make_headers(self, handler: ResponseOwner) -> httputil.HTTPHeaders:
        if self._sent_blocks is not None:
            # The access log or `on_finish` reads the headers of a response that the fast path sent.
            block, tail = self._sent_blocks
            return httputil.HTTPHeaders._from_block((block + tail[:-2]).decode("latin-1"))
        default = _present_fields().headers
        security = security_of(handler)
        headers = default.copy() if security is None else security.headers(default, handler)
        if self._is_json:
            headers["Content-Type"] = JSON
        if self._length is not None:
            headers["Content-Length"] = str(self._length)
        return headers

    def is_unchanged(self) -> bool:
        """Whether nothing has been set or written: the response is as the program has received it."""
        return (
            self.state is _OPEN
            and self.fields is None
            and self.cookies is None
            and not self.buffer
            and self.status_code == 200
            and self.reason == "OK"
        )

    # -- body --

    def write(self, handler: ResponseOwner, chunk: Any) -> None:
        """Append a chunk that is not bytes to the buffer."""
        if type(chunk) is dict or isinstance(chunk, dict):  # the former costs no call
            chunk = json_encode(chunk).encode()
            if self.fields is None and type(handler).set_header is SET_HEADER.originals:
                self._is_json = True
            else:
                handler.set_header("Content-Type", JSON)
            self.buffer.append(chunk)
            return
        if not isinstance(chunk, (str, bytes)):
            message = f"write() accepts bytes, str or dict, got {type(chunk).__name__}"
            if isinstance(chunk, list):
                message += (
                    ". A list is not written as JSON, because old browsers let other sites read it; "
                    "put it in a dict, or write json_encode(value)"
                )
            raise TypeError(message)
        self.buffer.append(utf8(chunk))

    # -- finish, in one step --

    def finish_fast(self, handler: ResponseOwner, now: float | None = None) -> bool:
        """Send a simple response on the fast path; most responses are simple.

        :param now: the time for the Date field, if the caller knows it.
        :returns: False if the response is not simple, or if a step is overridden.
        """
        if self.fields is not None or self.cookies is not None or self.state is not _OPEN or self.transforms:
            return False
        request = handler.request
        connection: Any = request.connection
        code = self.status_code
        # As `FINISH_STEPS.are_original` and `is_plain`, whose calls would cost too much here.
        cls = type(handler)
        flush, set_header, set_etag_header, compute_etag, check_etag_header, log = FINISH_STEPS.originals
        if (
            cls.flush is not flush
            or cls.set_header is not set_header
            or cls.set_etag_header is not set_etag_header  # pyright: ignore[reportAttributeAccessIssue]
            or cls.compute_etag is not compute_etag  # pyright: ignore[reportAttributeAccessIssue]
            or cls.check_etag_header is not check_etag_header  # pyright: ignore[reportAttributeAccessIssue]
            or cls._log is not log
            or type(connection) is not HTTP1Connection
            or HTTP1Connection.write_headers is not _WRITE_HEADERS
            or HTTP1Connection.finish is not _CONNECTION_FINISH
            or connection.stream is None
            or type(connection.stream).write is not _STREAM_WRITE
            or request.method in _UNUSUAL_METHODS
            or (code != 200 and (code < 200 or code == 204 or code == 304))
        ):
            return False
        buffer = self.buffer
        body = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        if code == 200 and request.method == "GET":
            try:
                line = small_length_lines[len(body)]
                tail = 'Etag: "' + sha1(body).hexdigest() + '"\r\n' + line
            except KeyError:
                etag = _hashlib_sha1(body, usedforsecurity=False).hexdigest()
                tail = 'Etag: "' + etag + '"\r\n' + length_lines[len(body)]
            if connection.head.conditional and is_confirmed(request, tail[6:48]):  # type: ignore[union-attr]
                return False
        else:
            tail = length_lines[len(body)]
        if now is None:
            now = time()
        fields = _fields
        if not fields.valid_from <= now < fields.valid_until:
            fields = _present_fields(now)
        block = fields.json_block if self._is_json else fields.html_block
        # The application of the instance is used, because programs also create and run handlers directly.
        application = handler.application
        security = application._security
        if security is not None:
            block += security.block(request)
        fields = tail.encode()
        # As in `send_whole`, whose call would cost 500 instructions.
        self.state = _HEAD_SENT
        self._sent_blocks = block, fields
        try:
            connection.send_response(code, self.reason, block, fields, body)
        except httputil.HTTPOutputError:
            self.head_failed(begun=connection.head_sent)
            raise
        observer = application._response_observer
        if observer is None:
            application.log_request(handler)
        else:
            observer.response_sent(handler, request, code, len(body))
        if self.state is _HEAD_SENT:
            self.state = _FINISHED
        else:
            self.end()
        handler.on_finish()
        if self.has_ui:
            handler._break_cycles()
        return True

    def send_whole(
        self, handler: ResponseOwner, connection: HTTP1Connection, block: bytes, tail: bytes, body: bytes
    ) -> None:
        """Send a complete response in one step, and end it: log the request and call ``on_finish``.

        :param block: the serialized header fields.
        :param tail: further fields, and the empty line.
        :raises HTTPOutputError: if the status line is invalid.
        """
        self.advance(_HEAD_SENT)
        self._sent_blocks = block, tail
        self.buffer = [body]
        try:
            connection.send_response(self.status_code, self.reason, block, tail, body)
        except httputil.HTTPOutputError:
            self.head_failed(begun=connection.head_sent)
            raise
        handler._log()
        self.end()
        handler.on_finish()
        if self.has_ui:
            handler._break_cycles()

    def record_upgrade(self, block: bytes, tail: bytes) -> None:
        """Record that the head of a 101 response is sent as bytes.

        :param block: the serialized header fields.
        :param tail: further fields, and the empty line.
        """
        self.advance(_HEAD_SENT)
        self.status_code, self.reason = 101, "Switching Protocols"
        self._sent_blocks = block, tail

    # -- finish, step by step --

    def complete(self, handler: ResponseOwner) -> Any:
        """Set the fields that depend on the whole body, unless the head has been sent.

        :returns: a coroutine that saves the session and must complete before `send`, or None.
        """
        if self.state.head_sent:
            return None
        self._complete_head(handler)
        session = self.session
        return None if session is None else session.saving()

    def send(self, handler: ResponseOwner) -> Future[None]:
        """Send the rest of a response for which `complete` was called, and end it.

        :returns: the Future of the last ``flush``.
        """
        connection: Any = handler.request.connection
        future = handler.flush(include_footers=True)
        if not self.transforms or not _background_compression.finish(self.transforms):
            connection.finish()
        handler._log()
        self.end()
        handler.on_finish()
        handler._break_cycles()
        return future

    def hold(self, handler: ResponseOwner) -> tuple[httputil.HTTPHeaders, list[bytes]]:
        """Set the response aside until its session has been saved, as if it had been sent.

        Late changes have no effect on it.

        :returns: what `restore` needs.
        """
        complete = self.headers(handler), self.buffer
        self.fields, self.buffer = complete[0].copy(), []
        self.advance(_SAVING)
        return complete

    def restore(self, complete: tuple[httputil.HTTPHeaders, list[bytes]]) -> None:
        """Undo `hold`, before the response is sent or replaced by an error page."""
        # Not by `advance`: since `hold`, the program may have assigned `_finished` or `_headers_written`.
        self.state = _OPEN
        self.fields, self.buffer = complete

    def truncate(self, handler: ResponseOwner) -> None:
        """End a response that cannot be completed, so that the client does not mistake the fragment for the
        whole: send the pending output, then close the connection without the last chunk (RFC 9112 section 8).
        """
        connection: Any = handler.request.connection
        can_truncate = isinstance(connection, ServerExchange)
        try:
            _ = handler.flush()
            self.transforms = _no_transforms  # they would complete the content coding
            if can_truncate:
                connection.truncate_body()
            _ = handler.finish()
        finally:
            if can_truncate and not connection.write_done:  # pyright: ignore[reportAttributeAccessIssue]
                connection.close()  # flush() or finish() has failed and has not ended the response

    def _complete_head(self, handler: ResponseOwner) -> None:
        """Set the entity tag and the length. If the client's If-None-Match contains the entity tag, set the
        status 304.
        """
        code = self.status_code
        if code == 200 and handler.request.method in ("GET", "HEAD"):
            if self.entity_tag() is None:  # keep a tag that the handler has set
                handler.set_etag_header()
            if handler.check_etag_header():
                self.buffer = []
                handler.set_status(304)
                code = 304
        if code == 204 or code == 304 or 100 <= code < 200:
            buffer = self.buffer
            if buffer:
                raise RuntimeError(f"a {code} response has no body, but {len(buffer)} chunks were written")
            handler._clear_representation_headers()
        elif self.fields is None and SET_HEADER.are_original_on(handler):
            length = 0
            for part in self.buffer:
                length += len(part)
            self._length = length
        elif "Content-Length" not in self.headers(handler):
            handler.set_header("Content-Length", sum(map(len, self.buffer)))

    def flush(self, handler: ResponseOwner, finishing: bool) -> Future[None]:
        """Pass the head, unless it has been sent, and the buffered body to the connection."""
        buffer = self.buffer
        chunk = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        self.buffer = []
        request = handler.request
        connection: Any = request.connection
        transforms = self.transforms
        queue = _background_compression.prepare(transforms, request, len(chunk)) if transforms else None
        if self.state.head_sent:
            for transform in transforms:
                chunk = transform.transform_chunk(chunk, finishing)
            if request.method != "HEAD":
                future = connection.write(chunk)
            else:
                future = Future()
                future.set_result(None)
        else:
            try:
                future = self._flush_head(handler, connection, chunk, finishing)
            except BaseException:
                # Another implementation of a connection may have sent the head, or a part of it.
                self.head_failed(begun=getattr(connection, "head_sent", True))
                raise
            if self.state is _OPEN:
                self.advance(_HEAD_SENT)
        if queue is not None:
            future = queue.start() or future
        if not finishing:
            push_out = getattr(connection, "send_now", None)
            if push_out is not None:
                future = push_out(future)
        return future  # type: ignore[no-any-return]

    def _flush_head(
        self, handler: ResponseOwner, connection: Any, chunk: bytes, finishing: bool
    ) -> Future[None]:
        is_head = handler.request.method == "HEAD"
        code = self.status_code
        transforms = self.transforms
        if (
            self.fields is None
            and not transforms
            and self.cookies is None
            and WRITE_HEADERS.are_original_on(connection)
        ):
            block = default_block(self._is_json)
            security = handler.application._security
            if security is not None:
                block += security.block(handler.request)
            length = self._length
            if length is not None:
                block += b"Content-Length: %d\r\n" % length
            return connection.write_response_head(  # type: ignore[no-any-return]
                code,
                self.reason,
                block,
                length,
                length is not None,
                None if is_head else chunk,
            )
        headers = self.headers(handler)
        if self.session is not None:
            self.session.respond(headers)
        for transform in transforms:
            code, headers, chunk = transform.transform_first_chunk(code, headers, chunk, finishing)
            self.status_code, self.fields = code, headers
        cookies = self.cookies
        if cookies is not None:
            for cookie in cookies.values():
                handler.add_header("Set-Cookie", cookie.OutputString(None))
            headers = self.headers(handler)
        start_line = httputil.ResponseStartLine("", code, self.reason)
        return connection.write_headers(start_line, headers, None if is_head else chunk)  # type: ignore[no-any-return]

    def finish_minimal(self, code: int, reason: str, headers: Callable[[], httputil.HTTPHeaders]) -> None:
        """Record a response that is sent without the handler, by `headers`, which returns its fields."""
        self.status_code, self.reason = code, reason
        self.advance(_FINISHED)
        self.fields = headers()

    # -- entity tags (RFC 9110 section 8.8.3) --

    def entity_tag(self) -> str | None:
        """Return the entity tag that has been set so far."""
        return None if self.fields is None else self.fields.get("Etag")

    def compute_etag(self) -> str | None:
        """Return a strong entity tag: the SHA-1 of the body as written."""
        buffer = self.buffer
        if len(buffer) == 1 and len(buffer[0]) < LARGE_BODY:
            return f'"{sha1(buffer[0]).hexdigest()}"'
        hasher = _hashlib_sha1(usedforsecurity=False)
        for part in buffer:
            hasher.update(part)
        return f'"{hasher.hexdigest()}"'

    def set_etag_header(self, handler: ResponseOwner) -> None:
        """Store the entity tag that the handler computes, unless it is None."""
        etag: Any = handler.compute_etag()
        if etag is None:
            return
        if isinstance(etag, bytes):
            etag = etag.decode("latin-1")
        if SET_HEADER.are_original_on(handler):
            if UNSENDABLE.search(etag):
                raise ValueError(
                    f"compute_etag() returned a tag with a control or non-Latin-1 character: {etag!r}"
                )
            self.headers(handler)["Etag"] = etag
        else:
            handler.set_header("Etag", etag)

    def check_etag_header(self, request: httputil.HTTPServerRequest) -> bool:
        """Whether If-None-Match contains the entity tag of the response, using weak comparison (RFC 9110
        section 13.1.2).
        """
        condition = request_field(request, "If-None-Match")
        if not condition:
            return False
        tag = self.entity_tag()
        return etag_matches(condition, tag) if tag else False


class SecurityOwner:
    """The base class of `Application` that holds what responses need: the header fields of the setting
    ``security_headers``, and the observer.
    """

    #: An `Observer`, which the fast path calls in place of ``log_request``; None if that must be called.
    #: There is no default in the class, see `ResponseOwner`.
    _response_observer: Any
    #: A `SecurityHeaders`, or None. Its class is not imported, because its module imports this one.
    _security: Any = None

    if TYPE_CHECKING:
        log_request: Callable[[Any], None]


def security_of(handler: ResponseOwner) -> Any:
    """Return the `SecurityHeaders` of a handler's application, or None.

    A handler that was created by a test of a program may have no application, or a mock.
    """
    application = getattr(handler, "application", None)
    return application._security if isinstance(application, SecurityOwner) else None


class ResponseOwner:
    """The base class of `RequestHandler` that holds its response.

    The properties are names of Tornado that are not documented, but that programs read and assign. Other
    modules of this package use `response_of`.
    """

    # There is no class attribute as a default, because CPython 3.11 reads an instance attribute ten times
    # faster if the class has none of the same name.
    _own_response: Response

    if TYPE_CHECKING:
        # The part of a handler that the response uses: mostly methods that programs override.
        application: Any
        request: httputil.HTTPServerRequest
        flush: Callable[..., Future[None]]
        finish: Callable[..., Future[None]]
        get_status: Callable[[], int]
        set_status: Callable[..., None]
        set_cookie: Callable[..., None]
        clear_cookie: Callable[..., None]
        send_error: Callable[..., None]
        on_connection_close: Callable[[], None]
        set_header: Callable[..., None]
        add_header: Callable[..., None]
        clear_header: Callable[..., None]
        set_etag_header: Callable[[], None]
        compute_etag: Callable[[], str | None]
        check_etag_header: Callable[[], bool]
        on_finish: Callable[[], None]

    @property
    def _headers(self) -> httputil.HTTPHeaders:
        return response_of(self).headers(self)

    @_headers.setter
    def _headers(self, headers: httputil.HTTPHeaders) -> None:
        response_of(self).fields = headers

    @property
    def _status_code(self) -> int:
        return response_of(self).status_code

    @_status_code.setter
    def _status_code(self, status_code: int) -> None:
        response_of(self).status_code = status_code

    @property
    def _reason(self) -> str:
        return response_of(self).reason

    @_reason.setter
    def _reason(self, reason: str) -> None:
        response_of(self).reason = reason

    @property
    def _write_buffer(self) -> list[bytes]:
        return response_of(self).buffer

    @_write_buffer.setter
    def _write_buffer(self, buffer: list[bytes]) -> None:
        response_of(self).buffer = buffer

    @_write_buffer.deleter
    def _write_buffer(self) -> None:
        response_of(self).buffer = []

    @property
    def _transforms(self) -> list[Any]:
        response = response_of(self)
        if response.transforms is _no_transforms:
            response.transforms = []  # the program may append to it
        return response.transforms

    @_transforms.setter
    def _transforms(self, transforms: list[Any] | None) -> None:
        response_of(self).transforms = _no_transforms if transforms is None else transforms

    @property
    def _new_cookie(self) -> dict[str, Any] | None:
        return response_of(self).cookies

    @_new_cookie.setter
    def _new_cookie(self, cookies: dict[str, Any] | None) -> None:
        response_of(self).cookies = cookies

    @property
    def _headers_written(self) -> bool:
        return response_of(self).state.head_sent

    @_headers_written.setter
    def _headers_written(self, written: bool) -> None:
        response = response_of(self)
        response.set_flags(written, response.state.ended)

    @property
    def _finished(self) -> bool:
        return response_of(self).state.ended

    @_finished.setter
    def _finished(self, finished: bool) -> None:
        response = response_of(self)
        response.set_flags(response.state.head_sent, finished)

    @property
    def _auto_finish(self) -> bool:
        return response_of(self).auto_finish

    @_auto_finish.setter
    def _auto_finish(self, auto_finish: bool) -> None:
        response_of(self).auto_finish = auto_finish

    def _clear_representation_headers(self) -> None:
        for name in _REPRESENTATION_FIELDS:
            self.clear_header(name)

    def _log(self) -> None:
        self.application.log_request(self)

    def _break_cycles(self) -> None:
        # Rendering stores template functions and modules that are bound to this object.
        if response_of(self).has_ui:
            release_ui(self)

    def _request_summary(self) -> str:
        request = self.request
        uri = request.uri
        if uri and not uri.isascii():
            uri = escape_controls(uri)
        return f"{request.method} {uri} ({request.remote_ip})"


def response_of(handler: ResponseOwner) -> Response:
    """Return the response of a handler. Only modules of this package call this function.

    It is created here for an object that was created without ``__init__``, as in tests of programs, and after
    `release`.
    """
    try:
        return handler._own_response
    except AttributeError:
        response = handler._own_response = Response()
        connection: Any = getattr(getattr(handler, "request", None), "connection", None)
        if getattr(connection, "is_detached", False) is True:  # the attribute of a mock is not True
            response.set_status(101, None)
            response.state = _UPGRADED
        return response


def release(handler: ResponseOwner) -> None:
    """Free the memory of the response of a handler after its connection was upgraded.

    There may be many open connections. The response is created again if it is accessed, with the status 101.
    """
    handler._break_cycles()
    del handler._own_response


def release_ui(handler: ResponseOwner) -> None:
    """Remove the functions and modules for templates, which refer to the handler, from its attributes."""
    handler.__dict__.pop("ui", None)
    handler.__dict__.pop("_active_modules", None)


def log(handler: ResponseOwner) -> None:
    """Write the request to the access log."""
    handler._log()


def break_cycles(handler: ResponseOwner) -> None:
    """Remove references from the handler to objects that refer to it; called when its request has ended."""
    handler._break_cycles()


def request_summary(handler: ResponseOwner) -> str:
    """Return method, URI and client of the request, for log messages."""
    return handler._request_summary()


def flush_for_callback(handler: ResponseOwner, finishing: bool, callback: Callable[[], Any]) -> Future[None]:
    """Flush, and call `callback` when it is done, in the style of Tornado 4."""
    deprecated("RequestHandler.flush(callback=...)", "await the Future that flush() returns")
    flushed = handler.flush(finishing)
    import_object("tornado._tornado4.future_callbacks.call_when_done")(flushed, callback)
    return flushed
