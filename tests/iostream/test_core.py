from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import weakref
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import Recorder, run_loop_iterations, socket_pair, stream_pair
from tornado.ioloop import IOLoop
from tornado.iostream import BaseIOStream, IOStream, PipeIOStream, StreamClosedError


async def test_close_stores_the_first_error(certificates: Certificates) -> None:
    error = ValueError("why")
    for given in (error, (ValueError, error, None), True):
        async with stream_pair("plain", certificates) as (server, _):
            try:
                raise error
            except ValueError:
                server.close(exc_info=given)  # type: ignore[arg-type]
            assert server.error is error
            server.close(KeyError())
            assert server.error is error
            with pytest.raises(StreamClosedError) as caught:
                await server.read_bytes(1)
            assert caught.value.real_error is error


async def test_close_callback_set_after_close_runs(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, _):
        calls = []
        server.set_close_callback(lambda: calls.append("first"))
        server.set_close_callback(None)
        server.close()
        server.set_close_callback(lambda: calls.append("late"))
        assert calls == []
        await run_loop_iterations()
        assert calls == ["late"]


async def test_attributes_can_be_set(kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, _):
        server.my_own = 1  # type: ignore[attr-defined]
        assert server.__dict__ == {"my_own": 1}


async def test_dropped_stream_is_freed_immediately(loop_kind: str, certificates: Certificates) -> None:
    gc.disable()
    try:
        sock, other = socket_pair()
        stream = IOStream(sock)
        consumer = Recorder()
        stream.start_push(consumer)
        stream.send(b"x")
        reference = weakref.ref(stream)
        stream.close()
        del stream
        await run_loop_iterations()
        assert reference() is None
        other.close()
    finally:
        gc.enable()


def test_closing_a_loop_closes_its_streams() -> None:
    io_loop = IOLoop(make_current=False)
    sock, other = socket_pair()
    kept = []

    async def start() -> None:
        stream = IOStream(sock)
        stream.start_push(Recorder())
        kept.append(stream)

    io_loop.run_sync(start)
    io_loop.close(all_fds=True)
    assert kept[0].closed()
    assert sock.fileno() == -1
    other.close()


def test_closing_a_stream_after_its_loop() -> None:
    sock, other = socket_pair()

    async def start() -> IOStream:
        stream = IOStream(sock)
        stream.read_bytes(1)
        stream.write(bytes(10_000_000))
        return stream

    stream = asyncio.run(start())
    stream.close()
    assert sock.fileno() == -1
    other.close()


class SocketDroppingStream(BaseIOStream):
    """A stream class of a program that deletes its reference to the socket when it is closed."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock: Any = sock
        sock.setblocking(False)
        super().__init__()

    def fileno(self) -> int:
        number: int = self.sock.fileno()
        return number

    def close_fd(self) -> None:
        self.sock.close()
        self.sock = None

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        try:
            count: int = self.sock.recv_into(buf)
        except BlockingIOError:
            return None
        return count


async def test_close_notifies_although_subclass_has_dropped_its_descriptor(loop_kind: str) -> None:
    sock, other = socket_pair()
    stream = SocketDroppingStream(sock)
    called = asyncio.Event()
    stream.set_close_callback(called.set)
    read = stream.read_bytes(10)
    other.close()
    with pytest.raises(StreamClosedError, match=r"^Stream is closed \(reading from a closed descriptor\)$"):
        await read
    await called.wait()
    with pytest.raises(StreamClosedError, match="writing to a closed descriptor"):
        stream.write(b"x")


@pytest.mark.skipif(os.name == "nt", reason="no pipes on Windows")
async def test_failed_close_fd_still_notifies() -> None:
    """The program has closed the descriptor, so closing the stream fails."""
    reader, writer = os.pipe()
    stream = PipeIOStream(reader)
    called = asyncio.Event()
    stream.set_close_callback(called.set)
    read = stream.read_bytes(10)
    os.close(reader)
    with pytest.raises(OSError) as caught:
        stream.close()
    assert caught.value.errno == errno.EBADF
    with pytest.raises(StreamClosedError, match=f"reading from descriptor {reader}"):
        await read
    await called.wait()
    os.close(writer)
