"""`Upload`: a request's body that is made as it is sent."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from tornado._tasks import done_future
from tornado._wire import h1
from tornado._wire.errors import HTTPOutputError
from tornado.gen import convert_yielded
from tornado.iostream import IOStream
from tornado.simple_httpclient._errors import HTTPStreamClosedError

__all__ = ["BodySource", "BytesSource", "ProducerSource", "Upload"]

#: Bytes of a body in memory that are written at a time.
_SLICE = 256 * 1024

_Write = Callable[[bytes], Awaitable[None]]


class BodySource(Protocol):
    """Where a body comes from.

    :ivar length: its size in bytes, or None where only sending it will tell: then it is sent in chunks.
    :ivar replayable: whether it can be sent again, for a retry or a redirect.
    """

    length: int | None
    replayable: bool

    async def send(self, write: _Write) -> None:
        """Call ``write`` with each part and await what it returns."""


class ProducerSource:
    """A ``body_producer``: a function that is called with ``write``.

    :param length: the value of the request's Content-Length field, or None.
    """

    #: It may be called again for a redirect, as it always was; but what it reads from may be used up.
    replayable = False

    def __init__(self, producer: Callable[[_Write], Awaitable[None] | None], length: int | None) -> None:
        self._producer = producer
        self.length = length

    async def send(self, write: _Write) -> None:
        """Call the producer, and wait for it if it is a coroutine function."""
        produced: Any = self._producer(write)
        if produced is not None:
            await convert_yielded(produced)


class BytesSource:
    """A body that is in memory, and waits for ``100 Continue``."""

    replayable = True

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.length = len(content)

    async def send(self, write: _Write) -> None:
        """Write it in slices, so that progress can be reported."""
        for start in range(0, len(self._content), _SLICE):
            await write(self._content[start : start + _SLICE])


class Upload:
    """Sends the body of one request.

    :param source: where the body comes from.
    :param wait: how many seconds to wait for ``100 Continue`` before the body is sent; 0 for no wait.
    :param context: what the source runs in.
    :param sent: called with the size of each part that was written, or None.
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
        """Begin to send.

        :param done: called with None once all of the body was written, or with the error of the source.
        """
        self._stream = stream
        self._done = done
        if self._wait:
            self._timer = asyncio.get_running_loop().call_later(self._wait, self.proceed)
        else:
            self._begin()

    def proceed(self) -> None:
        """Send the body: the server asks for it, or has not answered for long enough.

        RFC 9110 section 10.1.1: a client must not wait for an indefinite period, since the server or a proxy
        may not know the expectation.
        """
        if self._timer is not None:
            self.refuse()
            self._begin()

    def refuse(self) -> None:
        """Stop waiting: the server has given its final response without the body."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def cancel(self) -> None:
        """Stop. Nothing more is written, whatever the source does, and ``done`` is not called."""
        self.refuse()
        self._stream = self._done = None
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._source.send(self.write), context=self._context)
        self._task.add_done_callback(self._finished)

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        """Send a part of the body.

        :returns: a Future that is done when the bytes have been handed to the operating system.
        :raises .HTTPOutputError: if the body becomes longer than its Content-Length, or is complete.
        """
        stream = self._stream
        if stream is None:
            raise HTTPOutputError("write() on a request whose body is complete, or which has ended")
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
        """The source has ended."""
        error: BaseException | None
        if task.cancelled():
            error = HTTPStreamClosedError("the body of the request was cancelled by its producer")
        else:
            error = task.exception()
        stream, self._stream = self._stream, None
        done, self._done = self._done, None
        self._task = None
        if stream is None or done is None:
            return  # cancelled: the exchange is over
        if error is None:
            if self._remaining is None:
                _ = stream.closed() or stream.write(h1.LAST_CHUNK)
            elif self._remaining:
                error = HTTPOutputError(
                    f"the request's body is {self._remaining} bytes shorter than its Content-Length"
                )
        done(error)
