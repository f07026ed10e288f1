from __future__ import annotations

import asyncio
import os

import pytest

from tests.support.streams import Recorder, closed
from tornado.iostream import PipeIOStream, StreamClosedError


def pipe() -> tuple[PipeIOStream, PipeIOStream]:
    reader, writer = os.pipe()
    return PipeIOStream(reader), PipeIOStream(writer)


async def test_data_written_to_a_pipe_is_read(loop_kind: str) -> None:
    reader, writer = pipe()
    assert reader.fileno() == reader.fd
    line = reader.read_until(b"\n")
    await writer.write(b"line\nrest")
    assert await line == b"line\n"
    rest = reader.read_until_close()
    writer.close()
    assert await rest == b"rest"


async def test_writing_more_than_the_pipe_buffer(loop_kind: str) -> None:
    reader, writer = pipe()
    data = os.urandom(1 << 20)
    target = bytearray(len(data))
    read = reader.read_into(target)
    await writer.write(data)
    assert await read == len(data)
    assert target == data
    reader.close()
    writer.close()


async def test_closed_read_end_closes_the_writer(loop_kind: str) -> None:
    reader, writer = pipe()
    close_event = asyncio.ensure_future(closed(writer))
    await asyncio.sleep(0)
    reader.close()
    await close_event
    with pytest.raises(StreamClosedError):
        writer.write(b"x")


async def test_push_mode_delivers_data_and_end_of_a_pipe(loop_kind: str) -> None:
    reader, writer = pipe()
    consumer = Recorder()
    reader.start_push(consumer)
    writer.send(b"abc")
    await consumer.until(lambda: consumer.events)
    writer.close()
    await consumer.until(lambda: "eof" in consumer.events)
    assert consumer.events == [b"abc", "eof"]
    reader.close()


async def test_reading_a_write_end_fails() -> None:
    reader, writer = pipe()
    read = writer.read_bytes(1)
    with pytest.raises(StreamClosedError, match=rf"\(reading from descriptor {writer.fd}\)$"):
        await read
    reader.close()
