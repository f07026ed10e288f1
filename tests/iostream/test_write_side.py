from __future__ import annotations

import array
import logging
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import (
    append_to_write_buffer,
    closed,
    flush,
    note_transmits,
    reset,
    run_loop_iterations,
    sent_size,
    stream_pair,
    writers,
)
from tornado.iostream import IOStream, StreamBufferFullError, StreamClosedError
from tornado.iostream._core import FAIR_SHARE, LARGE_SHARE

BIG = 8 * 1024 * 1024


async def test_small_write_is_done_immediately(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        assert server.write(b"abc").done()
        assert server.write(bytearray(b"def")).done()
        assert server.write(memoryview(b"ghi")).done()
        assert server.write(memoryview(b"12345678").cast("I")).done()
        assert server.write(b"").done()
        assert not server.writing()
        assert await client.read_bytes(17) == b"abcdefghi12345678"


async def test_writes_are_done_in_order(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        order: list[str] = []
        for name, data in (("big", bytes(BIG)), ("small", b"x"), ("none", b""), ("end", b"y" * 100_000)):
            server.write(data).add_done_callback(lambda _, name=name: order.append(name))  # type: ignore[misc]
        assert server.writing()
        got = await client.read_bytes(BIG + 100_001)
        assert got == bytes(BIG) + b"x" + b"y" * 100_000
        await server.write(b"")
        await run_loop_iterations()
        assert order == ["big", "small", "none", "end"]
        assert sent_size(server) == BIG + 100_001


@pytest.mark.usefixtures("small_shares")
async def test_future_is_done_when_pending_output_falls_to_its_limit(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        assert server.when_written(0).done()
        server.send(bytes(BIG))
        waiting = server.pending_output
        assert server.when_written(waiting).done()
        pending_bytes: dict[int, int] = {}
        for rest in (waiting - 1, BIG // 2, BIG // 4, 0):
            future = server.when_written(rest)
            assert not future.done()
            future.add_done_callback(
                lambda _, rest=rest: pending_bytes.update({rest: server.pending_output})  # type: ignore[misc]
            )
        await client.read_bytes(BIG)
        await server.when_written()
        await run_loop_iterations()
        assert list(pending_bytes) == [waiting - 1, BIG // 2, BIG // 4, 0]
        assert all(waits <= rest for rest, waits in pending_bytes.items())
        assert BIG // 8 < pending_bytes[BIG // 4] < pending_bytes[BIG // 2]  # this Future was resolved early


@pytest.mark.parametrize("others", [0, 3, 40])
async def test_writers_share_an_iteration(
    loop_kind: str, kind: str, certificates: Certificates, others: int
) -> None:
    """A single writer gets a large share per iteration; many writers get a small share each."""
    async with AsyncExitStack() as stack:
        data = bytes(4 * BIG)  # more than the kernel accepts
        for _ in range(1 + others):
            stream, _client = await stack.enter_async_context(stream_pair(kind, certificates))
            stream.write(data)
        assert writers(stream) == 1 + others
        sizes: list[int] = []
        note_transmits(stream, lambda data: sizes.append(len(data)), send=False)
        flush(stream)
        assert sum(sizes) == max(FAIR_SHARE, LARGE_SHARE // (1 + others))
    assert writers(stream) == 0


async def test_futures_with_different_limits_are_resolved_in_order(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    """The Future of "half" waits for that of "all", although its own condition is fulfilled earlier."""
    async with stream_pair(kind, certificates) as (server, client):
        order: list[str] = []
        for name, size, rest in (("all", BIG, 0), ("half", 1000, BIG // 2), ("end", 1000, 0)):
            server.send(bytes(size))
            server.when_written(rest).add_done_callback(lambda _, name=name: order.append(name))  # type: ignore[misc]
        await client.read_bytes(BIG + 2000)
        await server.when_written()
        await run_loop_iterations()
        assert order == ["all", "half", "end"]


async def test_future_with_a_limit_fails_when_the_stream_closes(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, _):
        server.send(bytes(BIG))
        waiting = server.when_written(1000)
        server.close()
        for future in (waiting, server.when_written(1000), server.when_written(2 * BIG)):
            with pytest.raises(StreamClosedError):
                await future


async def test_appending_directly_to_the_write_buffer(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    """Some programs append to the write buffer directly, and then call ``write(b"")``."""
    async with stream_pair(kind, certificates) as (server, client):
        for size in (10, BIG):
            for piece in (b"a" * size, memoryview(b"b" * size)):
                append_to_write_buffer(server, piece)
            written = server.write(b"")
            assert await client.read_bytes(2 * size) == b"a" * size + b"b" * size
            await written
            assert not server.writing()


async def test_data_of_another_type_is_rejected_completely(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    """The rejected value does not count as pending output, which would delay the Futures of later writes."""
    async with stream_pair(kind, certificates) as (server, client):
        for wrong in ("text", 5, None, memoryview(b"abcdef")[::2]):
            with pytest.raises(TypeError):
                server.write(wrong)  # type: ignore[arg-type]
        server.write(array.array("I", [1, 2]))  # type: ignore[arg-type]
        await server.write(b"end")
        assert sent_size(server) == 11
        assert await client.read_bytes(11) == array.array("I", [1, 2]).tobytes() + b"end"


async def test_write_buffer_limit(kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates, max_write_buffer_size=BIG) as (server, _):
        wanted = rf"{BIG} bytes \(max_write_buffer_size\), writing to an unnamed socket"
        with pytest.raises(StreamBufferFullError, match=wanted):
            server.write(bytes(BIG + 1))
        server.write(bytes(BIG))
        with pytest.raises(StreamBufferFullError):
            server.write(bytes(BIG))
        assert not server.closed()


async def test_closing_fails_outstanding_writes(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
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


async def test_writing_to_a_disconnected_peer_fails(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates, family="tcp") as (server, client):
        # As for an accepted socket. The kernel does not report the address of a peer after a reset.
        server.peer_address = ("192.0.2.1", 80)
        reset(client)
        with pytest.raises(StreamClosedError) as caught:  # the first or the second write raises this error
            for _ in range(2):
                await server.write(b"x")
        assert isinstance(caught.value.real_error, ConnectionError)
        assert str(caught.value) == f"Stream is closed: {caught.value.real_error}"
        assert str(caught.value).endswith("(writing to 192.0.2.1:80)")


async def test_write_to_fd_is_honoured(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        original, sizes = IOStream.write_to_fd, []

        def write_to_fd(self: IOStream, data: memoryview) -> int:
            sizes.append(len(data))
            return original(self, data[:3])

        monkeypatch.setattr(IOStream, "write_to_fd", write_to_fd)
        await server.write(b"12345678")
        server.send(b"9")
        assert await client.read_bytes(9) == b"123456789"
        assert sizes == [8, 5, 2, 1]


async def test_error_of_the_descriptor_is_logged(certificates: Certificates, expect_log) -> None:  # type: ignore[no-untyped-def]
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


@pytest.mark.parametrize("healthy", [0, 1])
@pytest.mark.parametrize("how", ["write", "send"])
async def test_exception_in_write_to_fd_closes(
    how: str, healthy: int, loop_kind: str, certificates: Certificates, expect_log: Any
) -> None:
    """The error is raised in the first call, or in the event loop after a call that returned 0. Without the
    close, the loop would call again endlessly.
    """
    calls = []

    class Faulty(IOStream):
        def write_to_fd(self, data: memoryview) -> int:
            calls.append(len(data))
            if len(calls) > healthy:
                raise ZeroDivisionError("a mistake")
            return 0

    async with stream_pair("plain", certificates) as (server, _):
        stream = Faulty(server.socket.dup())
        with expect_log("tornado.general", "^Write error on .*: a mistake$") as log:
            if how == "write":
                with pytest.raises(StreamClosedError) as caught:
                    await stream.write(b"x")
                assert isinstance(caught.value.real_error, ZeroDivisionError)
            else:
                stream.send(b"x")
                await closed(stream)
        assert "in write_to_fd" in logging.Formatter().formatException(log.records[0].exc_info)
        assert stream.closed()
        assert len(calls) == healthy + 1


async def test_writing_text_raises_type_error(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, _client):
        with pytest.raises(TypeError, match="write: data must be bytes, got str: "):
            server.write("text")  # type: ignore[arg-type]
