"""`UploadedFile`: the content of one part of a form, in memory while it is small and on disk from then on.

The event loop never writes to the disk: what has arrived is collected, and a thread of the loop's executor
takes all of it at a time. At most one thread works for one file. What waits for it is bounded: a writer that
brings more is told to wait, and thereby the client.
"""

from __future__ import annotations

import asyncio
import errno
import io
import os
import weakref
from collections.abc import Awaitable
from typing import IO, Any

from tornado._wire.multipart import Part
from tornado.httputil import HTTPHeaders
from tornado.ioloop import IOLoop
from tornado.log import app_log

#: Bytes that are worth waking a thread for.
_BATCH = 256 * 1024
#: Bytes that may wait for the disk before the client has to.
_QUEUE = 1024 * 1024
#: Buffers in one system call; POSIX allows 1,024.
_MAX_PIECES = 512
_ITEMS = ("filename", "body", "content_type")


class UploadedFile:
    """A file that a client has sent as a part of a form, to a `UploadHandler`.

    It can also be read like the `.HTTPFile` of other handlers: ``uploaded["filename"]``,
    ``uploaded["content_type"]``, ``uploaded["body"]``. A program may set attributes of its own on it.

    :ivar name: the form field's name.
    :ivar filename: as the client gave it; never use it as a path unchecked.
    :ivar content_type: as the client gave it; ``application/unknown`` where it gave none.
    :ivar headers: all header fields of the part, `.HTTPHeaders`.
    :ivar size: bytes received so far, and in the end the file's size.
    :ivar path: where the content lies on disk; None while it is in memory only.
    """

    __module__ = "tornado.web"  # its public address

    def __init__(self, part: Part, directory: str | None = None, spool_size: int = 64 * 1024) -> None:
        self.name: str = part.name
        self.filename: str = part.filename or ""
        self.content_type: str = part.content_type or "application/unknown"
        self.headers: HTTPHeaders = part.headers
        self.size = 0
        self._file: IO[bytes] | None = None
        self._directory = directory
        self._spool_size = spool_size
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._temporary: _TemporaryFile | None = None
        self._job: asyncio.Future[Any] | None = None
        self._room: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._complete = False  # the part has ended
        self._over = False  # the request has ended
        self._kept = False
        self._moved_to: str | None = None

    @property
    def path(self) -> str | None:
        """Where the content lies on disk; None while it is in memory only."""
        if self._moved_to is not None:
            return self._moved_to
        return None if self._temporary is None else self._temporary.path

    @property
    def file(self) -> IO[bytes] | None:
        """The content as a binary file, at its beginning; None until the part has been received.

        What is on disk is opened when this is first looked at. The file is closed at the end of the request,
        unless `keep` was called. Reading a large one blocks the loop.
        """
        if self._file is None and self._complete:
            path = self.path
            assert path is not None  # what is in memory is there from the beginning
            self._file = open(path, "r+b")  # noqa: SIM115 - it is the program's; the end of the request closes it
            if self._temporary is not None:
                self._temporary.opened = self._file
        return self._file

    @property
    def body(self) -> bytes:
        """The whole content, read into memory: for small files, and for programs written for `.HTTPFile`."""
        file = self.file
        if file is None:
            raise ValueError(f"the file {self.filename!r} has not been received yet")
        position = file.tell()
        file.seek(0)
        try:
            return file.read()
        finally:
            file.seek(position)

    def __getitem__(self, item: str) -> Any:
        if item in _ITEMS:
            return getattr(self, item)
        raise KeyError(item)

    def __repr__(self) -> str:
        where = self.path or "in memory"
        return f"<{type(self).__name__} {self.filename!r} {self.content_type} {self.size} bytes, {where}>"

    # -- for the program --

    def keep(self) -> str | None:
        """Leave the file alone at the end of the request; the program closes and removes it.

        :returns: its path; None if it is in memory only.
        """
        self._kept = True
        if self._temporary is not None:
            self._temporary.let_go()
        return self.path

    async def move_to(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> str:
        """Make the content a file at `path`, which stays; by renaming where the file system allows.

        `file` can be read further. A thread does the work. The file may be read and written by whom the
        process's umask lets: it gets the permissions that ``open(path, "w")`` would give it, which are those
        of the file that it replaces, if any.

        :param overwrite: replace what is there; otherwise it is an error.
        :raises FileExistsError: if there is something at `path`.
        :raises OSError: if the file cannot be placed there.
        :raises ValueError: before the part has been received.
        :returns: `path` as a str.
        """
        if not self._complete:
            raise ValueError(f"the file {self.filename!r} has not been received yet")
        target = os.fspath(path)
        await IOLoop.current().run_in_executor(None, self._place, target, overwrite)
        self._moved_to = target
        if self._temporary is not None:
            self._temporary.let_go()
        return target

    def _place(self, target: str, overwrite: bool) -> None:
        created, mode = _claim(target, overwrite)
        try:
            source = self.path
            if self._file is not None:
                self._file.flush()
            if source is not None:
                _set_mode(source, mode)
                try:
                    os.replace(source, target)
                    return
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
            self._copy(source, target, mode)
        except BaseException:
            if created:
                os.unlink(target)
            raise

    def _copy(self, source: str | None, target: str, mode: int) -> None:
        """Copy to a neighbour of the target and rename that, so that nobody sees half a file."""
        import shutil
        import tempfile

        descriptor, neighbour = tempfile.mkstemp(prefix=".upload-", dir=os.path.dirname(target) or ".")
        try:
            with open(descriptor, "wb") as copy:
                if source is None:
                    copy.write(self.body)
                else:
                    with open(source, "rb") as original:
                        shutil.copyfileobj(original, copy, _BATCH)
            _set_mode(neighbour, mode)
            os.replace(neighbour, target)
        except BaseException:
            os.unlink(neighbour)
            raise
        if source is not None:
            os.unlink(source)

    # -- for the handler --

    def _write(self, chunk: bytes) -> Awaitable[None] | None:
        """Append to the content.

        :returns: None, or something to await before there is room for more.
        """
        if self._over or self._complete:
            return None  # nobody is there any more to read what comes late
        if self._error is not None:
            raise self._error
        self._waiting.append(chunk)
        self._waiting_size += len(chunk)
        if self._waiting_size < (self._spool_size + 1 if self._temporary is None else _BATCH):
            return None
        if self._job is None:
            _ = self._start_job()
        if self._waiting_size <= _QUEUE:
            return None
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()
        return asyncio.shield(self._room)  # a program that gives up waiting does not wake others

    def _start_job(self, last: bool = False) -> asyncio.Future[Any]:
        temporary = self._temporary
        if temporary is None:
            temporary = self._temporary = _TemporaryFile(self._directory)
            weakref.finalize(self, temporary.remove)  # also where no request ends: at the end of the process
            if self._kept:
                temporary.let_go()
        chunks, self._waiting, self._waiting_size = self._waiting, [], 0
        work = temporary.write_last if last else temporary.write
        job = self._job = IOLoop.current().run_in_executor(None, work, chunks)
        job.add_done_callback(self._job_done)
        return job

    def _job_done(self, job: asyncio.Future[Any]) -> None:
        self._job = None
        self._error = asyncio.CancelledError() if job.cancelled() else job.exception()
        if self._error is None and self._waiting_size >= _BATCH and not self._over:
            _ = self._start_job()
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)  # the next call raises the error, if there is one

    def _end(self) -> Awaitable[None] | None:
        """The part is complete: give the content its `file`."""
        if self._temporary is None:
            self._file = io.BytesIO(b"".join(self._waiting))
            self._waiting.clear()
            self._complete = True
            return None
        return self._end_on_disk()

    async def _end_on_disk(self) -> None:
        while self._job is not None:
            await asyncio.wait([self._job])
        if self._error is None and not self._over:
            await asyncio.wait([self._start_job(last=True)])
        if self._error is not None:
            raise self._error
        self._complete = not self._over

    async def _remove(self) -> None:
        await remove_all([self])

    def _remove_now(self) -> None:
        """The same, at once: for the end of a request that nobody waits for."""
        temporary = self._give_up()
        if temporary is not None and self._job is None:
            temporary.remove()  # else when the job is done and this object goes

    def _give_up(self) -> _TemporaryFile | None:
        """The request is over: close the file.

        :returns: what is to be removed from the disk.
        """
        self._over = True
        self._waiting.clear()
        if self._kept:
            return None
        if self._file is None:
            self._file = io.BytesIO()  # there is nothing to open any more
        self._file.close()
        return self._temporary


