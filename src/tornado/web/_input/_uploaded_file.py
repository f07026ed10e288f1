"""`UploadedFile`: the content of one part of a form, in memory if it is small and otherwise on disk.

The event loop thread never writes to disk. Chunks are collected, and a thread of the loop's executor writes
all of them at once. At most one thread at a time writes to a file. The size of the collected chunks is
bounded by back-pressure on the client.
"""

from __future__ import annotations

import asyncio
import errno
import io
import os
import sys
import weakref
from collections.abc import Awaitable
from typing import IO, Any

from tornado._wire.multipart import Part
from tornado.httputil import HTTPHeaders
from tornado.ioloop import IOLoop
from tornado.log import app_log

#: The minimum number of bytes that are passed to a thread, except at the end.
_BATCH = 256 * 1024
#: The number of unwritten bytes above which reading from the client is paused.
_MAX_UNWRITTEN = 1024 * 1024
#: The maximum number of buffers in one system call; POSIX permits 1,024.
_MAX_BUFFERS = 512
_ITEMS = ("filename", "body", "content_type")


class UploadedFile:
    """A file that a client has uploaded in a form to an `UploadHandler`.

    Like the `.HTTPFile` of other handlers, it provides ``uploaded["filename"]``, ``uploaded["content_type"]``
    and ``uploaded["body"]``. A program may set further attributes.

    :ivar name: the name of the form field.
    :ivar filename: the file name sent by the client. It must not be used as a path without a check.
    :ivar content_type: the media type sent by the client, or ``application/unknown``.
    :ivar headers: all header fields of the part, as `.HTTPHeaders`.
    :ivar size: the number of bytes received so far; when the part is complete, the size of the file.
    :ivar path: the path of the content on disk, or None if it is only in memory.
    """

    __module__ = "tornado.web"  # the module that exports this class

    def __init__(self, part: Part, directory: str | None = None, spool_size: int = 64 * 1024) -> None:
        self.name: str = part.name
        self.filename: str = part.filename or ""
        self.content_type: str = part.content_type or "application/unknown"
        self.headers: HTTPHeaders = part.headers
        self.size = 0
        self._file: IO[bytes] | None = None
        self._directory = directory
        self._spool_size = spool_size
        self._unwritten: list[bytes] = []
        self._unwritten_size = 0
        self._temporary: _TemporaryFile | None = None
        self._job: asyncio.Future[Any] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._complete = False  # the part has ended
        self._request_ended = False
        self._kept = False
        self._moved_to: str | None = None

    @property
    def path(self) -> str | None:
        """The path of the content on disk, or None if it is only in memory."""
        if self._moved_to is not None:
            return self._moved_to
        return None if self._temporary is None else self._temporary.path

    @property
    def file(self) -> IO[bytes] | None:
        """The content as a binary file, or None until the part is complete.

        A file on disk is opened when this attribute is first accessed. The file is closed at the end of the
        request, unless `keep` was called. Reading a large file blocks the event loop.
        """
        if self._file is None and self._complete:
            path = self.path
            assert path is not None  # for content in memory, _file is already set
            self._file = open(path, "r+b")  # noqa: SIM115 - closed at the end of the request
            if self._temporary is not None:
                self._temporary.opened = self._file
        return self._file

    @property
    def body(self) -> bytes:
        """The whole content in memory, for small files and for programs that expect an `.HTTPFile`."""
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
        """Keep the file after the end of the request. The program must then close and remove it.

        :returns: the path of the file, or None if it is only in memory.
        """
        self._kept = True
        if self._temporary is not None:
            self._temporary.leave_to_program()
        return self.path

    async def move_to(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> str:
        """Move the content to `path` and keep it after the request.

        The work is done in a thread. The file is renamed if possible and copied otherwise. `file` can still
        be read afterwards. The permissions are those that ``open(path, "w")`` would set: those of the
        replaced file, if any, or else according to the umask of the process.

        :param overwrite: whether to replace an existing file.
        :raises FileExistsError: if `path` exists and `overwrite` is False.
        :raises OSError: if the file cannot be created.
        :raises ValueError: if the part is not complete.
        :returns: `path` as a str.
        """
        if not self._complete:
            raise ValueError(f"the file {self.filename!r} has not been received yet")
        target = os.fspath(path)
        moved = await IOLoop.current().run_in_executor(None, self._move, target, overwrite)
        self._moved_to = target
        if self._temporary is not None and moved:
            self._temporary.leave_to_program()
        return target

    def _move(self, target: str, overwrite: bool) -> bool:
        """Return whether the temporary file is gone. Windows cannot remove it while it is open."""
        created, mode = _claim(target, overwrite)
        try:
            source = self.path
            if self._file is not None:
                self._file.flush()
            if source is not None:
                _set_mode(source, mode)
                try:
                    os.replace(source, target)
                    return True
                except OSError as error:
                    if error.errno != errno.EXDEV and not _is_open_on_windows(error):
                        raise
            return self._copy(source, target, mode)
        except BaseException:
            if created:
                os.unlink(target)
            raise

    def _copy(self, source: str | None, target: str, mode: int) -> bool:
        """Copy to a temporary file beside the target and rename it, so that the target appears atomically."""
        import shutil
        import tempfile

        descriptor, temporary = tempfile.mkstemp(prefix=".upload-", dir=os.path.dirname(target) or ".")
        try:
            with open(descriptor, "wb") as copy:
                if source is None:
                    copy.write(self.body)
                else:
                    with open(source, "rb") as original:
                        shutil.copyfileobj(original, copy, _BATCH)
            _set_mode(temporary, mode)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
        try:
            if source is not None:
                os.unlink(source)
        except PermissionError as error:
            if not _is_open_on_windows(error):
                raise
            return False
        return True

    # -- for the handler --

    def write(self, chunk: bytes) -> Awaitable[None] | None:
        """Append to the content; called by `UploadHandler.part_received`.

        :returns: None, or an awaitable that must be done before the next call.
        """
        if self._request_ended or self._complete:
            return None  # nothing will read a chunk that is written after the end
        if self._error is not None:
            raise self._error
        self._unwritten.append(chunk)
        self._unwritten_size += len(chunk)
        if self._unwritten_size < (self._spool_size + 1 if self._temporary is None else _BATCH):
            return None
        if self._job is None:
            _ = self._start_job()
        if self._unwritten_size <= _MAX_UNWRITTEN:
            return None
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()
        return asyncio.shield(self._writable)  # cancelling one waiter must not affect the others

    def _start_job(self, last: bool = False) -> asyncio.Future[Any]:
        temporary = self._temporary
        if temporary is None:
            temporary = self._temporary = _TemporaryFile(self._directory)
            weakref.finalize(self, temporary.remove)  # also runs when the process exits during the request
            if self._kept:
                temporary.leave_to_program()
        chunks, self._unwritten, self._unwritten_size = self._unwritten, [], 0
        work = temporary.write_last if last else temporary.write
        job = self._job = IOLoop.current().run_in_executor(None, work, chunks)
        job.add_done_callback(self._job_done)
        return job

    def _job_done(self, job: asyncio.Future[Any]) -> None:
        self._job = None
        self._error = asyncio.CancelledError() if job.cancelled() else job.exception()
        if self._error is None and self._unwritten_size >= _BATCH and not self._request_ended:
            _ = self._start_job()
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)  # the next call of write() raises the error, if there is one

    def complete(self) -> Awaitable[None] | None:
        """Complete the content at the end of the part, so that `file` is available."""
        if self._temporary is None:
            self._file = io.BytesIO(b"".join(self._unwritten))
            self._unwritten.clear()
            self._complete = True
            return None
        return self._end_on_disk()

    async def _end_on_disk(self) -> None:
        while self._job is not None:
            await asyncio.wait([self._job])
        if self._error is None and not self._request_ended:
            await asyncio.wait([self._start_job(last=True)])
        if self._error is not None:
            raise self._error
        self._complete = not self._request_ended

    async def _remove(self) -> None:
        await remove_all([self])

    def remove_now(self) -> None:
        """Close and remove the file synchronously, if the end of the request cannot be awaited."""
        temporary = self._close()
        if temporary is None:
            return
        if self._job is None:
            temporary.remove()
        else:
            self._job.add_done_callback(lambda job: temporary.remove())

    def _close(self) -> _TemporaryFile | None:
        """Close the file at the end of the request.

        :returns: the temporary file to remove, or None.
        """
        self._request_ended = True
        self._unwritten.clear()
        if self._kept:
            return None
        if self._file is None:
            self._file = io.BytesIO()  # so that `file` does not try to open the removed file
        self._file.close()
        return self._temporary


