"""Body sources: the chunks they write, their lengths, and whether they can be sent again."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import threading
from pathlib import Path

import pytest

from tornado.httpclient import BodyNotReplayableError
from tornado.httpclient._body import CHUNK_SIZE, BodySource, BytesSource, ProducerSource, body_source


async def sent(source: BodySource) -> list[bytes]:
    """Return the chunks of a source, with an event loop iteration between them."""
    chunks = []

    async def write(chunk: bytes) -> None:
        await asyncio.sleep(0)
        chunks.append(chunk)

    await source.send(write)
    return chunks


class Chunks:
    """An iterable and asynchronous iterable that can be iterated more than once."""

    def __init__(self, *chunks):
        self.chunks = chunks

    async def __aiter__(self):
        for chunk in self.chunks:
            yield chunk


async def agenerator():
    yield b"a"
    yield b""
    yield b"b"


@pytest.mark.parametrize(
    ("make", "length", "replayable", "chunks"),
    [
        (lambda: b"abc", 3, True, [b"abc"]),
        (lambda: b"", 0, True, []),
        (lambda: bytearray(b"abc"), 3, True, [b"abc"]),
        (lambda: memoryview(b"abc"), 3, True, [b"abc"]),
        (lambda: [b"a", b"", bytearray(b"b"), memoryview(b"c")], None, True, [b"a", b"b", b"c"]),
        (lambda: iter([b"a", b"b"]), None, False, [b"a", b"b"]),
        (lambda: (c for c in (b"a", b"b")), None, False, [b"a", b"b"]),
        (lambda: Chunks(b"a", b"b"), None, True, [b"a", b"b"]),
        (lambda: agenerator(), None, False, [b"a", b"b"]),
        (lambda: io.BytesIO(b"abc"), 3, True, [b"abc"]),
        (lambda: io.BytesIO(b""), 0, True, []),
    ],
)
async def test_source_writes_its_chunks_and_may_be_replayable(make, length, replayable, chunks):
    source = body_source(make())
    assert (source.length, source.replayable, source.available) == (length, replayable, True)
    assert await sent(source) == chunks
    assert source.available is replayable
    if replayable:
        assert await sent(source) == chunks
    else:
        with pytest.raises(BodyNotReplayableError, match="which can be read only once"):
            await sent(source)


async def test_body_source_returns_a_source_unchanged():
    source = body_source(b"a")
    assert body_source(source) is source


@pytest.mark.parametrize("body", [1, object(), None, {"a": "b"}, "text", io.StringIO("text")])
def test_unsupported_types_are_rejected(body):
    with pytest.raises(TypeError, match="body"):
        body_source(body)


@pytest.mark.parametrize("body", [["text"], [b"a", 1], Chunks("text")])
async def test_chunks_that_are_not_bytes_are_rejected(body):
    with pytest.raises(TypeError, match="a chunk of a request's body must be bytes, not"):
        await sent(body_source(body))


async def test_write_without_an_awaitable():
    for body in (b"a", [b"a"], Chunks(b"a"), io.BytesIO(b"a")):
        chunks = []
        await body_source(body).send(chunks.append)
        assert chunks == [b"a"]


async def test_file_is_sent_from_its_position_and_stays_open(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        file.seek(4)
        source = body_source(file)
        assert source.length == 6
        for _ in range(2):
            assert await sent(source) == [b"456789"]
        assert not file.closed
        file.seek(100)
        assert body_source(file).length == 0


async def test_large_files_are_read_in_chunks_in_another_thread(tmp_path):
    content = os.urandom(2 * CHUNK_SIZE + 5)
    path = tmp_path / "file"
    path.write_bytes(content)
    threads = set()

    class Watched(io.FileIO):
        def read(self, size=-1):
            threads.add(threading.current_thread())
            return super().read(size)

    with Watched(path) as file:
        chunks = await sent(body_source(file))
    assert [len(chunk) for chunk in chunks] == [CHUNK_SIZE, CHUNK_SIZE, 5]
    assert b"".join(chunks) == content
    assert threading.current_thread() not in threads


async def test_file_of_a_path_is_sent(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    source = body_source(path)
    assert (source.length, source.replayable) == (7, True)
    assert await sent(source) == [b"content"]
    assert await sent(source) == [b"content"]


def test_path_errors_are_raised_immediately(tmp_path):
    with pytest.raises(FileNotFoundError):
        body_source(tmp_path / "missing")
    with pytest.raises(IsADirectoryError, match="cannot be a directory"):
        body_source(tmp_path)


async def test_file_that_grows_is_sent_with_its_announced_length(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    source = body_source(path)
    with path.open("ab") as file:
        file.write(b" and more")
    assert await sent(source) == [b"content"]


async def test_file_that_shrinks_is_an_error(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    source = body_source(path)
    path.write_bytes(b"con")
    with pytest.raises(OSError, match="became shorter while it was sent: 4 of 7 bytes are missing"):
        await sent(source)


async def test_named_pipe_has_no_length(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    source = body_source(path)
    assert (source.length, source.replayable) == (None, False)
    writer = asyncio.get_running_loop().run_in_executor(None, path.write_bytes, b"from a pipe")
    assert b"".join(await sent(source)) == b"from a pipe"
    await writer


async def test_cancelled_while_a_pipe_is_opened_leaves_no_descriptor(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    task = asyncio.create_task(sent(body_source(path)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The writer opens the pipe too late; the file that was being opened is closed (or a ResourceWarning fails
    # this test).
    with path.open("wb"):
        pass
    await asyncio.get_running_loop().shutdown_default_executor()


async def test_file_that_is_not_seekable(tmp_path):
    read, write = os.pipe()
    os.write(write, b"piped")
    os.close(write)
    with os.fdopen(read, "rb") as file:
        source = body_source(file)
        assert (source.length, source.replayable) == (None, False)
        assert b"".join(await sent(source)) == b"piped"
        with pytest.raises(BodyNotReplayableError, match="a file that is not seekable"):
            await sent(source)


async def test_seekable_file_without_a_descriptor(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"unzipped"))
    with gzip.open(path) as file:
        source = body_source(file)
        assert source.length == 8
        assert await sent(source) == [b"unzipped"]


async def test_asynchronous_file_is_read():
    class AsyncFile:
        def __init__(self, *chunks):
            self.chunks = [*chunks, b""]

        async def read(self, size):
            await asyncio.sleep(0)
            return self.chunks.pop(0)

    source = body_source(AsyncFile(b"a", b"b"))
    assert (source.length, source.replayable) == (None, False)
    assert await sent(source) == [b"a", b"b"]


async def test_generators_are_closed_when_sending_fails():
    closed = []

    def generator():
        try:
            yield b"a"
        finally:
            closed.append("generator")

    async def asynchronous():
        try:
            yield b"a"
        finally:
            await asyncio.sleep(0)
            closed.append("asynchronous generator")

    def write(chunk):
        raise ConnectionResetError

    for body in (generator(), asynchronous()):
        with pytest.raises(ConnectionResetError):
            await body_source(body).send(write)
    assert closed == ["generator", "asynchronous generator"]


async def test_producers_write_the_body():
    async def asynchronous(write):
        await write(b"a")
        await write(b"b")

    source = ProducerSource(asynchronous)
    assert (source.length, source.replayable) == (None, True)
    assert await sent(source) == [b"a", b"b"]
    assert await sent(source) == [b"a", b"b"]
    chunks = []
    await ProducerSource(lambda write: write(b"c")).send(chunks.append)
    assert chunks == [b"c"]
    assert ProducerSource(asynchronous, 2).length == 2


async def test_body_in_memory_is_sent_in_slices():
    content = bytes(range(256)) * 3000
    chunks = await sent(BytesSource(content))
    assert b"".join(chunks) == content
    assert [len(chunk) for chunk in chunks] == [2**18, 2**18, 768_000 - 2**19]
    assert await sent(BytesSource(b"")) == []


def test_text_is_not_treated_as_a_path():
    assert Path(__file__).exists()
    with pytest.raises(TypeError):
        body_source(__file__)
