"""Decompression of incoming ``Content-Encoding: gzip`` bodies, in steps and up to the body size limit."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable
from typing import Any

from tornado.http1connection._interfaces import Exchange
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.util import GzipDecompressor

#: The number of decompressed bytes after which control returns to the event loop for one iteration.
_STEP_LIMIT = 256 * 1024
#: The number of decompressed bytes up to which the ratio is not limited.
_RATIO_FREE = 1024 * 1024


class GzipMessageDelegate(HTTPMessageDelegate):
    """A message delegate that decompresses the body and passes it to another delegate.

    The limit on the body size applies to the decompressed size too. A larger body causes an `.HTTPInputError`
    (400, not 413, because the body as sent is within the limit). If ``max_inflation_ratio`` is set, the same
    error is raised for a body that exceeds both 1 MiB and ``max_inflation_ratio`` times its compressed size.

    :param delegate: the delegate that receives the decompressed body.
    :param exchange: the exchange whose limits apply.
    """

    def __init__(self, delegate: HTTPMessageDelegate, exchange: Exchange) -> None:
        self._delegate = delegate
        self._exchange = exchange
        self._chunk_size = exchange.params.chunk_size
        self._decompressor: GzipDecompressor | None = None
        self._ratio = exchange.params.protection.max_inflation_ratio
        self._consumed = self._total = 0

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        if headers.get("Content-Encoding", "").lower() == "gzip":
            self._decompressor = GzipDecompressor()
            # The field no longer describes the body. Programs can still read its value under another name.
            headers.add("X-Consumed-Content-Encoding", headers["Content-Encoding"])
            del headers["Content-Encoding"]
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._decompressor is None:
            return self._delegate.data_received(chunk)
        return self._inflate(self._decompressor, chunk)

    async def _inflate(self, decompressor: GzipDecompressor, data: bytes) -> None:
        limit = self._exchange.body_limit()
        since_yield = 0
        while data:
            try:
                piece = decompressor.decompress(data, self._chunk_size)
            except (ValueError, zlib.error, EOFError, OSError) as error:
                raise HTTPInputError(f"invalid gzip data in the body: {error}") from error
            self._consumed += len(data)
            data = decompressor.unconsumed_tail
            self._consumed -= len(data)
            if not piece:
                if data:
                    raise HTTPInputError("invalid gzip data in the body: data after its end")
                break
            self._total += len(piece)
            if self._total > limit:
                raise HTTPInputError(
                    f"decompressed body too large: over the limit of {limit} bytes (max_body_size)"
                )
            if self._ratio is not None and self._total > max(_RATIO_FREE, self._ratio * self._consumed):
                raise HTTPInputError(
                    f"decompressed body too large: over {self._ratio:g} times the compressed size "
                    "(max_inflation_ratio)"
                )
            result: Any = self._delegate.data_received(piece)
            if result is not None:
                await result
            since_yield += len(piece)
            if since_yield >= _STEP_LIMIT:
                since_yield = 0
                await asyncio.sleep(0)

    def finish(self) -> None:
        if self._decompressor is not None:
            try:
                tail = self._decompressor.flush()
            except (ValueError, zlib.error, EOFError, OSError) as error:
                raise HTTPInputError(f"invalid gzip data in the body: {error}") from error
            if tail:
                raise HTTPInputError("invalid gzip data in the body: unexpected end")
        return self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()
