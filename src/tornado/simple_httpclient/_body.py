"""`ResponseBody`: decodes the body of a response and delivers it to the program, with back-pressure.

A body that is neither compressed nor streamed does not use this class: the fetch collects its chunks.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from tornado._wire.content_decoders import ContentDecoder
from tornado._wire.errors import HTTPInputError
from tornado.gen import convert_yielded
from tornado.simple_httpclient._connection import ClientConnection

__all__ = ["ResponseBody"]

#: Number of decoded bytes after which control returns to the event loop.
_MAX_STEP = 256 * 1024


class ResponseBody:
    """The receiver of one response's body.

    :param connection: the connection, which is paused while an awaitable of the sink is pending.
    :param decoder: the decoder of the content coding, or None.
    :param sink: the ``streaming_callback``; None collects the body in `chunks`.
    :param context: the context in which the sink runs.
    :param fail: called with the error if the body cannot be decoded.
    :param callback_failed: called with the exception that the sink, or another awaited callback, has raised.

    :ivar received: the number of decoded bytes received so far.
    """

    __slots__ = (
        "_callback_failed",
        "_connection",
        "_context",
        "_decoder",
        "_fail",
        "_is_over",
        "_pause_future",
        "_sink",
        "chunks",
        "received",
    )

    def __init__(
        self,
        connection: ClientConnection,
        decoder: ContentDecoder | None,
        sink: Callable[[bytes], Any] | None,
        context: contextvars.Context,
        fail: Callable[[BaseException], None],
        callback_failed: Callable[[BaseException], None],
    ) -> None:
        self.chunks: list[bytes] = []
        self.received = 0
        self._connection = connection
        self._decoder = decoder
        self._sink = sink
        self._context = context
        self._fail = fail
        self._callback_failed = callback_failed
        self._pause_future: asyncio.Future[Any] | None = None
        self._is_over = False

    def receive(self, data: bytes) -> None:
        """Process a part of the body. Errors are passed to ``fail`` or ``callback_failed``."""
        try:
            if self._decoder is None:
                self.received += len(data)
                waiting = self._deliver(data)
            else:
                self._decoder.receive_data(data)
                waiting = self._decode(self._decoder)
                if waiting is not None:
                    waiting = self._context.run(convert_yielded, self._decode_rest(waiting))
        except HTTPInputError as error:
            self._fail(error)
        except (Exception, asyncio.CancelledError) as error:
            self._callback_failed(error)
        else:
            if waiting is not None:
                self.pause_until(waiting)

    def finish(self) -> None:
        """Process the end of the body.

        :raises .HTTPInputError: if the encoded data is incomplete.
        """
        if self._decoder is not None:
            self._decoder.receive_eof()

    def pause_until(self, waiting: Awaitable[Any]) -> None:
        """Pause the connection until `waiting` is done."""
        future = self._context.run(convert_yielded, waiting)
        if future.done():
            self._check_result(future)
            return
        self._pause_future = future
        self._connection.pause()
        future.add_done_callback(self._pause_done)

    def cancel(self) -> None:
        """Deliver nothing more, and cancel the sink's pending awaitable."""
        self._is_over = True
        future, self._pause_future = self._pause_future, None
        if future is not None:
            future.cancel()

    def _pause_done(self, future: asyncio.Future[Any]) -> None:
        if self._pause_future is not future:
            if not future.cancelled():
                future.exception()  # mark the exception as retrieved
            return
        self._pause_future = None
        if self._check_result(future):
            self._connection.resume()

    def _check_result(self, future: asyncio.Future[Any]) -> bool:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is None:
            return True
        if isinstance(error, HTTPInputError):
            self._fail(error)
        else:
            self._callback_failed(error)
        return False

    def _deliver(self, data: bytes) -> Awaitable[Any] | None:
        sink = self._sink
        if sink is None:
            self.chunks.append(data)
            return None
        result = self._context.run(sink, data)
        return result if result is not None and inspect.isawaitable(result) else None

    def _decode(self, decoder: ContentDecoder) -> Awaitable[Any] | None:
        """Decode and deliver until all input is consumed, or until the caller must wait for an awaitable."""
        produced = 0
        while not self._is_over:
            piece = decoder.next_chunk()
            if piece is None:
                break
            if not piece:
                return asyncio.sleep(0)
            self.received += len(piece)
            waiting = self._deliver(piece)
            if waiting is not None:
                return waiting
            produced += len(piece)
            if produced >= _MAX_STEP:
                return asyncio.sleep(0)
        return None

    async def _decode_rest(self, waiting: Awaitable[Any] | None) -> None:
        decoder = self._decoder
        assert decoder is not None
        while waiting is not None:
            await convert_yielded(waiting)
            waiting = self._decode(decoder)
