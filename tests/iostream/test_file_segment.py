"""File segments in the output of a stream."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.descriptors import open_below
from tests.support.server import ExpectLog
from tests.support.streams import Recorder, run_loop_iterations, sent_size, stream_pair
from tornado.iostream import IOStream, StreamClosedError
from tornado.iostream._core import FAIR_SHARE
from tornado.iostream._file_segment import FileSegment, FileTruncatedError, read_at
from tornado.iostream._write_buffer import _StreamBuffer

CONTENT = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("files") / "content"
    found.write_bytes(CONTENT)
    return found


@pytest.fixture(autouse=True)
def no_open_descriptors(path: Path, tmp_path: Path) -> Iterator[None]:
    """Check only the folders of this file: tests of other files may run in the same process."""
    yield
    assert open_below(path.parent) + open_below(tmp_path) == []


def segment(path: Path, start: int = 0, size: int = len(CONTENT)) -> FileSegment:
    return FileSegment(os.open(path, os.O_RDONLY), start, size)


@pytest.fixture(params=["kernel", "no sendfile", "overridden"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The method by which the bytes are written to the socket."""
    if request.param == "no sendfile":
        monkeypatch.setattr("tornado.iostream._socket._HAS_SENDFILE", False)
    elif request.param == "overridden":
        original = IOStream.write_to_fd
        monkeypatch.setattr(IOStream, "write_to_fd", lambda self, data: original(self, data))
    kind: str = request.param
    return kind


@pytest.mark.parametrize("family", ["unix", "tcp"])
async def test_files_and_bytes_are_sent_in_order(
    path: Path, certificates: Certificates, tls: Any, loop_kind: str, method: str, family: str
) -> None:
    kind = "tls" if tls else "plain"
    async with stream_pair(kind, certificates, family) as (server, client):
        futures = [
            server.write(b"before "),
            server.send_file(segment(path)),
            server.write(b" between "),
            server.send_file(segment(path, 1000, 500)),
            server.send_file(segment(path, 0, 0)),
            server.write(b" after"),
        ]
        assert server.writing()
        expected = b"before " + CONTENT + b" between " + CONTENT[1000:1500] + b" after"
        assert await client.read_bytes(len(expected)) == expected
        await asyncio.gather(*futures)
        assert not server.writing()
        assert server.pending_output == 0
        assert sent_size(server) == len(expected)


async def test_collected_output_is_sent_before_a_file(path: Path, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        server.cork()
        server.send(b"head ")
        future = server.send_file(segment(path, 0, 1000))
        server.send(b" tail")
        server.uncork()
        assert await client.read_bytes(1010) == b"head " + CONTENT[:1000] + b" tail"
        await future


async def test_file_output_per_iteration_is_limited(
    path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    sendfile = os.sendfile

    def recording_sendfile(out: int, source: int, offset: int, count: int) -> int:
        sent.append(count)
        return sendfile(out, source, offset, min(count, 1000))

    monkeypatch.setattr(os, "sendfile", recording_sendfile)
    async with stream_pair("plain", certificates, "tcp") as (server, client):
        reading = asyncio.ensure_future(client.read_bytes(len(CONTENT)))
        server.send_file(segment(path)).cancel()
        assert sum([1000] * len(sent)) <= FAIR_SHARE + 1000
        assert max(sent) <= FAIR_SHARE
        await reading


async def test_unsupported_sendfile_falls_back_to_reading(
    path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def failing_sendfile(*arguments: int) -> int:
        calls.append(arguments)
        raise OSError(errno.EINVAL, "not this one")

    monkeypatch.setattr(os, "sendfile", failing_sendfile)
    async with stream_pair("plain", certificates) as (server, client):
        future = server.send_file(segment(path))
        assert await client.read_bytes(len(CONTENT)) == CONTENT
        await future
    assert len(calls) == 1


async def test_truncated_file_closes_the_stream(
    tmp_path: Path, certificates: Certificates, tls: Any, expect_log: ExpectLog
) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    async with stream_pair("tls" if tls else "plain", certificates) as (server, client):
        future = server.send_file(segment(path))
        os.truncate(path, 1000)
        with expect_log("tornado.general", "the file was truncated"):
            got = await client.read_until_close()
            with pytest.raises(StreamClosedError) as caught:
                await future
        assert isinstance(caught.value.real_error, FileTruncatedError)
        assert CONTENT.startswith(got.rstrip(b"\0")[:1000])
        assert len(got) < len(CONTENT)


@pytest.mark.parametrize("who", ["server", "client"])
async def test_closed_stream_closes_the_file(
    path: Path, certificates: Certificates, tls: Any, who: str
) -> None:
    async with stream_pair("tls" if tls else "plain", certificates) as (server, client):
        sending = segment(path)
        future = server.send_file(sending)
        await run_loop_iterations()
        assert sending.fd >= 0
        (server if who == "server" else client).close()
        with pytest.raises(StreamClosedError):
            await future
        assert sending.fd == -1
        late = segment(path)
        with pytest.raises(StreamClosedError):
            await server.send_file(late)
        assert late.fd == -1


async def test_consumer_is_notified_when_a_file_has_been_sent(path: Path, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        recorder = Recorder()
        server.start_push(recorder)
        future = server.send_file(segment(path))
        assert server.pending_output > 0
        await client.read_bytes(len(CONTENT))
        await future
        await recorder.until(lambda: recorder.events == ["drained"])
        server.stop_push()


def test_write_buffer_with_file_segments(path: Path) -> None:
    buffer = _StreamBuffer()
    buffer.append(b"ab")
    buffer.append_file(segment(path, 10, 100))
    buffer.append(b"cd")
    assert len(buffer) == 104
    assert buffer.front_file() is None
    buffer.advance(2)
    front = buffer.front_file()
    assert front is not None
    assert (front[0].start, front[1]) == (10, 0)
    with buffer.peek(5) as view:
        assert bytes(view) == CONTENT[10:15]
    buffer.advance(99)
    with buffer.peek(5) as view:
        assert bytes(view) == CONTENT[109:110]
    buffer.advance(1)
    assert front[0].fd == -1
    with buffer.peek(5) as view:
        assert bytes(view) == b"cd"
    last = segment(path)
    buffer.append_file(last)
    buffer.clear()
    assert last.fd == -1


def test_closing_a_segment_twice(path: Path) -> None:
    one = segment(path, 0, 10)
    assert len(one) == 10
    one.close()
    one.close()
    forgotten = segment(path)
    del forgotten


def test_reading_past_the_end_fails(path: Path) -> None:
    late = segment(path, len(CONTENT) - 5, 10)
    assert late.read(0, 100) == CONTENT[-5:]
    with pytest.raises(FileTruncatedError):
        late.read(5, 100)
    assert read_at(late.fd, 10, 0) == CONTENT[:10]
    late.close()


def test_failed_posix_fadvise_is_ignored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: int) -> None:
        raise OSError(errno.ESPIPE, "none needed")

    monkeypatch.setattr(os, "posix_fadvise", refuse)
    segment(path).close()
