"""`ResponseStream`: a response whose body is read as it arrives."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from types import TracebackType
from typing import Any

from tornado import httputil
from tornado.concurrent import Future
from tornado.httpclient._request import HTTPRequest
from tornado.httpclient._response import HTTPClientError, HTTPResponse

__all__ = ["ResponseStream"]

#: Maximum number of bytes to buffer for the program before reading from the connection pauses.
_READ_AHEAD = 64 * 1024
#: Maximum number of bytes of an error response's body to keep for the exception.
_ERROR_BODY = 64 * 1024


class ResponseStream:
    """A response and the asynchronous context manager for reading it; returned by `AsyncHTTPClient.stream`.

    Entering the context waits for the head of the response. Leaving it before the end of the body aborts the
    request and closes its connection. While the program does not read, at most about 64 KiB are buffered.

    :ivar request: the `HTTPRequest`.
    :ivar code: the status code.
    :ivar reason: the reason phrase.
    :ivar headers: an `.HTTPHeaders`.
    """

    request: HTTPRequest
    code: int
    reason: str
    headers: httputil.HTTPHeaders

    def __init__(
        self, fetch: Callable[[HTTPRequest], Future[HTTPResponse]], request: HTTPRequest, raise_error: bool
    ) -> None:
        if request.streaming_callback is not None:
            raise ValueError("stream() does not accept a streaming_callback: iterate over the response")
        self.request = request
        self._fetch = fetch
        self._raise_error = raise_error
        self._header_callback = request.header_callback
        self._fetching: Future[HTTPResponse] | None = None
        self._has_head = False
        self._chunks: deque[bytes] = deque()
        self._size = 0
        #: Done when a chunk or the end of the body can be read; None while the program is not waiting.
        self._data_waiter: asyncio.Future[None] | None = None
        #: Done when the connection may deliver more data; None while the buffer has space.
        self._drain_waiter: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        state = f"{self.code}" if self._has_head else "waiting"
        return f"<ResponseStream {self.request.method} {state}, {self._size} bytes to be read>"

    # -- interface for the program --

    async def __aenter__(self) -> ResponseStream:
        """Send the request and wait for the head of its response.

        :raises HTTPClientError: for a status code other than 2xx, unless ``raise_error`` is false. The
            error's response has up to 64 KiB of the body.
        """
        request = copy.copy(self.request)
        request.streaming_callback = self._body_received
        request.header_callback = self._line_received
        self._fetching = self._fetch(request)
        self._fetching.add_done_callback(self._fetch_done)
        try:
            while not self._has_head and not self._fetching.done():
                await self._wait()
            if not self._has_head:
                self._take_head(self._fetching.result())
            if self._raise_error and not 200 <= self.code < 300:
                raise await self._status_error()
        except BaseException:
            self._abort()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._abort()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the rest of the body in chunks as they arrive, after decompression if that is enabled.

        :raises HTTPClientError: or any other error of `AsyncHTTPClient.fetch`, if the response ends early.
        """
        while True:
            while self._chunks:
                yield self._take_chunk()
            fetching = self._fetching
            if fetching is None:
                raise RuntimeError("the response can be read only inside its 'async with' block")
            if fetching.done():
                if not self._chunks:
                    self._check_error(fetching)
                    return
                continue
            await self._wait()

    async def read(self) -> bytes:
        """Return the rest of the body."""
        return b"".join([chunk async for chunk in self])

    # -- callbacks for the client --

    def _line_received(self, line: str) -> Any:
        """Parse a line of the head. Each redirect has a head too; the head received last applies."""
        if line.startswith("HTTP/"):
            _, _, rest = line.rstrip("\r\n").partition(" ")
            code, _, self.reason = rest.partition(" ")
            self.code = int(code)
            self.headers = httputil.HTTPHeaders()
            self._has_head = False
        elif line.strip("\r\n"):
            self.headers.parse_line(line)
        else:
            self._has_head = self.code >= 200
            self._notify()
        return None if self._header_callback is None else self._header_callback(line)

    def _body_received(self, chunk: bytes) -> asyncio.Future[None] | None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._notify()
        if self._size <= _READ_AHEAD:
            return None
        if self._drain_waiter is None:
            self._drain_waiter = asyncio.get_running_loop().create_future()
        return self._drain_waiter

    def _fetch_done(self, fetching: Future[HTTPResponse]) -> None:
        if not fetching.cancelled():
            fetching.exception()  # mark the exception as retrieved, because iterating raises it
        self._notify()

    # -- synchronization of the program and the client --

    async def _wait(self) -> None:
        self._data_waiter = asyncio.get_running_loop().create_future()
        try:
            await self._data_waiter
        finally:
            self._data_waiter = None

    def _notify(self) -> None:
        if self._data_waiter is not None and not self._data_waiter.done():
            self._data_waiter.set_result(None)

    def _take_chunk(self) -> bytes:
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._size <= _READ_AHEAD and self._drain_waiter is not None:
            waiter, self._drain_waiter = self._drain_waiter, None
            if not waiter.done():
                waiter.set_result(None)
        return chunk

    def _take_head(self, response: HTTPResponse) -> None:
        """Copy the head from a complete response, because ``header_callback`` was not called."""
        self._check_error(response)
        self.code, self.reason, self.headers = response.code, response.reason, response.headers
        self._has_head = True

    def _check_error(self, outcome: Future[HTTPResponse] | HTTPResponse) -> None:
        response = outcome if isinstance(outcome, HTTPResponse) else outcome.result()
        error = response.error
        if error is not None and getattr(error, "response", None) is not response:
            raise error  # the response is missing or incomplete; the error is not about its status code

    async def _status_error(self) -> HTTPClientError:
        body = b""
        async for chunk in self:
            body += chunk
            if len(body) >= _ERROR_BODY:
                break
        response = HTTPResponse(
            self.request,
            self.code,
            headers=self.headers,
            buffer=BytesIO(body[:_ERROR_BODY]),
            reason=self.reason,
        )
        error = response.error
        assert isinstance(error, HTTPClientError)
        return error

    def _abort(self) -> None:
        """Cancel the fetch if it has not ended, and discard buffered chunks."""
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching.cancel()
        self._chunks.clear()
        self._size = 0
        waiter, self._drain_waiter = self._drain_waiter, None
        if waiter is not None:
            waiter.cancel()