async def remove_all(files: list[UploadedFile]) -> None:
    """Their request is over: close files and remove them, but for those that are the program's by now."""
    temporaries = [each for each in [file._give_up() for file in files] if each is not None]
    jobs = [file._job for file in files if file._job is not None]
    if jobs:
        await asyncio.wait(jobs)
    if temporaries:
        # Freeing the blocks of a large file takes its time.
        await IOLoop.current().run_in_executor(None, _remove_each, temporaries)


def _remove_each(temporaries: list[_TemporaryFile]) -> None:
    for each in temporaries:
        try:
            each.remove()
        except OSError as error:
            app_log.warning("Cannot remove the uploaded file %s: %s", each.path, error)


def _claim(target: str, overwrite: bool) -> tuple[bool, int]:
    """Make sure of a file's name, and find out the permissions for it.

    :returns: whether the name is new, and the permissions.
    """
    try:
        # Whoever creates the name owns it; what is created here is replaced at once.
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except (FileExistsError, IsADirectoryError) as error:
        if os.path.isdir(target):
            kind = IsADirectoryError if overwrite else FileExistsError
            what = "this is a directory; move_to() takes the path that the file itself is to have"
            raise kind(error.errno, what, target) from None
        if not overwrite:
            raise
        try:
            return False, os.stat(target).st_mode & 0o777
        except OSError:  # a link that leads nowhere
            return False, 0o600
    try:
        return True, os.fstat(descriptor).st_mode & 0o777
    finally:
        os.close(descriptor)


