"""Request bodies, which are kept in memory if they are small and in a temporary file otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from io import BytesIO
from typing import IO, Any, cast

from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop

#: The number of bytes that are collected before a thread writes them. During the write, the same number may
#: be collected again.
_BATCH = 256 * 1024


class SpooledBody:
    """A body of any size, in memory or in a temporary file.

    The event loop's thread calls `receive`; a worker thread writes to the disk.

    :param limit: the maximum number of bytes in memory. A larger body is moved to a temporary file.
    """

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._file: IO[bytes] = BytesIO()
        self._waiting: list[bytes] = []  # not written to the disk yet
        self._waiting_size = 0
        self._large = False
        self._job: asyncio.Future[None] | None = None
        self._error: BaseException | None = None

    def receive(self, data: bytes) -> Awaitable[None] | None:
        """Append bytes without blocking.

        :returns: None, or an awaitable that must be awaited before the next call. It may raise `OSError`.
        :raises OSError: if previous bytes could not be written.
        """
        if self._job is not None and self._job.done():
            self._job_done(self._job)  # its callback has not been called yet
        if self._error is not None:
            raise self._error
        if not self._large and self.size + len(data) <= self._limit:
            self.write(data)
            return None
        self._large = True
        self._waiting.append(data)
        self._waiting_size += len(data)
        if self._waiting_size < _BATCH:
            return None
        if self._job is not None:
            return asyncio.shield(self._job)  # cancelling the caller must not cancel the write
        _ = self._start_job()
        return None

    @property
    def is_complete(self) -> bool:
        """Whether all received bytes have been written and can be read."""
        return not self._waiting and self._job is None and self._error is None

    async def complete(self) -> None:
        """Wait until all received bytes have been written.

        :raises OSError: if they cannot be written.
        """
        while not self.is_complete:
            if self._error is not None:
                raise self._error
            # Unlike await, this runs the event loop, and thus `_job_done`, even if the job is already done.
            await asyncio.wait([self._job or self._start_job()])

    def _start_job(self) -> asyncio.Future[None]:
        data, self._waiting, self._waiting_size = b"".join(self._waiting), [], 0
        self._job = job = IOLoop.current().run_in_executor(None, self.write, data)
        job.add_done_callback(self._job_done)
        return job

    def _job_done(self, job: asyncio.Future[None]) -> None:
        if job is not self._job:
            return
        self._job = None
        self._error = asyncio.CancelledError() if job.cancelled() else job.exception()

    def abandon(self) -> None:
        """Discard the body. Unlike `close`, this does not wait for the disk."""
        self._waiting.clear()
        if self._job is not None:
            self._job.add_done_callback(lambda job: self.abandon())
        elif self._large:
            _ = IOLoop.current().run_in_executor(None, self.close)  # deleting a large file takes time
        else:
            self.close()

    def write(self, data: bytes) -> None:
        """Append bytes, in memory or to the file."""
        size = self.size + len(data)
        if self.size <= self._limit < size:
            self._move_to_disk()
        self._file.write(data)
        # The buffer of a file is for small pieces: a large one (128 KiB in Python 3.14) would delay errors.
        self._file.flush()
        self.size = size

    def _move_to_disk(self) -> None:
        import tempfile  # imported late, because most programs do not need it

        memory = cast(BytesIO, self._file)
        self._file = cast("IO[bytes]", tempfile.TemporaryFile(prefix="tornado-wsgi-"))  # noqa: SIM115 - close() does
        self._file.write(memory.getbuffer())

    def rewind(self) -> IO[bytes]:
        """Return the file, positioned at its beginning."""
        self._file.seek(0)
        return self._file

    def read(self) -> bytes:
        """Return the whole body without changing the position of the file."""
        position = self._file.tell()
        try:
            return self.rewind().read()
        finally:
            self._file.seek(position)

    def close(self) -> None:
        """Free the memory or delete the temporary file."""
        self._file.close()


class SpooledRequest(HTTPServerRequest):
    """A request whose body is in a `SpooledBody`.

    ``body``, ``arguments``, ``body_arguments`` and ``files`` are created only when a program reads them. WSGI
    applications never read them.

    :param limit: see `SpooledBody`.
    :ivar spooled: the body as it is received.
    """

    def __init__(self, limit: int, **arguments: Any) -> None:
        self.spooled = SpooledBody(limit)
        super().__init__(**arguments)
        # Without these values in the instance, the attributes are lazy again.
        for name in ("arguments", "body_arguments", "files"):
            del self.__dict__[name]
        self._assigned_body: bytes | None = None

    @property
    def body(self) -> bytes:
        """The whole body, in memory."""
        return self.spooled.read() if self._assigned_body is None else self._assigned_body

    @body.setter
    def body(self, value: bytes) -> None:
        self._assigned_body = value

    def body_input(self) -> tuple[IO[bytes], int]:
        """Return the body as a file positioned at its beginning, and its size in bytes."""
        if self._assigned_body is not None:
            return BytesIO(self._assigned_body), len(self._assigned_body)
        return self.spooled.rewind(), self.spooled.size
