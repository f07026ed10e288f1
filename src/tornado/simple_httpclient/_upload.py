"""`Upload`: sends a streamed request body."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable

from tornado._loop.tasks import done_future
from tornado._wire import h1
from tornado._wire.errors import HTTPOutputError
from tornado.httpclient._body import BodySource
from tornado.iostream import IOStream
from tornado.simple_httpclient._errors import HTTPStreamClosedError

__all__ = ["Upload"]


class Upload:
    """The transfer of one request's body.

    :param source: the source of the body.
    :param wait: the maximum time in seconds to wait for ``100 Continue`` before the body is sent; 0 to send
        it immediately.
    :param context: the context in which the source runs.
    :param sent: called with the size in bytes of each part that is written, or None.
    """

    __slots__ = ("_context", "_done", "_remaining", "_sent", "_source", "_stream", "_task", "_timer", "_wait")

    def __init__(
        self,
        source: BodySource,
        wait: float,
        context: contextvars.Context,
        sent: Callable[[int], None] | None = None,
    ) -> None:
        self._source = source
        self._wait = wait
        self._context = context
        self._sent = sent
        self._remaining = source.length
        self._stream: IOStream | None = None
        self._task: asyncio.Task[None] | None = None
        self._done: Callable[[BaseException | None], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, stream: IOStream, done: Callable[[BaseException | None], None]) -> None:
        """Start sending the body, or waiting for ``100 Continue``.

        :param stream: the stream to write to.
        :param done: called with None when the whole body has been written, or with the error of the source.
        """
        self._stream = stream
        self._done = done
        if self._wait:
            self._timer = asyncio.get_running_loop().call_later(self._wait, self.proceed)
        else:
            self._begin()

    def proceed(self) -> None:
        """Send the body, because the server sent ``100 Continue`` or the wait has timed out.

        RFC 9110 section 10.1.1: a client should not wait indefinitely, since an HTTP/1.0 intermediary cannot
        forward ``100 Continue``.
        """
        if self._timer is not None:
            self.stop_waiting()
            self._begin()

    def stop_waiting(self) -> None:
        """Stop waiting, because the server has sent its final response without reading the body."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def cancel(self) -> None:
        """Stop sending. Nothing more is written, and ``done`` is not called."""
        self.stop_waiting()
        self._stream = self._done = None
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._source.send(self.write), context=self._context)
        self._task.add_done_callback(self._finished)

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        """Send a part of the body.

        :returns: a Future that is done when the bytes have been passed to the operating system.
        :raises .HTTPOutputError: if the body becomes longer than its Content-Length, or is already complete.
        """
        stream = self._stream
        if stream is None:
            raise HTTPOutputError("write() called after the request's body was complete or the request ended")
        size = len(chunk)
        if self._remaining is None:
            if not size:
                return done_future(asyncio.get_running_loop())
            written = stream.write(h1.serialize_chunk(bytes(chunk)))
            if self._sent is not None:
                self._sent(size)
            return written
        if size > self._remaining:
            excess = size - self._remaining
            raise HTTPOutputError(f"the request's body is {excess} bytes longer than its Content-Length")
        self._remaining -= size
        written = stream.write(chunk)
        if self._sent is not None:
            self._sent(size)
        return written

    def _finished(self, task: asyncio.Task[None]) -> None:
        """Process the end of the source."""
        error: BaseException | None
        if task.cancelled():
            error = HTTPStreamClosedError("the body of the request was cancelled by its producer")
        else:
            error = task.exception()
        stream, self._stream = self._stream, None
        done, self._done = self._done, None
        self._task = None
        if stream is None or done is None:
            return  # cancelled
        if error is None:
            if self._remaining is None:
                _ = stream.closed() or stream.write(h1.LAST_CHUNK)
            elif self._remaining:
                error = HTTPOutputError(
                    f"the request's body is {self._remaining} bytes shorter than its Content-Length"
                )
        done(error)
