"""A request's body on its way to libcurl."""

from __future__ import annotations

import asyncio
import contextvars
import enum
from collections.abc import Callable

import pycurl

from tornado.httpclient._body import BodySource, BytesSource

#: Bytes that may wait for libcurl before the source is stopped.
_HIGH_WATER = 64 * 1024
_SEEK_OK, _SEEK_FAIL = 0, 1


class _State(enum.Enum):
    """How far the source is."""

    IDLE = "idle"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"


class Upload:
    """Hands a `BodySource` to libcurl, which asks for the next bytes when the connection takes them.

    The source writes from a separate task. It waits while libcurl has enough, and libcurl pauses while the
    source has nothing.

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
        self._state = _State.IDLE
        self._buffer = bytearray()
        self._paused = False
        self._task: asyncio.Task[None] | None = None
        self._room: asyncio.Future[None] | None = None
        #: The exception that the source raised.
        self.error: BaseException | None = None

    def apply(self, curl: pycurl.Curl, method: str, announced: int | None) -> None:
        """Set the options for the body.

        :param announced: the length that the request's header fields give, for a source that does not know
            it.
        """
        curl.setopt(pycurl.CUSTOMREQUEST, method)
        if isinstance(self._source, BytesSource):
            curl.setopt(pycurl.POSTFIELDS, self._source.content)
            return
        length = announced if self._source.length is None else self._source.length
        curl.setopt(pycurl.UPLOAD, 1)
        curl.setopt(pycurl.INFILESIZE_LARGE, -1 if length is None else length)
        curl.setopt(pycurl.READFUNCTION, self._read)
        curl.setopt(pycurl.SEEKFUNCTION, self._seek)

    def close(self) -> None:
        """Stop the source."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    # -- called by libcurl

    def _read(self, size: int) -> bytes | int:
        if self._state is _State.IDLE:
            self._state = _State.RUNNING
            self._task = self._loop.create_task(self._send(), context=self._context)
        if self._buffer:
            data = bytes(self._buffer[:size])
            del self._buffer[:size]
            if self._room is not None and len(self._buffer) < _HIGH_WATER:
                room, self._room = self._room, None
                if not room.done():
                    room.set_result(None)
            return data
        if self._state is _State.COMPLETE:
            return b""
        if self._state is _State.FAILED:
            return int(pycurl.READFUNC_ABORT)
        self._paused = True
        return int(pycurl.READFUNC_PAUSE)

    def _seek(self, offset: int, origin: int) -> int:
        """Begin again, after an authentication challenge for example."""
        if self._state is _State.IDLE and offset == 0:
            return _SEEK_OK
        if offset != 0 or origin != 0 or not self._source.replayable:
            return _SEEK_FAIL
        self.close()
        self._buffer.clear()
        self._room = None
        self._state = _State.IDLE
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
            state = _State.FAILED
        else:
            state = _State.COMPLETE
        if self._task is task:
            self._state = state
            self._task = None
            self._wake()

    def _write(self, chunk: bytes) -> asyncio.Future[None]:
        self._buffer += chunk
        room = self._loop.create_future()
        if len(self._buffer) < _HIGH_WATER:
            room.set_result(None)
        else:
            self._room = room
        self._wake()
        return room

    def _wake(self) -> None:
        if self._paused:
            self._paused = False
            self._resume()