async def remove_all(files: list[UploadedFile]) -> None:
    """Close and remove files at the end of the request, except those that were kept or moved."""
    temporaries = [each for each in [file._close() for file in files] if each is not None]
    jobs = [file._job for file in files if file._job is not None]
    if jobs:
        await asyncio.wait(jobs)
    if temporaries:
        # Files are removed in a thread, because freeing the blocks of a large file takes time.
        await IOLoop.current().run_in_executor(None, _remove_each, temporaries)


def _remove_each(temporaries: list[_TemporaryFile]) -> None:
    for each in temporaries:
        try:
            each.remove()
        except OSError as error:
            app_log.warning("Could not remove the uploaded file %s: %s", each.path, error)


def _claim(target: str, overwrite: bool) -> tuple[bool, int]:
    """Create an empty file at the target, or check that the existing one may be replaced.

    :returns: whether the file was created, and its permissions.
    """
    try:
        # O_EXCL reserves the name atomically. The empty file is replaced immediately.
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except (FileExistsError, IsADirectoryError) as error:
        if os.path.isdir(target):
            kind = IsADirectoryError if overwrite else FileExistsError
            what = "this is a directory; move_to() expects the path of the file itself"
            raise kind(error.errno, what, target) from None
        if not overwrite:
            raise
        try:
            return False, os.stat(target).st_mode & 0o777
        except OSError:  # a broken symbolic link
            return False, 0o600
    try:
        return True, os.fstat(descriptor).st_mode & 0o777
    finally:
        os.close(descriptor)


