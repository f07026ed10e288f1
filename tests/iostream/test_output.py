from __future__ import annotations

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import reset, stream_pair, turns
from tornado.iostream import IOStream, StreamBufferFullError, StreamClosedError

BIG = 8 * 1024 * 1024


async def test_a_small_write_is_done_at_once(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        assert server.write(b"abc").done()
        assert server.write(bytearray(b"def")).done()
        assert server.write(memoryview(b"ghi")).done()
        assert server.write(memoryview(b"12345678").cast("I")).done()
        assert server.write(b"").done()
        assert not server.writing()
        assert await client.read_bytes(17) == b"abcdefghi12345678"


async def test_writes_are_done_in_their_order(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        order: list[str] = []
        for name, data in (("big", bytes(BIG)), ("small", b"x"), ("none", b""), ("end", b"y" * 100_000)):
            server.write(data).add_done_callback(lambda _, name=name: order.append(name))  # type: ignore[misc]
        assert server.writing()
        got = await client.read_bytes(BIG + 100_001)
        assert got == bytes(BIG) + b"x" + b"y" * 100_000
        await server.write(b"")
        await turns()
        assert order == ["big", "small", "none", "end"]
        assert server._total_write_done_index == server._total_write_index == BIG + 100_001


async def test_pieces_put_into_the_write_buffer(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    """Programs append to the write buffer themselves, and then write nothing."""
    async with stream_pair(kind, certificates) as (server, client):
        for size in (10, BIG):
            for piece in (b"a" * size, memoryview(b"b" * size)):
                server._write_buffer.append(piece)
                server._total_write_index += len(piece)
            written = server.write(b"")
            assert await client.read_bytes(2 * size) == b"a" * size + b"b" * size
            await written
            assert not server.writing()


async def test_the_write_buffer_is_limited(kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates, max_write_buffer_size=BIG) as (server, _):
        with pytest.raises(StreamBufferFullError, match=str(BIG)):
            server.write(bytes(BIG + 1))
        server.write(bytes(BIG))
        with pytest.raises(StreamBufferFullError):
            server.write(bytes(BIG))
        assert not server.closed()


async def test_closing_fails_what_waits(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, _):
        written = server.write(bytes(BIG))
        never_looked_at = server.write(b"x")
        error = ValueError("enough")
        server.close(error)
        with pytest.raises(StreamClosedError) as caught:
            await written
        assert caught.value.real_error is error
        assert never_looked_at.done()
        with pytest.raises(StreamClosedError):
            server.write(b"x")


async def test_writing_to_a_peer_that_has_left(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates, family="tcp") as (server, client):
        reset(client)
        with pytest.raises(StreamClosedError) as caught:  # the first one may find out, or the second one
            for _ in range(2):
                await server.write(b"x")
        assert isinstance(caught.value.real_error, ConnectionError)


async def test_write_to_fd_is_honoured(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        original, sizes = IOStream.write_to_fd, []

        def write_to_fd(self: IOStream, data: memoryview) -> int:
            sizes.append(len(data))
            return original(self, data[:3])

        monkeypatch.setattr(IOStream, "write_to_fd", write_to_fd)
        await server.write(b"12345678")
        server._send(b"9")
        assert await client.read_bytes(9) == b"123456789"
        assert sizes == [8, 5, 2, 1]


async def test_an_error_of_the_descriptor_is_logged(certificates: Certificates, expect_log) -> None:  # type: ignore[no-untyped-def]
    class Broken(IOStream):
        def write_to_fd(self, data: memoryview) -> int:
            raise OSError(5, "broken")

    async with stream_pair("plain", certificates) as (server, _):
        broken = Broken(server.socket.dup())
        with expect_log("tornado.general", "Write error on .*broken"), pytest.raises(StreamClosedError):
            await broken.write(b"x")
        assert broken.closed()


async def test_write_to_fd_of_an_instance_is_honoured(kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        original, sizes = server.write_to_fd, []

        def write_to_fd(data: memoryview) -> int:
            sizes.append(len(data))
            return original(data)

        server.write_to_fd = write_to_fd  # type: ignore[method-assign]
        await server.write(b"abc")
        assert await client.read_bytes(3) == b"abc"
        assert sizes == [3]