def _set_mode(path: str, mode: int) -> None:
    try:
        os.chmod(path, mode)
    except OSError:
        pass  # a file system without permissions


class _TemporaryFile:
    """A temporary file and who removes it. Its methods block: they run in a thread."""

    def __init__(self, directory: str | None) -> None:
        self.path: str | None = None
        self._directory = directory
        #: What the program reads it with.
        self.opened: IO[bytes] | None = None
        self._raw: io.FileIO | None = None
        self._ours = True
        self._process = 0

    def write(self, chunks: list[bytes]) -> None:
        """Append `chunks`; the first call makes the file."""
        raw = self._raw
        if raw is None:
            raw = self._raw = self._make()
        for start in range(0, len(chunks), _MAX_PIECES):
            _write_all(raw, chunks[start : start + _MAX_PIECES])

    def _make(self) -> io.FileIO:
        import tempfile  # not before it is needed: it takes its time

        self._process = os.getpid()
        descriptor, path = tempfile.mkstemp(prefix="upload-", dir=self._directory)
        self.path = path
        return io.FileIO(path, "r+", opener=lambda *_: descriptor)

    def write_last(self, chunks: list[bytes]) -> None:
        """`write`, then close the file."""
        self.write(chunks)
        assert self._raw is not None
        self._raw.close()

    def let_go(self) -> None:
        """The file belongs to the program from now on."""
        self._ours = False

    def remove(self) -> None:
        """Close the file, if it is ours, and remove it; a second call does nothing."""
        if self._raw is not None:
            self._raw.close()
        if not self._ours:
            return
        self._ours = False
        if self.opened is not None:
            self.opened.close()
        if self.path is not None and self._process == os.getpid():  # a forked child's end is not ours
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                pass  # the program has moved it by itself


def _write_all(raw: io.FileIO, chunks: list[bytes]) -> None:
    total = sum(map(len, chunks))
    if hasattr(os, "writev"):
        written = os.writev(raw.fileno(), chunks)
        if written == total:
            return
    else:
        written = 0
    rest = memoryview(b"".join(chunks))[written:]
    while rest:
        rest = rest[raw.write(rest) or 0 :]
