"""Reads on request, over plain and TLS connections, on asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import (
    closed,
    note_receives,
    note_receives_in_place,
    reset,
    run_loop_iterations,
    stream_pair,
    unread_size,
)
from tornado.iostream import (
    BaseIOStream,
    IOStream,
    StreamBufferFullError,
    StreamClosedError,
    UnsatisfiableReadError,
)

MEGABYTE = 1024 * 1024


async def test_each_kind_of_read(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        first = server.read_until(b"\n")
        assert server.reading()
        await client.write(b"one\ntwo; three|fourfive")
        assert await first == b"one\n"
        assert not server.reading()
        assert await server.read_until_regex(b"[;,] ") == b"two; "
        assert await server.read_until(b"|", max_bytes=6) == b"three|"
        assert await server.read_bytes(4) == b"four"
        assert await server.read_bytes(100, partial=True) == b"five"
        assert await server.read_bytes(0) == b""
        rest = server.read_until_close()
        await client.write(b"the rest")
        client.close()
        assert await rest == b"the rest"
        assert server.closed()
        assert await server.read_until_close() == b""


async def test_byte_by_byte(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        read = server.read_until_regex(b"\r\n\r\n")
        for byte in b"head: value\r\n\r\n":
            await client.write(bytes([byte]))
            await run_loop_iterations(2)
        assert await read == b"head: value\r\n\r\n"


@pytest.mark.parametrize("partial", [False, True])
async def test_read_into_fills_the_buffer(
    loop_kind: str, kind: str, certificates: Certificates, partial: bool
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        target = bytearray(10)
        read = server.read_into(target, partial=partial)
        await client.write(b"hello")
        if partial:
            assert await read == 5
            assert target == b"hello" + bytes(5)
        else:
            await run_loop_iterations()
            assert not read.done()
            await client.write(b"world!!")
            assert await read == 10
            assert target == b"helloworld"
            assert await server.read_bytes(2) == b"!!"


async def test_huge_transfers_are_complete(loop_kind: str, kind: str, certificates: Certificates) -> None:
    data = bytes(range(256)) * (16 * 1024)
    async with stream_pair(kind, certificates) as (server, client):
        target = bytearray(len(data))
        for read in (server.read_bytes(len(data)), None):
            read = read or server.read_into(target)  # type: ignore[assignment]
            written = client.write(data)
            assert not written.done()
            assert client.writing()
            result: Any = await read  # type: ignore[misc]
            await written
            assert not client.writing()
            assert (result if isinstance(result, bytes) else bytes(target)) == data


async def test_large_read_into_receives_directly_into_the_buffer(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        sizes: list[int] = []
        note_receives_in_place(server, sizes.append)
        client.write(bytes(MEGABYTE))
        assert await server.read_into(bytearray(MEGABYTE)) == MEGABYTE
        assert sizes[0] == MEGABYTE
        assert sizes == sorted(sizes, reverse=True)
        assert unread_size(server) == 0


async def test_short_receive_is_not_followed_by_another(loop_kind: str) -> None:
    """A receive that returns less than requested has emptied the descriptor; a second one is unnecessary."""
    ours, theirs = socket.socketpair()
    with theirs:
        stream = IOStream(ours)
        receives: list[int] = []
        note_receives(stream, receives.append)
        theirs.sendall(b"abc")
        line = stream.read_until(b"\n")
        assert len(receives) == 1
        theirs.sendall(b"d\n")
        assert await line == b"abcd\n"
        assert len(receives) == 2
        stream.close()


async def test_cancelled_large_read_keeps_received_bytes(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    data = bytes(range(256)) * 1024
    async with stream_pair(kind, certificates) as (server, client):
        cancelled = server.read_bytes(len(data))
        await client.write(data[:100_000])
        while unread_size(server) < 100_000:
            await run_loop_iterations()
        cancelled.cancel()
        whole = server.read_bytes(len(data))
        await client.write(data[100_000:])
        assert await whole == data


async def test_buffered_data_can_be_read_after_close(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        await client.write(b"a|b|c")
        client.close()
        close_event = closed(server)
        assert await server.read_until(b"|") == b"a|"
        with pytest.raises(StreamClosedError):
            await server.read_until(b"!")
        assert server.closed()
        await close_event
        assert await server.read_until(b"|") == b"b|"
        with pytest.raises(StreamClosedError):
            server.read_bytes(2)
        assert await server.read_bytes(2, partial=True) == b"c"


async def test_disconnect_without_outstanding_read_runs_close_callback(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        close_event = asyncio.ensure_future(closed(server))
        await run_loop_iterations()
        client.close()
        await close_event
        assert server.error is None
        with pytest.raises(StreamClosedError):
            server.write(b"x")


async def run_until_notified(notified: list[str]) -> None:
    """Run iterations of the event loop until the close callback has run, without timers, reads or writes."""
    for _ in range(5000):
        if notified:
            return
        await asyncio.sleep(0)
    raise AssertionError("the close callback has not been called")


@pytest.mark.parametrize("unread", [0, 1, 1000, 60_000])
async def test_close_callback_runs_despite_unread_bytes(
    unread: int, loop_kind: str, kind: str, certificates: Certificates
) -> None:
    """The bytes can still be read. The detection needs no timer, only some event loop iterations."""
    async with stream_pair(kind, certificates, family="tcp") as (server, client):
        notified: list[str] = []
        server.set_close_callback(lambda: notified.append("closed"))
        if unread:
            await client.write(bytes(unread))
            while unread_size(server) < unread:
                await asyncio.sleep(0)
        await run_loop_iterations(20)
        assert not notified
        client.close()
        await run_until_notified(notified)
        assert server.closed()
        if unread:
            assert await server.read_bytes(unread) == bytes(unread)


async def test_watching_for_close_receives_at_most_a_chunk(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates, family="tcp", read_chunk_size=1000) as (server, client):
        notified: list[str] = []
        server.set_close_callback(lambda: notified.append("closed"))
        await client.write(bytes(10_000))
        client.close()
        await run_loop_iterations(100)
        assert 1000 <= unread_size(server) < 2000
        assert not notified
        assert await server.read_bytes(9_500) == bytes(9_500)  # this enables the check again
        await run_until_notified(notified)
        assert await server.read_until_close() == bytes(500)


async def test_close_callback_runs_once_and_after_reads(kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        order = []
        server.set_close_callback(lambda: order.append("closed"))
        read = server.read_until(b"\n")
        read.add_done_callback(lambda _: order.append("read"))
        client.write(b"line\n")
        client.close()
        assert await read == b"line\n"
        with pytest.raises(StreamClosedError):
            await server.read_bytes(1)
        server.close()
        await run_loop_iterations()
        assert order == ["read", "closed"]


async def test_reset_fails_the_read(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates, family="tcp") as (server, client):
        read = server.read_bytes(1)
        # As for an accepted socket. The kernel does not report the address of a peer after a reset.
        server.peer_address = ("192.0.2.1", 80)
        reset(client)
        with pytest.raises(
            StreamClosedError, match=r"reset by peer \(reading from 192.0.2.1:80\)$"
        ) as caught:
            await read
        assert isinstance(caught.value.real_error, ConnectionResetError)
        assert server.error is caught.value.real_error


async def test_exceeding_max_bytes_closes(
    kind: str, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tornado.general")
    async with stream_pair(kind, certificates) as (server, client):
        read = server.read_until(b"\n", max_bytes=5)
        await client.write(b"123456")
        with pytest.raises(StreamClosedError) as caught:
            await read
        assert isinstance(caught.value.real_error, UnsatisfiableReadError)
        assert server.closed()
    assert "Unsatisfiable read, closing connection" in caplog.text


async def test_read_buffer_limit_closes(kind: str, certificates: Certificates, expect_log: Any) -> None:
    async with stream_pair(kind, certificates, max_buffer_size=10_000) as (server, client):
        assert server.read_chunk_size == 5000
        with expect_log("tornado.general", "Reached maximum read buffer size"):
            read = server.read_until(b"\n")
            client.write(bytes(20_000))
            with pytest.raises(StreamClosedError) as caught:
                await read
        assert isinstance(caught.value.real_error, StreamBufferFullError)


async def test_second_outstanding_read_fails(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        read = server.read_bytes(1)
        with pytest.raises(AssertionError, match="Already reading: .* cancel its Future$"):
            server.read_bytes(1)
        read.cancel()
        read = server.read_bytes(1)
        await client.write(b"x")
        assert await read == b"x"


async def test_cancelled_read_keeps_received_bytes(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        server.read_until(b"\n").cancel()
        await client.write(b"abc")
        await run_loop_iterations()
        target = bytearray(5)
        into = server.read_into(target)
        await run_loop_iterations()
        into.cancel()
        assert await server.read_bytes(3) == b"abc"


async def test_fast_peer_does_not_monopolize_the_loop(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    """Reads that are all satisfied immediately must not monopolize the event loop."""
    async with stream_pair(kind, certificates) as (server, client):

        async def flood() -> None:
            while not client.closed():
                await client.write(bytes(64 * 1024))

        passes = 0

        def count() -> None:
            nonlocal passes
            passes += 1
            asyncio.get_running_loop().call_soon(count)

        flooding = asyncio.ensure_future(flood())
        count()
        for _ in range(4 * MEGABYTE // 1024):
            await server.read_bytes(1024)
        assert passes >= 16
        client.close()
        with pytest.raises(StreamClosedError):
            await flooding


async def test_subclass_over_descriptor_methods(loop_kind: str) -> None:
    """A stream class of a program, whose input and output are lists."""

    class Loopback(BaseIOStream):
        def __init__(self) -> None:
            super().__init__()
            self.pieces = [b"ab", b"c\nrest", b""]
            self.sent: list[bytes] = []

        def fileno(self) -> int:
            return -1

        def close_fd(self) -> None:
            self.sent.append(b"(closed)")

        def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
            piece = self.pieces.pop(0)
            buf[: len(piece)] = piece
            return len(piece)

        def write_to_fd(self, data: memoryview) -> int:
            self.sent.append(bytes(data[:3]))
            return min(3, len(data))

    stream = Loopback()
    stream.read_chunk_size = 10
    assert await stream.read_until(b"\n") == b"abc\n"
    assert await stream.read_until_close() == b"rest"
    assert stream.get_fd_error() is None
    assert stream.sent == [b"(closed)"]
    other = Loopback()
    assert other.write(b"abc").done()
    assert other.sent == [b"abc"]
    other.set_nodelay(True)
    other.close()


async def test_regex_over_a_large_buffer_that_grows_slowly(
    loop_kind: str, certificates: Certificates
) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        read = server.read_until_regex(b"\n")
        await client.write(bytes(200_000))
        for _ in range(20):
            await client.write(b"x")
            await run_loop_iterations()
        await client.write(b"\n")
        assert len(await read) == 200_021
        read = server.read_until_regex(b"\n")
        await client.write(bytes(200_000))
        await run_loop_iterations()
        await client.write(b"\n")
        client.close()
        assert len(await read) == 200_001


@pytest.mark.parametrize("partial", [False, True])
async def test_negative_number_of_bytes_is_rejected(partial: bool, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        await client.write(b"abc")
        with pytest.raises(ValueError, match="must not be negative, got -1"):
            server.read_bytes(-1, partial)
        assert await server.read_bytes(3) == b"abc"
        assert await server.read_bytes(0) == b""


async def test_delimiter_and_regex_must_be_bytes(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        wrong: Any
        for wrong in ("\n", 10):
            with pytest.raises(TypeError, match="read_until: delimiter must be bytes, got "):
                server.read_until(wrong)
        for wrong in ("a+", 10):
            with pytest.raises(TypeError, match="read_until_regex: regex must be a bytes pattern, got "):
                server.read_until_regex(wrong)
        await client.write(b"ab\ncd\n")
        assert await server.read_until(bytearray(b"\n")) == b"ab\n"
        assert await server.read_until_regex(re.compile(b"d\n")) == b"cd\n"  # type: ignore[arg-type]
