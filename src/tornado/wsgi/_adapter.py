"""`WSGIAdapter`: an `.Application` on a WSGI server, as in Tornado 4."""

from __future__ import annotations

import asyncio
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from tornado._loop.tasks import done_future
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
from tornado.log import gen_log

# Characters that are allowed in a path besides letters, digits and "-._~" (RFC 3986 section 3.3).
_PATH_SAFE = "/!$&'()*+,;=:@"
_DIGITS = re.compile(r"[0-9]{1,19}")
_BLOCK = 64 * 1024
# Hop-by-hop fields, which the WSGI server sets itself.
_HOP_BY_HOP = frozenset({"Connection", "Transfer-Encoding"})

StartResponse = Callable[..., Any]


class WSGIAdapter:
    """A WSGI application that runs an `.Application`.

    ::

        wsgi_app = tornado.wsgi.WSGIAdapter(application)
        wsgiref.simple_server.make_server("", 8888, wsgi_app).serve_forever()

    Each request runs in a separate event loop, in the thread of the call. The complete response is collected
    before it is sent. Coroutines work; tasks that they start are cancelled at the end of the request.
    WebSockets, ``detach`` and streamed responses do not work. If the thread is already running an event loop,
    a handler that has to wait causes a RuntimeError.

    Deprecated: `.Application.listen` has more features and is faster.

    :param application: an `.Application`, or another `.HTTPServerConnectionDelegate`.
    """

    #: The maximum size of a request body in bytes, for handlers that do not set a limit. Larger bodies are
    #: rejected with 413. It may be set on the adapter or on a subclass.
    max_body_size = 100 * 1024 * 1024

    def __init__(self, application: HTTPServerConnectionDelegate) -> None:
        warnings.warn(
            "WSGIAdapter is deprecated: serve the application with Application.listen() or HTTPServer",
            DeprecationWarning,
            stacklevel=2,
        )
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        """Run the application for one request (PEP 3333)."""
        connection = _Connection(environ, self.max_body_size)
        try:
            self._run(environ, connection)
            status, headers, body = connection.response()
        except HTTPInputError as error:
            kind = "Unsatisfiable read, oversized" if isinstance(error, BodyTooLarge) else "Malformed HTTP"
            gen_log.info("%s message from %s: %s", kind, connection.context, error)
            status, headers, body = _error_response(error)
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" or not body else [body]

    def _run(self, environ: dict[str, Any], connection: _Connection) -> None:
        coroutine = self._serve_request(environ, connection)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            with asyncio.Runner() as runner:
                runner.run(coroutine)
            return
        # Run the coroutine until it waits for the first time.
        try:
            coroutine.send(None)
        except StopIteration:
            return
        coroutine.close()
        raise RuntimeError(
            f"the handler of {environ.get('PATH_INFO')!r} must not wait in a thread "
            "whose event loop is running: call WSGIAdapter in another thread"
        )

    async def _serve_request(self, environ: dict[str, Any], connection: _Connection) -> None:
        connection.finished = asyncio.get_running_loop().create_future()
        message = self.application.start_request(None, connection)
        line, headers = _request_head(environ)
        await _result(message.headers_received(line, headers))
        for block in _read_body(environ, connection):
            await _result(message.data_received(block))
            if connection.finished.done():
                return  # the response is finished, so the rest of the body is not read
        if not connection.finished.done():
            await _result(message.finish())  # type: ignore[func-returns-value]
        await connection.finished


async def _result(value: Any) -> None:
    while inspect.isawaitable(value):
        value = await value


class _Context:
    """The address and protocol of the client, as reported by the WSGI server."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.remote_ip: str = environ.get("REMOTE_ADDR") or "0.0.0.0"
        self.protocol: str = environ["wsgi.url_scheme"]
        self.address = None

    def __str__(self) -> str:
        return self.remote_ip


class _Connection(HTTPConnection):
    """A connection that collects the response to one request."""

    #: Done when the response is complete.
    finished: Future[None]

    def __init__(self, environ: dict[str, Any], max_body_size: int) -> None:
        self.context = _Context(environ)
        self.max_body_size = max_body_size
        self._line: ResponseStartLine | None = None
        self._headers = HTTPHeaders()
        self._body: list[bytes] = []
        self._is_head = environ["REQUEST_METHOD"] == "HEAD"
        #: Bytes of the body that must still be written; None without a Content-Length.
        self._remaining: int | None = None

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Ignore `callback`: a WSGI server does not report that the client has disconnected."""

    def set_max_body_size(self, max_body_size: int) -> None:
        """Limit the size of the request body.

        :param max_body_size: the size in bytes; a larger body is rejected with 413.
        """
        self.max_body_size = max_body_size

    def set_body_timeout(self, timeout: float) -> None:
        """Ignore `timeout`: the WSGI server applies its timeouts."""

    def disable_body_limit(self) -> int:
        """Disable the limit on the request body, because the caller enforces it from now on.

        :returns: the limit in bytes.
        """
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
        # In the excluded cases, Content-Length is the length of a body that is not sent (RFC 9110 section
        # 8.6).
        if "Content-Length" in headers and not self._is_head and start_line.code not in (204, 304):
            self._remaining = int(headers["Content-Length"])
        return self.write(chunk or b"")

    def write(self, chunk: bytes) -> Future[None]:
        if self._remaining is not None:
            if len(chunk) > self._remaining:
                self._remaining = None  # finish() must not raise another error
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
        """Return status, header fields and body."""
        line = self._line
        if line is None:
            raise RuntimeError("the application finished its response without calling write_headers()")
        reason = line.reason or responses.get(line.code, "Unknown")
        fields = [(name, str(value)) for name, value in self._headers.get_all() if name not in _HOP_BY_HOP]
        return f"{line.code} {reason}", fields, b"".join(self._body)


def _error_response(error: HTTPInputError) -> tuple[str, list[tuple[str, str]], bytes]:
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
    # For a handler, all versions after HTTP/1.0 are equivalent.
    version = version if version == "HTTP/1.0" else "HTTP/1.1"
    return RequestStartLine(environ["REQUEST_METHOD"], target, version), headers


def _read_body(environ: dict[str, Any], connection: _Connection) -> Iterator[bytes]:
    """Yield the body in blocks, up to Content-Length: reading more might block forever (PEP 3333)."""
    length: str = environ.get("CONTENT_LENGTH") or ""
    if length and _DIGITS.fullmatch(length) is None:
        raise HTTPInputError(f"Content-Length must be a single decimal number, got {length!r:.100}")
    terminated = bool(environ.get("wsgi.input_terminated")) and not length
    limit = connection.max_body_size
    remaining = limit + 1 if terminated else int(length or 0)
    if not terminated and remaining > limit:
        raise BodyTooLarge(f"Content-Length {length} is over the limit of {limit} bytes (max_body_size)")
    source = environ["wsgi.input"]
    while remaining:
        block: bytes = source.read(min(remaining, _BLOCK))
        if not block:
            if terminated:
                return
            raise HTTPInputError(f"the body is {remaining} bytes shorter than its Content-Length")
        remaining -= len(block)
        if terminated and not remaining:
            raise BodyTooLarge(f"the body is over the limit of {limit} bytes (max_body_size)")
        yield block
