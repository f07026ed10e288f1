"""Private classes of upstream that programs import or name in an ``except`` clause (OctoPrint does both)."""

from __future__ import annotations

import logging
import zlib
from types import TracebackType

from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.util import GzipDecompressor


class _QuietException(Exception):
    """An error that was logged already. Nothing here raises it, except `_ExceptionLoggingContext`."""


class _ExceptionLoggingContext:
    """Logs an exception that leaves its ``with`` block, and raises `_QuietException` instead."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if isinstance(value, Exception) and not isinstance(value, _QuietException):
            self.logger.error("Uncaught exception", exc_info=value)
            raise _QuietException from value


class _GzipMessageDelegate(HTTPMessageDelegate):
    """Decompresses a body for another delegate, in pieces of at most ``chunk_size`` bytes.

    The server itself uses a delegate that also has the connection's limits.

    :raises HTTPInputError: if the data is invalid or ends early.
    """

    def __init__(self, delegate: HTTPMessageDelegate, chunk_size: int) -> None:
        self._delegate = delegate
        self._chunk_size = chunk_size
        self._decompressor: GzipDecompressor | None = None

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        if headers.get("Content-Encoding", "").lower() == "gzip":
            self._decompressor = GzipDecompressor()
            headers.add("X-Consumed-Content-Encoding", headers["Content-Encoding"])
            del headers["Content-Encoding"]
        if (waiting := self._delegate.headers_received(start_line, headers)) is not None:
            await waiting

    async def data_received(self, chunk: bytes) -> None:
        if self._decompressor is None:
            await self._pass_on(chunk)
        while self._decompressor is not None and chunk:
            try:
                data = self._decompressor.decompress(chunk, self._chunk_size)
            except zlib.error as error:
                raise HTTPInputError(f"invalid gzip data in the body: {error}") from error
            if data:
                await self._pass_on(data)
            chunk = self._decompressor.unconsumed_tail
            if chunk and not data:
                raise HTTPInputError("invalid gzip data in the body: data after its end")

    async def _pass_on(self, data: bytes) -> None:
        if (waiting := self._delegate.data_received(data)) is not None:
            await waiting

    def finish(self) -> None:
        if self._decompressor is not None and self._decompressor.flush():
            raise HTTPInputError("invalid gzip data in the body: unexpected end")
        self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()
