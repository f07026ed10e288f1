"""Passing a response from the application's thread to the event loop that sends it.

The thread passes a head, chunks and the end of the response to the event loop, which joins the chunks and
writes all parts in its next iteration. A thread with more than `WINDOW` bytes of unsent output waits until
the client has read some of it, which limits the memory used by one response. Because a client that does not
read blocks a thread, its connection is closed after a time limit.

If the application runs in the event loop's thread (``dummy_executor``), each part is written immediately, and
the application never waits.
"""

from __future__ import annotations

import asyncio
import threading
from time import monotonic
from typing import Any

from tornado.concurrent import Future
from tornado.httputil._server_exchange import ServerExchange
from tornado.iostream import StreamClosedError
from tornado.log import app_log, gen_log
from tornado.wsgi._response_head import ResponseHead

#: The number of unsent bytes above which the application must wait.
WINDOW = 64 * 1024
#: The time in seconds after which an event loop that is not running is considered stopped. Without this
#: check, a thread would wait for it forever, and the interpreter could not exit.
_STOPPED_AFTER = 5.0
_CHECK_INTERVAL = 1.0


class ResponseBridge:
    """One response, from the application's thread to the connection.

    Create it in the event loop's thread. `put` and `abort` may be called from any thread, but not from
    several at the same time.

    :param connection: the connection to which the response is written.
    :param send_timeout: how long `put` waits for a client that does not read, in seconds; None for no limit.
    """

    def __init__(
        self, connection: Any, loop: asyncio.AbstractEventLoop, send_timeout: float | None = None
    ) -> None:
        self._connection = connection
        self._loop = loop
        self._send_timeout = send_timeout
        self._loop_thread = threading.get_ident()
        self._changed = threading.Condition(threading.Lock())
        self._head: ResponseHead | None = None
        self._chunks: list[bytes] = []
        self._last = False
        self._aborted = False
        self._scheduled_at: float | None = None
        self._unsent = 0
        #: Whether the client has disconnected, or its connection was closed.
        self.disconnected = False

    @property
    def in_loop(self) -> bool:
        """Whether the current thread is that of the event loop."""
        return threading.get_ident() == self._loop_thread

    def put(self, head: ResponseHead | None, chunk: bytes, last: bool) -> None:
        """Pass the next part to the event loop, and wait while too much output is unsent.

        :param head: the head, with the first part; None with later parts.
        :param last: whether this is the end of the response.
        :raises StreamClosedError: if the client has disconnected or does not read.
        """
        with self._changed:
            if self.disconnected:
                raise StreamClosedError()
            if head is not None:
                self._head = head
            if chunk:
                self._chunks.append(chunk)
                self._unsent += len(chunk)
            self._last = last
            self._schedule()
        if self.in_loop:
            self._transfer()
        elif not last:
            self._wait()

    def abort(self) -> None:
        """Close the connection, so that the client notices that the response is incomplete."""
        with self._changed:
            self._aborted = True
            try:
                self._schedule()
            except StreamClosedError:
                return
        if self.in_loop:
            self._transfer()

    # -- in the application's thread --

    def _schedule(self) -> None:
        if self.in_loop:
            return
        if self._scheduled_at is not None:
            self._check_loop()
            return
        self._scheduled_at = monotonic()
        try:
            self._loop.call_soon_threadsafe(self._transfer)
        except RuntimeError:  # the loop is closed
            self.disconnected = True
            raise StreamClosedError() from None

    def _wait(self) -> None:
        with self._changed:
            waiting_since = progressed_at = monotonic()
            progress = self._progress()
            while self._unsent > WINDOW and not self.disconnected:
                if not self._changed.wait(_CHECK_INTERVAL):
                    self._check_loop(waiting_since)
                now = monotonic()
                if progress != (progress := self._progress()):
                    progressed_at = now
                elif self._send_timeout is not None and now - progressed_at > self._send_timeout:
                    self._close_slow_client()
            if self.disconnected:
                raise StreamClosedError()

    def _progress(self) -> tuple[int, int]:
        """Return a value that changes when the client reads."""
        return self._unsent, getattr(self._connection, "unsent_size", 0)

    def _close_slow_client(self) -> None:
        self.disconnected = True
        try:
            self._loop.call_soon_threadsafe(self._close)
        except RuntimeError:
            pass  # the loop is closed, and so is the connection

    def _check_loop(self, since: float | None = None) -> None:
        """Raise `StreamClosedError` if the event loop has stopped.

        :param since: the time since which the thread waits (`monotonic`, in seconds); by default, the time at
            which the pending call in the loop was scheduled.
        """
        loop = self._loop
        since = self._scheduled_at if since is None else since
        if loop.is_closed() or (
            not loop.is_running() and since is not None and monotonic() - since > _STOPPED_AFTER
        ):
            self.disconnected = True
            raise StreamClosedError()

    # -- in the loop --

    def _close(self) -> None:
        connection = self._connection
        gen_log.info(
            "Closing connection: the client did not read a WSGI response for %s s (send_timeout): %s",
            self._send_timeout,
            getattr(connection, "context", None),
        )
        close = getattr(connection, "close", connection.finish)
        close()

    def transfer_now(self) -> None:
        """Send what the application's thread has put, before the callback that is scheduled for it."""
        if self._scheduled_at is not None:
            self._transfer()

    def _transfer(self) -> None:
        with self._changed:
            head, self._head = self._head, None
            chunks, self._chunks = self._chunks, []
            last, self._last = self._last, False
            aborted, self._aborted = self._aborted, False
            self._scheduled_at = None
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        connection = self._connection
        try:
            if head is not None:
                self._track_write(connection.write_headers(head.line, head.headers, data or None), len(data))
            elif data:
                self._track_write(connection.write(data), len(data))
            if aborted:
                _abort_response(connection)
            elif last:
                connection.finish()
        except Exception as error:
            if not isinstance(error, StreamClosedError):
                app_log.error("Cannot send the response of a WSGI application", exc_info=error)
                _abort_response(connection)
            self._mark_sent(len(data), disconnected=True)

    def _track_write(self, written: Any, size: int) -> None:
        """Call `_write_finished` now or when the write is done."""
        if isinstance(written, asyncio.Future) and not written.done():
            written.add_done_callback(lambda future: self._write_finished(future, size))
        else:
            self._write_finished(written, size)

    def _write_finished(self, written: Future[None] | None, size: int) -> None:
        failed = isinstance(written, asyncio.Future) and (
            written.cancelled() or written.exception() is not None
        )
        self._mark_sent(size, failed)

    def _mark_sent(self, size: int, disconnected: bool) -> None:
        with self._changed:
            self._unsent -= size
            if disconnected:
                self.disconnected = True
            self._changed.notify()


def _abort_response(connection: Any) -> None:
    """End an incomplete response so that the client does not mistake it for a complete one: pending output is
    sent, then the connection is closed without the last chunk (RFC 9112 section 8).
    """
    if isinstance(connection, ServerExchange):
        connection.truncate_body()
    connection.finish()
