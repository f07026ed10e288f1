"""Cancelling the Future of a stream operation: the stream stays usable or, if that is impossible, closes."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import (
    closed,
    other_open_streams,
    received_in_place,
    run_loop_iterations,
    socket_pair,
    stream_pair,
    tls_stream,
    unread_size,
)
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

BIG = 8 * 1024 * 1024

READS: dict[str, Callable[[IOStream], asyncio.Future[Any]]] = {
    "read_until": lambda stream: stream.read_until(b"\n"),
    "read_until_regex": lambda stream: stream.read_until_regex(b"\n"),
    "read_bytes": lambda stream: stream.read_bytes(5000),
    "read_bytes, partial": lambda stream: stream.read_bytes(5000, partial=True),
    "read_into": lambda stream: stream.read_into(bytearray(100_000)),
    "read_into, partial": lambda stream: stream.read_into(bytearray(100_000), partial=True),
    "read_until_close": lambda stream: stream.read_until_close(),
}


@pytest.mark.parametrize("name", READS)
async def test_cancelled_read_keeps_every_byte(
    name: str, loop_kind: str, kind: str, certificates: Certificates
) -> None:
    """The read is cancelled before any data and, unless it is partial, after some data has arrived."""
    async with stream_pair(kind, certificates) as (server, client):
        read = READS[name](server)
        read.cancel()
        assert not server.reading()
        await client.write(b"before ")
        assert await server.read_bytes(7) == b"before "
        read = READS[name](server)
        if "partial" not in name:
            await client.write(b"a part")
            while not unread_size(server) and not received_in_place(server):
                await asyncio.sleep(0)
        read.cancel()
        await client.write(b" and the rest\n")
        expected = b" and the rest\n" if "partial" in name else b"a part and the rest\n"
        assert await server.read_until(b"\n") == expected
        await server.write(b"answer")
        assert await client.read_bytes(6) == b"answer"


async def test_completed_read_cannot_be_cancelled(certificates: Certificates) -> None:
    """A Future that is already done cannot be cancelled, and keeps its result."""
    async with stream_pair("plain", certificates) as (server, client):
        read = server.read_bytes(3)
        await client.write(b"abcdef")
        while not read.done():
            await asyncio.sleep(0)
        assert not read.cancel()
        assert read.result() == b"abc"
        assert await server.read_bytes(3) == b"def"


async def _read_into(stream: IOStream, buffer: bytearray) -> int:
    return await stream.read_into(buffer)


async def test_buffer_of_cancelled_read_into_can_be_reused(
    loop_kind: str, certificates: Certificates
) -> None:
    """The caller may write to the buffer immediately after the cancellation; received bytes are not lost."""
    async with stream_pair("plain", certificates) as (server, client):
        buffer = bytearray(100_000)
        read = server.read_into(buffer)
        await client.write(b"abc")
        while not received_in_place(server):
            await asyncio.sleep(0)
        read.cancel()
        buffer[:] = bytes(100_000)
        buffer.clear()  # this would raise BufferError if a view of the buffer existed
        assert await server.read_bytes(3) == b"abc"
        buffer = bytearray(100_000)
        reading = asyncio.ensure_future(_read_into(server, buffer))
        await client.write(b"def")
        while not received_in_place(server):
            await asyncio.sleep(0)
        reading.cancel()
        buffer.clear()
        assert await server.read_bytes(3) == b"def"
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_cancelled_write_is_still_sent(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        written = server.write(bytes(BIG))
        second = server.write(b"end")
        assert written.cancel()
        assert await client.read_bytes(BIG + 3) == bytes(BIG) + b"end"
        await second


async def test_cancelled_connect_continues(loop_kind: str, kind: str, certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client: IOStream
        if kind == "tls":
            client = SSLIOStream(socket.socket(), ssl_options=certificates.client_context)
            connecting: asyncio.Future[Any] = client.connect(listener.getsockname(), "localhost")
        else:
            client = IOStream(socket.socket())
            connecting = client.connect(listener.getsockname())
        assert connecting.cancel()
        sock = listener.accept()[0]
        server = tls_stream(sock, certificates.server_context, True) if kind == "tls" else IOStream(sock)
        await client.write(b"question")
        assert await server.read_bytes(8) == b"question"
        client.close()
        server.close()


async def test_cancelled_connect_that_is_refused_closes(loop_kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    client = IOStream(socket.socket())
    client.connect(address).cancel()
    await closed(client)
    place = re.escape(f"(connecting to 127.0.0.1:{address[1]})")
    with pytest.raises(StreamClosedError, match=f"^Stream is closed: .*refused {place}$"):
        client.write(b"x")


async def test_handshake_can_be_awaited_again_after_cancellation(
    loop_kind: str, certificates: Certificates
) -> None:
    ours, theirs = socket_pair()
    client = tls_stream(ours, certificates.client_context, server_side=False)
    assert client.wait_for_handshake().cancel()
    waiting = client.wait_for_handshake()
    server = tls_stream(theirs, certificates.server_context, server_side=True)
    assert await waiting is client
    await client.write(b"abc")
    assert await server.read_bytes(3) == b"abc"
    client.close()
    server.close()


@pytest.mark.parametrize("server_side", [False, True])
async def test_cancelled_start_tls_closes(
    server_side: bool, loop_kind: str, certificates: Certificates
) -> None:
    """The program has no reference to the new stream, and the old one cannot be used."""
    async with stream_pair("plain", certificates) as (stream, peer):
        context = certificates.server_context if server_side else certificates.client_context
        handshake = stream.start_tls(server_side, context, None if server_side else "localhost")
        assert stream.closed()
        handshake.cancel()
        await run_loop_iterations()
        with pytest.raises(StreamClosedError):
            await peer.read_until(b"never")
        assert not other_open_streams(stream, peer)
