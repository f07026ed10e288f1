"""`WSGIAdapter`: one of our applications on a WSGI server, as Tornado 4 had it."""

from __future__ import annotations

import asyncio
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from tornado._tasks import done_future
from tornado._wire.errors import BodyTooLarge, HTTPInputError
from tornado.concurrent import Future
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPOutputError,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
    responses,
)

# RFC 3986 section 3.3: what may stand in a path besides letters, digits and "-._~".
_PATH_SAFE = "/!$&'()*+,;=:@"
_DIGITS = re.compile(r"[0-9]{1,19}")
_BLOCK = 64 * 1024
# What was between us and a client is not the WSGI server's.
_OURS = frozenset({"Connection", "Transfer-Encoding"})

StartResponse = Callable[..., Any]


class WSGIAdapter:
    """Makes a WSGI application of an `.Application`.

    ::

        wsgi_app = tornado.wsgi.WSGIAdapter(application)
        wsgiref.simple_server.make_server("", 8888, wsgi_app).serve_forever()

    Each request runs in an event loop of its own, in the thread it came in on, and its response is collected
    whole: coroutines work, and what they start ends with the request; WebSockets, ``detach`` and streamed
    responses do not. Where the thread has a running loop already, only handlers that do not wait can answer.

    Deprecated: the application's own server does more, and is faster.

    :arg application: an `.Application`, or another `.HTTPServerConnectionDelegate`.
    """

    #: Limit on a request's body in bytes (413), for handlers that have no ``max_body_size`` of their own. May
    #: be set on the adapter or on a subclass.
    max_body_size = 100 * 1024 * 1024

    def __init__(self, application: HTTPServerConnectionDelegate) -> None:
        warnings.warn(
            "WSGIAdapter is deprecated: serve the application with Application.listen() or HTTPServer",
            DeprecationWarning,
            stacklevel=2,
        )
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        """Answer one request (PEP 3333)."""
        connection = _Connection(environ, self.max_body_size)
        try:
            self._run(environ, connection)
            status, headers, body = connection.response()
        except HTTPInputError as error:
            status, headers, body = _refusal(error)
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" or not body else [body]

    def _run(self, environ: dict[str, Any], connection: _Connection) -> None:
        answer = self._answer(environ, connection)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            with asyncio.Runner() as runner:
                runner.run(answer)
            return
        # Up to where it first waits.
        try:
            answer.send(None)
        except StopIteration:
            return
        answer.close()
        raise RuntimeError(
            f"the handler of {environ.get('PATH_INFO')!r} waits for something, which it cannot in a thread "
            "whose event loop is running: call WSGIAdapter in another thread"
        )

    async def _answer(self, environ: dict[str, Any], connection: _Connection) -> None:
        connection.finished = asyncio.get_running_loop().create_future()
        message = self.application.start_request(None, connection)
        line, headers = _request_head(environ)
        await _result(message.headers_received(line, headers))
        for block in _read_body(environ, connection):
            await _result(message.data_received(block))
            if connection.finished.done():
                return  # it wanted no more of the body
        if not connection.finished.done():
            await _result(message.finish())  # type: ignore[func-returns-value]
        await connection.finished


async def _result(value: Any) -> None:
    while inspect.isawaitable(value):
        value = await value


