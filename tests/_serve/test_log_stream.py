"""The log of a service, whose reader may stop reading."""

from __future__ import annotations

import logging
import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.service_internals import Send, replace_send
from tornado._serve import log_stream
from tornado._serve.log_stream import MAX_KEPT, LogStream
from tornado.log import gen_log


@pytest.fixture(params=["pipe", "pipe that cannot be opened again", "socket"])
def ends(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Yield the descriptors of the reader and of the log."""
    if request.param == "socket":
        reader, writer = (sock.detach() for sock in socket.socketpair())
    else:
        reader, writer = os.pipe()
    if "cannot" in request.param:

        def refuse(*arguments: Any) -> int:
            raise PermissionError

        monkeypatch.setattr(os, "open", refuse)
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def read(descriptor: int) -> bytes:
    data = b""
    while select.select([descriptor], [], [], 0)[0] and (more := os.read(descriptor, 65_536)):
        data += more
    return data


def fill(stream: LogStream, line: str = "x" * 99 + "\n") -> int:
    """Write lines until some are dropped, and return their number."""
    count = 0
    while not stream.lost:
        stream.write(line)
        count += 1
    return count


def test_lines_arrive(ends):
    reader, writer = ends
    with closing(LogStream(writer)) as stream:
        stream.write("one\n")
        stream.write("two \udcff\n")
        assert read(reader) == b"one\ntwo \\udcff\n"


@pytest.mark.parametrize("size", [1, 30 * select.PIPE_BUF])
def test_signal_handler_may_log_while_a_line_is_sent(ends, monkeypatch, size):
    reader, writer = ends
    data = b""
    with closing(LogStream(writer)) as stream:

        def make(send: Send) -> Send:
            def send_and_log(part: bytes) -> int:
                sent = send(part)
                if texts:
                    stream.write(texts.pop())
                    stream.flush()
                return sent

            return send_and_log

        texts = ["nested\n"]
        replace_send(monkeypatch, stream, make)
        stream.write("x" * size + "\n")
        while not data.endswith(b"nested\n"):
            stream.flush()
            data += read(reader)
    assert data == b"x" * size + b"\nnested\n"


def test_parts_end_with_a_line(ends, monkeypatch):
    """Another worker may write to the same pipe in between."""
    reader, writer = ends
    parts = []
    with closing(LogStream(writer)) as stream:
        replace_send(monkeypatch, stream, lambda send: lambda part: parts.append(bytes(part)) or send(part))
        stream.write(("x" * 999 + "\n") * 20)
        lines = parts[:]
        stream.write("y" * 10_000 + "\n" + "z\n")
    assert all(part.endswith(b"\n") and len(part) <= select.PIPE_BUF for part in lines)
    assert b"".join(lines) == (b"x" * 999 + b"\n") * 20
    assert read(reader) == b"".join(parts) == b"".join(lines) + b"y" * 10_000 + b"\nz\n"


def test_line_that_exceeds_the_buffer_arrives_in_parts(ends):
    reader, writer = ends
    line = "x" * 10 * MAX_KEPT + "\n"
    with closing(LogStream(writer)) as stream:
        stream.write(line)
        data = b""
        while len(data) < len(line):
            data += read(reader)
            stream.flush()
    assert data.decode() == line


def test_lines_are_dropped_and_counted_while_the_reader_does_not_read(ends, expect_log):
    reader, writer = ends
    with closing(LogStream(writer)) as stream:
        count = fill(stream)
        stream.write("y" * 99 + "\n")
        stream.flush()
        assert stream.lost == 2
        data = b""
        with expect_log("tornado.general", "2 lines of the log were dropped, because standard error was not"):
            while stream.lost:
                data += read(reader)
                stream.flush()
        data += read(reader)
        assert stream.lost == 0
        assert data == (b"x" * 99 + b"\n") * (count - 1)


def test_report_of_dropped_lines_is_a_record_of_the_same_log(ends, expect_log):
    reader, writer = ends
    with closing(LogStream(writer)) as stream:
        handler = logging.StreamHandler(stream)
        gen_log.addHandler(handler)
        gen_log.propagate = False
        try:
            fill(stream)
            data = b""
            with expect_log("tornado.general", "1 lines of the log were dropped"):
                while b"1 lines of the log were dropped" not in data:
                    data += read(reader)
                    stream.flush()
        finally:
            gen_log.propagate = True
            gen_log.removeHandler(handler)


def test_end_of_the_process_does_not_wait_for_the_reader(ends):
    _, writer = ends
    with closing(LogStream(writer)) as stream:
        fill(stream)
        stream.finish(0.01)
        assert stream.lost == 1


@pytest.mark.parametrize("make", [lambda: 10**6, lambda: os.open("/dev/full", os.O_WRONLY)])
def test_stream_that_cannot_be_written_is_ignored(make: Callable[[], int]):
    descriptor = make()
    with closing(LogStream(descriptor)) as stream:
        stream.write("x\n")
        stream.finish(60.0)
        assert not stream.isatty()
    if descriptor != 10**6:
        os.close(descriptor)


def test_reader_that_has_ended_is_ignored():
    reading, writing = os.pipe()
    os.close(reading)
    with closing(LogStream(writing)) as stream:
        stream.write("x\n")
        stream.finish(60.0)
    os.close(writing)


def test_file_is_written(tmp_path: Path):
    with open(tmp_path / "log", "wb") as file, closing(LogStream(file.fileno())) as stream:
        stream.write("one\n")
        assert (tmp_path / "log").read_text() == "one\n"


def test_child_process_does_not_repeat_the_output_of_its_parent(ends):
    reader, writer = ends
    with closing(LogStream(writer)) as stream:
        fill(stream)
        child = os.fork()
        if child == 0:
            stream.write("child\n")
            status = 1
            try:
                log_stream.finish_streams(60.0)
                status = 0
            finally:
                os._exit(status)
        data = b""
        while b"child\n" not in data:
            data += read(reader)
        assert os.waitpid(child, 0) == (child, 0)
        stream.after_fork()  # otherwise the lost line would be reported
    assert data.count(b"x" * 99 + b"\n") * 100 < MAX_KEPT * 2


@pytest.mark.parametrize("use", [log_stream.flush_streams, log_stream.finish_streams, log_stream._after_fork])
def test_streams_may_be_created_while_all_are_used(ends, monkeypatch, use):
    """Another thread may create one."""
    _, writer = ends
    created = []
    method = {"flush_streams": "flush", "finish_streams": "finish", "_after_fork": "after_fork"}[use.__name__]
    monkeypatch.setattr(LogStream, method, lambda *_: created.append(LogStream(writer)))
    with closing(LogStream(writer)):
        use()
    assert created
    for stream in created:
        stream.close()
