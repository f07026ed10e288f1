"""Sources of request bodies: bytes, files, iterators, forms and producers.

A client implementation that can stream request bodies reads the `BodySource` of a request and calls
`BodySource.send` with a function that writes to the connection. The source reports its length, if known, and
whether it can be sent again for a redirect or a retry.
"""

from __future__ import annotations

import abc
import asyncio
import inspect
import io
import os
import stat
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar

from tornado.gen import convert_yielded

__all__ = [
    "AsyncIteratorSource",
    "BodyNotReplayableError",
    "BodySource",
    "BytesSource",
    "FileSource",
    "IteratorSource",
    "PathSource",
    "ProducerSource",
    "Write",
    "body_source",
]

#: Number of bytes to read from a file at a time.
CHUNK_SIZE = 128 * 1024
#: Maximum number of bytes of a body in memory to write at a time.
_SLICE = 256 * 1024

#: Sends a chunk. If it returns an awaitable, the next chunk must not be written before the awaitable is done.
Write = Callable[[bytes], Awaitable[None] | None]


class BodyNotReplayableError(RuntimeError):
    """Raised when a redirect or a retry needs a body that can be read only once."""


class BodySource(abc.ABC):
    """A request body that can be sent in chunks.

    :ivar length: the size of the body in bytes, or None if it is not known in advance.
    :ivar replayable: whether the body can be sent more than once.
    """

    length: int | None = None
    replayable: bool = True
    #: The kind of source, for error messages.
    kind: ClassVar[str] = "body"
    _started: bool = False

    @property
    def available(self) -> bool:
        """Whether `send` may be called: always for a replayable source, once for any other."""
        return self.replayable or not self._started

    async def send(self, write: Write) -> None:
        """Write the whole body.

        :param write: called with each chunk, which is never empty. If it returns an awaitable, that is
            awaited before the next chunk is read.
        :raises BodyNotReplayableError: if the source can be sent only once and `send` was called before.
        """
        if not self.available:
            raise BodyNotReplayableError(
                f"a redirect or a retry must send the request's body again, but it is {self.kind}, which can "
                "be read only once: pass bytes, a pathlib.Path or a seekable file instead"
            )
        self._started = True
        await self._send(write)

    @abc.abstractmethod
    async def _send(self, write: Write) -> None: ...


class BytesSource(BodySource):
    """A body held in memory. It is written in slices, so that progress can be reported."""

    kind = "bytes"

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.length = len(content)

    async def _send(self, write: Write) -> None:
        for start in range(0, len(self.content), _SLICE):
            await _await_if_awaitable(write(self.content[start : start + _SLICE]))


class IteratorSource(BodySource):
    """A body from an iterable of chunks. A list can be sent again, a generator cannot.

    The iterable must not block.
    """

    kind = "an iterator"

    def __init__(self, chunks: Iterable[Any]) -> None:
        self._chunks = chunks
        self.replayable = not hasattr(chunks, "__next__")

    async def _send(self, write: Write) -> None:
        iterator = iter(self._chunks)
        try:
            for chunk in iterator:
                if data := _validated_chunk(chunk):
                    await _await_if_awaitable(write(data))
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()


class AsyncIteratorSource(BodySource):
    """A body from an asynchronous iterable of chunks. An asynchronous generator can be sent only once."""

    kind = "an asynchronous iterator"

    def __init__(self, chunks: AsyncIterable[Any]) -> None:
        self._chunks = chunks
        self.replayable = not hasattr(chunks, "__anext__")

    async def _send(self, write: Write) -> None:
        iterator = aiter(self._chunks)
        try:
            async for chunk in iterator:
                if data := _validated_chunk(chunk):
                    await _await_if_awaitable(write(data))
        finally:
            close = getattr(iterator, "aclose", None)
            if close is not None:
                await close()


class FileSource(BodySource):
    """A body from a binary file object, read from its current position to its end.

    A seekable file can be sent again, and its length is known in advance. The file is not closed. Reads may
    block, so they run in the event loop's default executor, except for `io.BytesIO`. ``read`` may also be a
    coroutine function.
    """

    kind = "a file that is not seekable"

    def __init__(self, file: Any) -> None:
        if isinstance(file, io.TextIOBase):
            raise TypeError(f"the request's body must be a binary file, got a text file: {file!r}")
        self._file = file
        self._asynchronous = inspect.iscoroutinefunction(file.read)
        self._start: int | None = None if self._asynchronous else _position(file)
        self.replayable = self._start is not None
        if self._start is not None:
            self.length = max(0, _size(file) - self._start)

    async def _send(self, write: Write) -> None:
        if self._start is not None:
            self._file.seek(self._start)
        await _send_file(self._file, self.length, write, self._asynchronous)


