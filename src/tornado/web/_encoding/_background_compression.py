"""Compression of large bodies in a thread.

A transform is synchronous, and compressing 50 MB takes half a second or more. Therefore a large part of a
body is added to a queue. The head is sent, and a task compresses the part in a thread, one slice at a time
(the compressors release the GIL), and writes each slice when the previous one has been sent. The event
loop is not blocked, and at most one slice of output is buffered for a slow client. Subsequent parts are added
to the same queue, so the order is preserved, and the response ends when the queue is empty. The Futures of
``flush()`` and ``finish()`` are done when the corresponding part has been written.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from tornado import httputil
from tornado._loop.tasks import keep_reference
from tornado.concurrent import Future
from tornado.httputil._server_exchange import ServerExchange
from tornado.iostream import StreamClosedError
from tornado.log import app_log
from tornado.web._encoding._content_codings import MAX_AT_ONCE, Compressor
from tornado.web._internal_threads import InternalThreads

_workers = InternalThreads("compression")


class CompressionQueue:
    """A queue of uncompressed parts of one response: large parts, and small parts that follow them.

    :param connection: the exchange to write to.
    """

    __slots__ = ("_connection", "_finishes", "_last", "_queue", "_task")

    def __init__(self, connection: ServerExchange) -> None:
        self._connection = connection
        self._queue: deque[tuple[Compressor, bytes, bool, Future[None]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._last: Future[None] | None = None
        self._finishes = False

    def put(self, compressor: Compressor, chunk: bytes, finishing: bool) -> None:
        """Add a part of the body to the queue; see `start`."""
        if not chunk and not finishing and self._last is not None:
            return  # the previous part is flushed anyway
        self._last = Future()
        self._queue.append((compressor, chunk, finishing, self._last))

    def busy(self) -> bool:
        """Whether the task is running.

        The task does not exist if `start` was never called, because the head could not be sent.
        """
        return self._task is not None

    def start(self) -> Future[None] | None:
        """Start the task if there are parts and it is not running.

        :returns: a Future for the last part, or None if no part was added.
        """
        if self._queue and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
            _ = keep_reference(self._task)  # nothing else refers to a task that waits for a thread
        return self._last if self._task is not None else None

    def finish(self) -> bool:
        """End the response when all parts are written; return False if the task is not running."""
        if self._task is None:
            return False
        self._finishes = True
        self._connection.set_close_callback(None)  # as after any finish(), a disconnect is ignored
        return True

    async def _work(self) -> None:
        done: Future[None] | None = None
        try:
            while self._queue:
                compressor, chunk, finishing, done = self._queue.popleft()
                await self._compress(compressor, chunk, finishing)
                if not done.done():
                    done.set_result(None)
        except BaseException as error:
            self._fail(done, error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._task = None
            if self._finishes:
                self._connection.finish()

    async def _compress(self, compressor: Compressor, chunk: bytes, finishing: bool) -> None:
        in_thread = asyncio.get_running_loop().run_in_executor
        workers = _workers.executor()
        connection = self._connection
        view = memoryview(chunk)
        for position in range(0, len(chunk), MAX_AT_ONCE):
            piece = await in_thread(workers, compressor.compress, view[position : position + MAX_AT_ONCE])
            if piece:
                await connection.write(piece)
            elif connection.is_closed():
                raise StreamClosedError
        piece = await in_thread(workers, compressor.finish if finishing else compressor.flush)
        if piece:
            await connection.write(piece)

    def _fail(self, done: Future[None] | None, error: BaseException) -> None:
        """Close the connection, because the response is incomplete, and set the exception of all Futures."""
        if not isinstance(error, (StreamClosedError, asyncio.CancelledError)):
            app_log.error("Compressing a response failed, closing the connection", exc_info=error)
        self._connection.close()
        for waiting in (done, *(entry[3] for entry in self._queue)):
            if waiting is not None and not waiting.done():
                if isinstance(error, asyncio.CancelledError):
                    waiting.cancel()
                else:
                    waiting.set_exception(error)
                    waiting.exception()  # prevents a warning if the Future is never awaited
        self._queue.clear()


def prepare(transforms: list[Any], request: httputil.HTTPServerRequest, size: int) -> CompressionQueue | None:
    """Return the queue for a part of `size` bytes, or None if the part is compressed synchronously.

    The function is called before the transforms are applied to the part. A queue is used if it still contains
    a previous part, or if this part is large. It is not used if other transforms follow the compression,
    because they need the compressed output.
    """
    transform: Any = transforms[-1]
    queue: CompressionQueue | None = getattr(transform, "_queue", _NOT_COMPRESSING)
    if queue is _NOT_COMPRESSING:
        return None
    if queue is not None:
        if queue.busy():
            return queue
        queue = transform._queue = None
    if size > MAX_AT_ONCE and request.method != "HEAD":
        connection: Any = request.connection
        if isinstance(connection, ServerExchange) and not connection.is_detached:
            queue = transform._queue = CompressionQueue(connection)
    return queue


def finish(transforms: list[Any]) -> bool:
    """Make the queue end the response after its last part. Return False if there is no queue, so that the
    caller must end the response.
    """
    queue: CompressionQueue | None = getattr(transforms[-1], "_queue", None)
    return queue is not None and queue.finish()


_NOT_COMPRESSING: Any = object()
