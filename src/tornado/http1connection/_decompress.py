"""Undoing ``Content-Encoding: gzip`` of incoming bodies, in steps and within the body's limit."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.util import GzipDecompressor

if TYPE_CHECKING:
    from tornado.http1connection._exchange import HTTP1Connection

#: Inflated bytes after which the loop gets its turn.
_STEP_LIMIT = 256 * 1024
#: Inflated bytes up to which the ratio does not matter.
_RATIO_FREE = 1024 * 1024


class GzipMessageDelegate(HTTPMessageDelegate):
    """Stands before `delegate` and hands it the inflated body.

    The inflated size counts against the body's limit too; what passes it is an `.HTTPInputError` (400: the
    body as sent was within the limit, the request is at fault). So is what grows by more than
    ``max_inflation_ratio``, where that is set, once it is over 1 MiB.
    """

    def __init__(self, delegate: HTTPMessageDelegate, exchange: HTTP1Connection) -> None:
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
            # The program sees the inflated body; what was there before is kept for whoever wants to know.
            headers.add("X-Consumed-Content-Encoding", headers["Content-Encoding"])
            del headers["Content-Encoding"]
        return self._delegate.headers_received(start_line, headers)

    def _limit(self) -> int:
        exchange = self._exchange
        for limit in (exchange._max_body_size, exchange.params.max_body_size):
            if limit is not None:
                return limit
        return exchange.stream.max_buffer_size

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._decompressor is None:
            return self._delegate.data_received(chunk)
        return self._inflate(self._decompressor, chunk)

    async def _inflate(self, decompressor: GzipDecompressor, data: bytes) -> None:
        limit = self._limit()
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
                    raise HTTPInputError("invalid gzip data in the body: more follows its end")
                break
            self._total += len(piece)
            if self._total > limit:
                raise HTTPInputError(
                    f"decompressed body too large: over the limit of {limit} bytes (max_body_size)"
                )
            if self._ratio is not None and self._total > max(_RATIO_FREE, self._ratio * self._consumed):
                raise HTTPInputError(
                    f"decompressed body too large: over {self._ratio:g} times what was sent "
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
                raise HTTPInputError("invalid gzip data in the body: it ends early")
        return self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()