class PathSource(BodySource):
    """A body from a file path; the file is opened each time the body is sent."""

    kind = "a file"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        status = os.stat(self._path)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(f"a request's body cannot be a directory: {self._path!r}")
        if stat.S_ISREG(status.st_mode):
            self.length = status.st_size
        else:
            self.replayable = False  # a pipe or a device

    async def _send(self, write: Write) -> None:
        loop = asyncio.get_running_loop()
        # open() may block too, on a pipe or a network file system.
        opening = loop.run_in_executor(None, _open, self._path)
        try:
            file = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_opened)
            raise
        try:
            await _send_file(file, self.length, write, False)
        finally:
            file.close()


class ProducerSource(BodySource):
    """A body from a ``body_producer``: a function that is called with ``write``.

    Redirects and retries call the function again, as upstream does.

    :param producer: the function.
    :param length: the size of the body in bytes if the request has a Content-Length field.
    """

    kind = "a body_producer"

    def __init__(self, producer: Callable[[Any], Awaitable[None] | None], length: int | None = None) -> None:
        self._producer = producer
        self.length = length

    async def _send(self, write: Write) -> None:
        produced = self._producer(write)
        if produced is not None:
            await convert_yielded(produced)


def body_source(body: Any) -> BodySource:
    """Return the source for a value of `HTTPRequest.body`.

    :raises TypeError: if the type of ``body`` is not supported.
    :raises OSError: if ``body`` is a path and the file's status cannot be read.
    """
    if isinstance(body, BodySource):
        return body
    if isinstance(body, (bytes, bytearray, memoryview)):
        return BytesSource(bytes(body))
    if isinstance(body, os.PathLike):
        return PathSource(body)
    if callable(getattr(body, "read", None)):
        return FileSource(body)
    if hasattr(body, "__aiter__"):
        return AsyncIteratorSource(body)
    if isinstance(body, Mapping):
        raise TypeError("a request's body cannot be a mapping: pass it as json= or data=")
    if isinstance(body, Iterable) and not isinstance(body, str):
        return IteratorSource(body)
    raise TypeError(
        "a request's body must be str, bytes, a pathlib.Path, a binary file or an iterable or asynchronous "
        f"iterable of bytes, not {type(body).__name__}"
    )


async def _await_if_awaitable(result: Awaitable[None] | None) -> None:
    if result is not None:
        await result


def _validated_chunk(chunk: Any) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, (bytearray, memoryview)):
        return bytes(chunk)
    raise TypeError(f"a chunk of a request's body must be bytes, not {type(chunk).__name__}: {chunk!r:.80}")


def _position(file: Any) -> int | None:
    """Return the current position in a seekable file, or None if the file is not seekable."""
    try:
        if file.seekable():
            position: int = file.tell()
            return position
    except (AttributeError, OSError):
        pass
    return None


def _size(file: Any) -> int:
    position = file.tell()
    size: int = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size


def _open(path: str) -> io.BufferedReader:
    return open(path, "rb")


def _close_opened(opening: asyncio.Future[io.BufferedReader]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


async def _send_file(file: Any, length: int | None, write: Write, asynchronous: bool) -> None:
    """Write the content of a file: exactly ``length`` bytes, or all of it if ``length`` is None."""
    loop = asyncio.get_running_loop()
    is_in_memory = isinstance(file, io.BytesIO)
    remaining = length
    while remaining is None or remaining > 0:
        size = CHUNK_SIZE if remaining is None else min(CHUNK_SIZE, remaining)
        if is_in_memory:
            chunk = file.read(size)
        elif asynchronous:
            chunk = await file.read(size)
        else:
            chunk = await loop.run_in_executor(None, file.read, size)
        data = _validated_chunk(chunk)
        if not data:
            if remaining is None:
                return
            raise OSError(
                f"the file {getattr(file, 'name', file)!r} became shorter while it was sent: {remaining} of "
                f"{length} bytes are missing"
            )
        if remaining is not None:
            remaining -= len(data)
        await _await_if_awaitable(write(data))
