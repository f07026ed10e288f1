"""`Upload`: passes a request's body to libcurl."""

from __future__ import annotations

import asyncio
import contextvars
import enum
from collections.abc import Callable

import pycurl

from tornado.httpclient._body import BodySource, BytesSource

#: Number of buffered bytes at which the source must wait.
_HIGH_WATER = 64 * 1024
_SEEK_OK, _SEEK_FAIL = 0, 1


class _UploadState(enum.Enum):
    """The state of the source."""

    IDLE = "idle"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"


class Upload:
    """The transfer of a `BodySource` to libcurl, which requests data when the connection is writable.

    The source writes to a buffer from a separate Task. The source waits while the buffer is full, and libcurl
    pauses while it is empty.

    :param source: the source of the body.
    :param loop: the event loop.
    :param context: the context in which the source runs.
    :param resume: called to continue the transfer after a pause.
    """

    def __init__(
        self,
        source: BodySource,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
        resume: Callable[[], None],
    ) -> None:
        self._source = source
        self._loop = loop
        self._context = context
        self._resume = resume
        self._state = _UploadState.IDLE
        self._buffer = bytearray()
        self._paused = False
        self._task: asyncio.Task[None] | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        #: The exception that the source raised.
        self.error: BaseException | None = None

    def apply(self, curl: pycurl.Curl, method: str, content_length: int | None) -> None:
        """Set the options for the body.

        :param curl: the handle.
        :param method: the method of the request.
        :param content_length: the request's Content-Length in bytes, or None. It is used if the length of the
            source is not known.
        """
        curl.setopt(pycurl.CUSTOMREQUEST, method)
        if isinstance(self._source, BytesSource):
            curl.setopt(pycurl.POSTFIELDS, self._source.content)
            return
        length = content_length if self._source.length is None else self._source.length
        curl.setopt(pycurl.UPLOAD, 1)
        curl.setopt(pycurl.INFILESIZE_LARGE, -1 if length is None else length)
        curl.setopt(pycurl.READFUNCTION, self._read)
        curl.setopt(pycurl.SEEKFUNCTION, self._seek)

    def close(self) -> None:
        """Cancel the source's Task."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    # -- called by libcurl

    def _read(self, size: int) -> bytes | int:
        if self._state is _UploadState.IDLE:
            self._state = _UploadState.RUNNING
            self._task = self._loop.create_task(self._send(), context=self._context)
        if self._buffer:
            data = bytes(self._buffer[:size])
            del self._buffer[:size]
            if self._drain_waiter is not None and len(self._buffer) < _HIGH_WATER:
                waiter, self._drain_waiter = self._drain_waiter, None
                if not waiter.done():
                    waiter.set_result(None)
            return data
        if self._state is _UploadState.COMPLETE:
            return b""
        if self._state is _UploadState.FAILED:
            return int(pycurl.READFUNC_ABORT)
        self._paused = True
        return int(pycurl.READFUNC_PAUSE)

    def _seek(self, offset: int, origin: int) -> int:
        """Restart the body, for example after an authentication challenge."""
        if self._state is _UploadState.IDLE and offset == 0:
            return _SEEK_OK
        if offset != 0 or origin != 0 or not self._source.replayable:
            return _SEEK_FAIL
        self.close()
        self._buffer.clear()
        self._drain_waiter = None
        self._state = _UploadState.IDLE
        return _SEEK_OK

    # -- the task

    async def _send(self) -> None:
        task = asyncio.current_task()
        try:
            await self._source.send(self._write)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.error = error
            state = _UploadState.FAILED
        else:
            state = _UploadState.COMPLETE
        if self._task is task:
            self._state = state
            self._task = None
            self._unpause()

    def _write(self, chunk: bytes) -> asyncio.Future[None]:
        self._buffer += chunk
        waiter = self._loop.create_future()
        if len(self._buffer) < _HIGH_WATER:
            waiter.set_result(None)
        else:
            self._drain_waiter = waiter
        self._unpause()
        return waiter

    def _unpause(self) -> None:
        if self._paused:
            self._paused = False
            self._resume()
