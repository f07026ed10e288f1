"""Large bodies on their way through a compressor: what was written, and has not been compressed yet.

A transform is synchronous, and to compress 50 MB takes half a second or more. So a large part is put here
instead: the head is sent, and a task compresses slice after slice in a thread (the compressors let go of the
interpreter's lock) and writes each as the client takes it. Meanwhile the loop serves others, and no more than
a slice of output waits for a slow client. What the handler writes later queues up behind, so the order holds,
and the end of the response is put off until the last of it is written. The Future of ``flush()`` and
``finish()`` is done when the part they sent is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from tornado.concurrent import Future
from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.log import app_log
from tornado.web._content_codings import MAX_AT_ONCE, Compressor
from tornado.web._worker_threads import Workers

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

_workers = Workers("compression")
#: Keeps tasks alive that only wait for a thread.
_tasks: set[asyncio.Task[None]] = set()


class CompressionQueue:
    """The large parts of one response, and the small ones behind them.

    :param connection: the exchange to write to.
    """

    __slots__ = ("_connection", "_finishes", "_last", "_queue", "_task")

    def __init__(self, connection: HTTP1Connection) -> None:
        self._connection = connection
        self._queue: deque[tuple[Compressor, bytes, bool, Future[None]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._last: Future[None] | None = None
        self._finishes = False

    def put(self, compressor: Compressor, chunk: bytes, finishing: bool) -> None:
        """Take a part of the body; `start` begins with it."""
        if not chunk and not finishing and self._last is not None:
            return  # nothing that the part before it has not flushed
        self._last = Future()
        self._queue.append((compressor, chunk, finishing, self._last))

    def busy(self) -> bool:
        """Whether something is still to be compressed or written. What was put and never started belongs to
        a head that could not be sent.
        """
        return self._task is not None

    def start(self) -> Future[None] | None:
        """See to it that what was put is worked off.

        :returns: a Future for the part put last, or None if none was put.
        """
        if self._queue and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
            _tasks.add(self._task)
            self._task.add_done_callback(_tasks.discard)
        return self._last if self._task is not None else None

    def finish(self) -> bool:
        """End the response when all of it is written; False if there is nothing to wait for."""
        if self._task is None:
            return False
        self._finishes = True
        self._connection.set_close_callback(None)  # the handler is through, as after any finish()
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
            elif connection.stream is None or connection.stream.closed():
                raise StreamClosedError
        piece = await in_thread(workers, compressor.finish if finishing else compressor.flush)
        if piece:
            await connection.write(piece)

    def _fail(self, done: Future[None] | None, error: BaseException) -> None:
        """Tell whoever waits, and break the response off, as it cannot be completed."""
        if not isinstance(error, (StreamClosedError, asyncio.CancelledError)):
            app_log.error("Could not compress a response", exc_info=error)
        self._connection.close()
        for waiting in (done, *(entry[3] for entry in self._queue)):
            if waiting is not None and not waiting.done():
                if isinstance(error, asyncio.CancelledError):
                    waiting.cancel()
                else:
                    waiting.set_exception(error)
                    waiting.exception()  # whoever does not look at it knew that the client may go
        self._queue.clear()


def prepare(handler: RequestHandler, size: int) -> CompressionQueue | None:
    """Before a handler's transforms see a part of `size` bytes: the backlog that it may go to.

    There is one if a part before this one is still in it, or if this one is large. Transforms that come after
    the compression see its output, part by part; where there are any, nothing is put off.
    """
    transform: Any = handler._transforms[-1]
    backlog: CompressionQueue | None = getattr(transform, "_backlog", _NOT_OURS)
    if backlog is _NOT_OURS:
        return None
    if backlog is not None:
        if backlog.busy():
            return backlog
        backlog = transform._backlog = None
    if size > MAX_AT_ONCE and handler.request.method != "HEAD":
        connection: Any = handler.request.connection
        if isinstance(connection, HTTP1Connection) and connection.stream is not None:
            backlog = transform._backlog = CompressionQueue(connection)
    return backlog


def finish(handler: RequestHandler) -> bool:
    """Whether a backlog will end the response when it is written, so that nobody else may."""
    backlog: CompressionQueue | None = getattr(handler._transforms[-1], "_backlog", None)
    return backlog is not None and backlog.finish()


_NOT_OURS: Any = object()
