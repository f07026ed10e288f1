"""`CallbackQueue`: calls the program's callbacks with the data that libcurl delivers."""

from __future__ import annotations

import asyncio
import contextvars
import enum
import inspect
from collections import deque
from collections.abc import Callable
from typing import Any

import pycurl

from tornado import gen
from tornado.curl_httpclient._interface import CurlClient


class _QueueState(enum.Enum):
    """The state of the delivery."""

    IDLE = "idle"  #: nothing is queued
    SCHEDULED = "scheduled"  #: queued calls will run in the next event loop iteration
    WAITING = "waiting"  #: an awaitable of a callback is pending
    CLOSED = "closed"  #: nothing is called any more


class CallbackQueue:
    """A queue of calls to the program's callbacks. The event loop runs them in order, one at a time.

    libcurl delivers data while one of its functions is running, and must not be called again during that
    time. Calls are queued, because a callback of the program may start another fetch. If a callback returns
    an awaitable, the next call waits until it is done. The transfer is paused while too much is queued,
    because a few kilobytes of compressed data can expand to gigabytes.

    :param client: the client, for its loop and default limit.
    :param curl: the handle, to pause and resume the transfer.
    :param callback: called with the chunks of the body, or None.
    :param wake: makes the event loop call libcurl in its next iteration.
    :param max_body_size: the maximum size of the body in bytes; None for no limit. The default is the
        client's limit.
    :param context: the context in which the callbacks run.
    :param drained: called each time the queue is empty and nothing is awaited.
    :ivar body_too_large: whether the body was rejected because of its size.
    :ivar paused: whether the transfer is paused.
    """

    #: Number of queued bytes above which the transfer is paused.
    max_buffer_size = 1024 * 1024

    def __init__(
        self,
        client: CurlClient,
        curl: pycurl.Curl,
        callback: Callable[[bytes], Any] | None,
        *,
        wake: Callable[[], object],
        max_body_size: int | None = -1,
        context: contextvars.Context | None = None,
        drained: Callable[[], None] | None = None,
    ) -> None:
        self._client = client
        self._wake = wake
        #: None after the transfer has ended in libcurl.
        self._curl: pycurl.Curl | None = curl
        self._callback = callback
        self._max_body_size = max_body_size
        self._loop: asyncio.AbstractEventLoop = client.io_loop.asyncio_loop
        self._context = contextvars.copy_context() if context is None else context
        self._drained = drained
        self._state = _QueueState.IDLE
        self._calls: deque[tuple[Callable[[Any], Any], Any]] = deque()
        self._size = self._total = 0
        self.paused = False
        self.body_too_large = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued or awaited."""
        return self._state in (_QueueState.IDLE, _QueueState.CLOSED)

    # -- called within libcurl

    def write(self, chunk: bytes) -> int:
        """Queue a chunk of the body.

        :returns: the value that libcurl expects from a write function: the length, 0 to abort, or
            `pycurl.WRITEFUNC_PAUSE`.
        """
        limit = self._client.max_body_size if self._max_body_size == -1 else self._max_body_size
        if limit is not None and self._total + len(chunk) > limit:
            self.body_too_large = True
            return 0
        if self.paused or self._state is _QueueState.WAITING or self._size > self.max_buffer_size:
            self.paused = True
            return int(pycurl.WRITEFUNC_PAUSE)
        self._total += len(chunk)
        if self._callback is not None:
            self.call(self._callback, chunk)
        return len(chunk)

    def call(self, callback: Callable[[Any], Any], argument: bytes | str) -> None:
        """Queue a call."""
        if self._state is _QueueState.CLOSED:
            return
        self._calls.append((callback, argument))
        self._size += len(argument)
        if self._state is _QueueState.IDLE:
            self._state = _QueueState.SCHEDULED
            self._loop.call_soon(self.flush, context=self._context)

    # -- called by the transfer

    def finish(self) -> None:
        """Process the end of the transfer in libcurl. Queued calls still run."""
        self._curl = None

    def close(self) -> None:
        """Discard the queued calls. An awaitable that a callback has returned is not cancelled."""
        self._state = _QueueState.CLOSED
        self._curl = None
        self._drained = None  # breaks the reference cycle with the transfer
        self._calls.clear()

    # -- called by the loop

    def flush(self) -> None:
        """Run the queued calls, until one of them returns an awaitable."""
        while self._calls and self._state is not _QueueState.WAITING:
            callback, argument = self._calls.popleft()
            self._size -= len(argument)
            self._run(callback, argument)
        if self._state in (_QueueState.CLOSED, _QueueState.WAITING):
            return
        self._state = _QueueState.IDLE
        if self._drained is not None:
            self._drained()
        self._unpause()

    def _run(self, callback: Callable[[Any], Any], argument: Any) -> None:
        try:
            result = callback(argument)
            if result is None or not (inspect.isawaitable(result) or isinstance(result, list)):
                return
            waiting = asyncio.ensure_future(gen.convert_yielded(result))
        except Exception:
            self._client.handle_callback_exception(callback)
            return
        if self._state is not _QueueState.CLOSED:
            self._state = _QueueState.WAITING
        waiting.add_done_callback(lambda future: self._awaitable_done(future, callback))

    def _awaitable_done(self, future: asyncio.Future[Any], callback: Callable[[Any], Any]) -> None:
        try:
            future.result()
        except (Exception, asyncio.CancelledError):
            self._client.handle_callback_exception(callback)
        if self._state is _QueueState.WAITING:
            self._state = _QueueState.SCHEDULED
            self.flush()

    def _unpause(self) -> None:
        if not self.paused or self._curl is None:
            return
        self.paused = False
        try:
            self._curl.pause(pycurl.PAUSE_CONT)
        except pycurl.error:
            return  # the transfer has failed: libcurl reports the failure later
        # pause() delivers the data that libcurl has buffered, immediately or at the next call of libcurl.
        self._wake()