class _Context:
    """Where a request comes from, as the WSGI server says."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.remote_ip: str = environ.get("REMOTE_ADDR") or "0.0.0.0"
        self.protocol: str = environ["wsgi.url_scheme"]
        self.address = None

    def __str__(self) -> str:
        return self.remote_ip


class _Connection(HTTPConnection):
    """Collects a response."""

    #: Done when the response is complete.
    finished: Future[None]

    def __init__(self, environ: dict[str, Any], max_body_size: int) -> None:
        self.context = _Context(environ)
        self.max_body_size = max_body_size
        self._line: ResponseStartLine | None = None
        self._headers = HTTPHeaders()
        self._body: list[bytes] = []
        self._is_head = environ["REQUEST_METHOD"] == "HEAD"
        #: Bytes of the body still to be written; None where its length was not announced.
        self._remaining: int | None = None

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Nobody can tell us that the client is gone."""

    def set_max_body_size(self, max_body_size: int) -> None:
        """Limit the request's body; what is larger is answered with 413."""
        self.max_body_size = max_body_size

    def set_body_timeout(self, timeout: float) -> None:
        """How long a body may take is the WSGI server's business."""

    def _take_over_limit(self) -> int:
        """The limit on the request's body, which from now on is the caller's to keep."""
        limit, self.max_body_size = self.max_body_size, 2**63 - 1
        return limit

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Future[None]:
        assert isinstance(start_line, ResponseStartLine)
        self._line, self._headers = start_line, headers
        # RFC 9110 section 8.6: there the length is that of a body which is not sent.
        if "Content-Length" in headers and not self._is_head and start_line.code not in (204, 304):
            self._remaining = int(headers["Content-Length"])
        return self.write(chunk or b"")

    def write(self, chunk: bytes) -> Future[None]:
        if self._remaining is not None:
            if len(chunk) > self._remaining:
                self._remaining = None  # one error is enough
                raise HTTPOutputError("Tried to write more data than Content-Length")
            self._remaining -= len(chunk)
        self._body.append(chunk)
        return done_future(asyncio.get_running_loop())

    def finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)
            if self._remaining:
                raise HTTPOutputError(f"Tried to write {self._remaining} bytes less than Content-Length")

    def response(self) -> tuple[str, list[tuple[str, str]], bytes]:
        """Status, header fields and body."""
        line = self._line
        if line is None:
            raise RuntimeError("the application ended its response without a head")
        reason = line.reason or responses.get(line.code, "Unknown")
        fields = [(name, str(value)) for name, value in self._headers.get_all() if name not in _OURS]
        return f"{line.code} {reason}", fields, b"".join(self._body)


def _refusal(error: HTTPInputError) -> tuple[str, list[tuple[str, str]], bytes]:
    status = f"{error.status_code} {responses.get(error.status_code, 'Bad Request')}"
    body = f"{status}\n".encode()
    fields = [("Content-Type", "text/plain; charset=UTF-8"), ("Content-Length", str(len(body)))]
    return status, fields, body


def _request_head(environ: dict[str, Any]) -> tuple[RequestStartLine, HTTPHeaders]:
    path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")) or "/"
    target = path if path == "*" else quote(path.encode("latin-1"), _PATH_SAFE)
    if environ.get("QUERY_STRING"):
        target += "?" + environ["QUERY_STRING"]
    version = environ.get("SERVER_PROTOCOL", "HTTP/1.1")
    headers = HTTPHeaders()
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            headers.add(key[5:].replace("_", "-"), value)
        elif key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            headers.add(key.replace("_", "-"), value)
    if "Host" not in headers:
        headers["Host"] = f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    # Of the later versions only that they are not HTTP/1.0 matters to a handler.
    version = version if version == "HTTP/1.0" else "HTTP/1.1"
    return RequestStartLine(environ["REQUEST_METHOD"], target, version), headers


def _read_body(environ: dict[str, Any], connection: _Connection) -> Iterator[bytes]:
    """The body in pieces; PEP 3333 has us stop at Content-Length, as reading on may wait for ever."""
    length: str = environ.get("CONTENT_LENGTH") or ""
    if length and _DIGITS.fullmatch(length) is None:
        raise HTTPInputError(f"Content-Length is one decimal number, not {length!r:.100}")
    ends = bool(environ.get("wsgi.input_terminated")) and not length
    limit = connection.max_body_size
    left = limit + 1 if ends else int(length or 0)
    if not ends and left > limit:
        raise BodyTooLarge(f"Content-Length {length} is over the limit of {limit} bytes (max_body_size)")
    source = environ["wsgi.input"]
    while left:
        block: bytes = source.read(min(left, _BLOCK))
        if not block:
            if ends:
                return
            raise HTTPInputError(f"the body ends {left} bytes short of its Content-Length")
        left -= len(block)
        if ends and not left:
            raise BodyTooLarge(f"the body is over the limit of {limit} bytes (max_body_size)")
        yield block