def _is_open_on_windows(error: OSError) -> bool:
    """Whether a file could not be renamed or removed because it is open (ERROR_SHARING_VIOLATION)."""
    return sys.platform == "win32" and isinstance(error, PermissionError)


def _set_mode(path: str, mode: int) -> None:
    try:
        os.chmod(path, mode)
    except OSError:
        pass  # a file system without permissions


class _TemporaryFile:
    """A temporary file that is removed unless the program takes it over.

    Its methods block and are called in a thread.
    """

    def __init__(self, directory: str | None) -> None:
        self.path: str | None = None
        self._directory = directory
        #: The file object that the program uses for reading.
        self.opened: IO[bytes] | None = None
        self._raw: io.FileIO | None = None
        self._is_owned = True
        self._process = 0

    def write(self, chunks: list[bytes]) -> None:
        """Append `chunks`; the first call creates the file."""
        raw = self._raw
        if raw is None:
            raw = self._raw = self._make()
        for start in range(0, len(chunks), _MAX_BUFFERS):
            _write_all(raw, chunks[start : start + _MAX_BUFFERS])

    def _make(self) -> io.FileIO:
        import tempfile  # imported late, because it is slow

        self._process = os.getpid()
        descriptor, path = tempfile.mkstemp(prefix="upload-", dir=self._directory)
        self.path = path
        return io.FileIO(path, "r+", opener=lambda *_: descriptor)

    def write_last(self, chunks: list[bytes]) -> None:
        """Append `chunks` and close the file."""
        self.write(chunks)
        assert self._raw is not None
        self._raw.close()

    def leave_to_program(self) -> None:
        """Transfer ownership of the file to the program: `remove` does nothing from now on."""
        self._is_owned = False

    def remove(self) -> None:
        """Close and remove the file unless it was left to the program; a second call does nothing."""
        if self._raw is not None:
            self._raw.close()
        if not self._is_owned:
            return
        self._is_owned = False
        if self.opened is not None:
            self.opened.close()
        if self.path is not None and self._process == os.getpid():  # not at the exit of a forked child
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                pass  # moved by the program without move_to()


def _write_all(raw: io.FileIO, chunks: list[bytes]) -> None:
    total = sum(map(len, chunks))
    if sys.platform != "win32":
        written = os.writev(raw.fileno(), chunks)
        if written == total:
            return
    else:
        written = 0
    rest = memoryview(b"".join(chunks))[written:]
    while rest:
        rest = rest[raw.write(rest) or 0 :]
