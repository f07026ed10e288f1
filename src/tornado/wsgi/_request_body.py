"""Request bodies: small ones in memory, large ones in a temporary file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from io import BytesIO
from typing import IO, Any, cast

from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop

#: Bytes that are worth waking a thread for. So many may wait while as many are being written.
_BATCH = 256 * 1024


class SpooledBody:
    """Collects a body of any size. The loop uses `receive`, which leaves the disk to a thread.

    :arg limit: how many bytes may be in memory. With the first byte more, all go to a temporary file, where
        the rest follows.
    """

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._file: IO[bytes] = BytesIO()
        self._waiting: list[bytes] = []  # for the disk
        self._waiting_size = 0
        self._large = False
        self._job: asyncio.Future[None] | None = None
        self._error: BaseException | None = None

    def receive(self, data: bytes) -> Awaitable[None] | None:
        """Add bytes at the end, but not on the disk.

        :returns: None, or what to await before the next call.
        :raises OSError: if those before could not be written. Awaiting raises it, too.
        """
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
            return asyncio.shield(self._job)  # who gives up waiting does not end the writing
        _ = self._start_job()
        return None

    @property
    def is_complete(self) -> bool:
        """Whether all that `receive` was given can be read."""
        return not self._waiting and self._job is None and self._error is None

    async def complete(self) -> None:
        """Make it so.

        :raises OSError: if it cannot be written.
        """
        while not self.is_complete:
            if self._error is not None:
                raise self._error
            # Unlike await, this lets the loop run, and thus `_job_done`, where the job is done already.
            await asyncio.wait([self._job or self._start_job()])

    def _start_job(self) -> asyncio.Future[None]:
        data, self._waiting, self._waiting_size = b"".join(self._waiting), [], 0
        self._job = job = IOLoop.current().run_in_executor(None, self.write, data)
        job.add_done_callback(self._job_done)
        return job

    def _job_done(self, job: asyncio.Future[None]) -> None:
        self._job = None
        self._error = asyncio.CancelledError() if job.cancelled() else job.exception()

    def abandon(self) -> None:
        """Nobody will read it: as `close`, but without a wait for the disk."""
        self._waiting.clear()
        if self._job is not None:
            self._job.add_done_callback(lambda job: self.abandon())
        elif self._large:
            _ = IOLoop.current().run_in_executor(None, self.close)  # to free many blocks takes its time
        else:
            self.close()

    def write(self, data: bytes) -> None:
        """Add bytes at the end, wherever that is."""
        size = self.size + len(data)
        if self.size <= self._limit < size:
            self._to_disk()
        self._file.write(data)
        self.size = size

    def _to_disk(self) -> None:
        import tempfile  # late: most programs never get here

        memory = cast(BytesIO, self._file)
        self._file = cast("IO[bytes]", tempfile.TemporaryFile(prefix="tornado-wsgi-"))  # noqa: SIM115 - close() does
        self._file.write(memory.getbuffer())

    def rewind(self) -> IO[bytes]:
        """The file, at its beginning."""
        self._file.seek(0)
        return self._file

    def read(self) -> bytes:
        """All of it, in memory; whoever else reads the file goes on where he was."""
        place = self._file.tell()
        try:
            return self.rewind().read()
        finally:
            self._file.seek(place)

    def close(self) -> None:
        """Give the memory, or the temporary file, back."""
        self._file.close()


class SpooledRequest(HTTPServerRequest):
    """A request whose body is in a `SpooledBody`.

    ``body``, ``arguments``, ``body_arguments`` and ``files`` are made of it when they are asked for, which a
    WSGI application never does.

    :arg limit: see `SpooledBody`.
    """

    def __init__(self, limit: int, **arguments: Any) -> None:
        self._spool = SpooledBody(limit)
        super().__init__(**arguments)
        # Back to what is computed by need.
        for name in ("arguments", "body_arguments", "files"):
            del self.__dict__[name]
        self._own_body: bytes | None = None

    @property
    def body(self) -> bytes:
        """The whole body, in memory."""
        return self._spool.read() if self._own_body is None else self._own_body

    @body.setter
    def body(self, value: bytes) -> None:
        self._own_body = value

    def _input(self) -> tuple[IO[bytes], int]:
        """The body as a file at its beginning, and its size."""
        if self._own_body is not None:
            return BytesIO(self._own_body), len(self._own_body)
        return self._spool.rewind(), self._spool.size
