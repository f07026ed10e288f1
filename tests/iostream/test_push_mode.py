"""Push mode: the contract with the project's own protocols."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import socket
import tracemalloc
import weakref
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.streams import (
    Recorder,
    note_transmits,
    reset,
    run_loop_iterations,
    stream_pair,
    unread_size,
)
from tornado.iostream import IOStream, SSLIOStream

BIG = 8 * 1024 * 1024


async def test_chunks_arrive_in_order(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        consumer = Recorder()
        server.start_push(consumer)
        data = bytes(range(256)) * 8192
        client.write(data)
        await consumer.until(lambda: len(consumer.data) == len(data))
        assert consumer.data == data
        assert max(map(len, consumer.events)) <= 64 * 1024


async def test_buffered_input_is_delivered_first_and_immediately(
    kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        await client.write(b"line\nrest")
        assert await server.read_until(b"\n") == b"line\n"
        consumer = Recorder()
        server.start_push(consumer)
        assert consumer.events == [b"rest"]
        await client.write(b"more")
        await consumer.until(lambda: len(consumer.events) == 2)
        assert consumer.events == [b"rest", b"more"]


async def test_return_to_pull_mode_at_any_byte(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):

        def take_one(data: bytes) -> None:
            server.stop_push()
            server.unread(data[1:])

        consumer = Recorder(take_one)
        server.start_push(consumer)
        await client.write(b"abcdef")
        await consumer.until(lambda: consumer.events)
        assert await server.read_bytes(2) == b"bc"
        server.unread(b"BC")
        again = Recorder()
        server.start_push(again)
        assert again.events == [b"BCdef"]
        server.stop_push()
        await client.write(b"g")
        assert await server.read_bytes(1) == b"g"
        server.close()
        assert consumer.events == [b"abcdef"]
        assert again.events == [b"BCdef"]


async def test_program_cannot_read_in_push_mode(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, _):
        server.read_bytes(1).cancel()
        server.start_push(Recorder())
        with pytest.raises(AssertionError, match="protocol"):
            server.read_bytes(1)


async def test_output_of_one_event_is_sent_with_one_send(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        sends: list[bytes] = []
        note_transmits(server, lambda data: sends.append(bytes(data)))

        def answer(data: bytes) -> None:
            assert server.send(b"one ")
            assert server.pending_output == 4
            assert server.send(b"two ")
            assert server.send(b"three")
            assert server.pending_output == 13
            assert not sends

        server.start_push(Recorder(answer))
        await client.write(b"?")
        assert await client.read_bytes(13) == b"one two three"
        assert sends == [b"one two three"]
        assert server.send(b"now")
        assert sends[1:] == [b"now"]


async def test_corks_nest_and_flush_now_ignores_them(kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        server.cork()
        server.cork()
        server.send(b"a")
        server.flush_output()
        assert await client.read_bytes(1) == b"a"
        server.send(b"b")
        server.uncork()
        assert server.pending_output == 1
        assert server.write(b"c").done()  # the public method preserves the order
        server.send(b"d")
        server.uncork()
        assert server.pending_output == 0
        assert await client.read_bytes(3) == b"bcd"


@pytest.mark.parametrize("sizes", [(10, BIG), (BIG, 10, BIG), (10_000,) * 500, (200_000, 1)])
async def test_large_output_is_sent_in_order(
    loop_kind: str, kind: str, certificates: Certificates, sizes: tuple[int, ...]
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        pieces = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
        consumer = Recorder(lambda _: [server.send(piece) for piece in pieces])
        server.start_push(consumer)
        await client.write(b"?")
        assert await client.read_bytes(sum(sizes)) == b"".join(pieces)
        if sum(sizes) > BIG:
            await consumer.until(lambda: "drained" in consumer.events)
        assert server.pending_output == 0


async def test_output_drained_is_called_after_blocked_output(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        consumer = Recorder()
        server.start_push(consumer)
        assert not server.send(bytes(BIG))
        assert not server.send(b"end")
        waiting = server.pending_output
        assert 0 < waiting <= BIG + 3
        assert await client.read_bytes(BIG + 3) == bytes(BIG) + b"end"
        await consumer.until(lambda: consumer.events)
        assert consumer.events == ["drained"]
        assert server.pending_output == 0
        assert server.send(b"again")
        assert await client.read_bytes(5) == b"again"


async def test_writes_and_sends_are_sent_in_order(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        server.start_push(Recorder())
        server.send(b"1" * BIG)
        written = server.write(b"2" * 1000)
        server.send(b"3" * 1000)
        last = server.write(b"4")
        assert await client.read_bytes(BIG + 2001) == b"1" * BIG + b"2" * 1000 + b"3" * 1000 + b"4"
        await written
        await last


async def test_paused_consumer_receives_nothing_until_resumed(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        consumer = Recorder(lambda _: server.pause_reading())
        server.start_push(consumer)
        server.resume_reading()
        data = bytes(range(256)) * 400
        client.write(data)
        rounds = 0
        while len(consumer.data) < len(data):
            count = len(consumer.events) + 1
            await consumer.until(lambda: len(consumer.events) >= count)  # noqa: B023
            await run_loop_iterations()
            assert len(consumer.events) == count  # nothing is delivered while paused
            server.pause_reading()
            server.resume_reading()
            rounds += 1
        assert consumer.data == data
        assert rounds > 1


async def test_write_side_stays_open_after_the_end_of_input(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        consumer = Recorder()
        server.start_push(consumer)
        await client.write(b"question")
        if kind == "tls":
            client.socket.setblocking(False)
            with pytest.raises(OSError):
                client.socket.unwrap()  # type: ignore[attr-defined]
        else:
            client.socket.shutdown(socket.SHUT_WR)
        await consumer.until(lambda: "eof" in consumer.events)
        await run_loop_iterations()
        assert consumer.events == [b"question", "eof"]
        assert not server.closed()
        server.pause_reading()
        server.resume_reading()
        assert server.send(b"answer")
        await run_loop_iterations()
        assert consumer.events == [b"question", "eof"]
        if kind == "plain":
            assert await client.read_bytes(6) == b"answer"
        server.close()
        assert consumer.events == [b"question", "eof", ("lost", None)]


async def test_reset_calls_connection_lost(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates, family="tcp") as (server, client):
        consumer = Recorder()
        server.start_push(consumer)
        ended = []
        server.set_close_callback(lambda: ended.append(True))
        reset(client)
        assert isinstance(await consumer.until_lost(), ConnectionResetError)
        assert consumer.events == [("lost", server.error)]
        assert server.send(b"into the void")
        assert server.pending_output == 0
        await run_loop_iterations()
        assert ended == [True]


async def test_failed_send_closes(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        consumer = Recorder()
        server.start_push(consumer)
        server.pause_reading()
        client.close()
        assert server.send(b"x")
        assert isinstance(await consumer.until_lost(), BrokenPipeError)


@pytest.mark.parametrize("where", ["data", "eof", "drained"])
async def test_error_of_the_consumer_closes_and_is_logged(
    loop_kind: str, kind: str, certificates: Certificates, where: str, expect_log: Any
) -> None:
    def fail(data: bytes = b"") -> None:
        server.send(b"last words")
        raise ValueError("of the consumer")

    async with stream_pair(kind, certificates) as (server, client):
        consumer = Recorder()
        setattr(consumer, f"on_{where}", fail)
        server.start_push(consumer)
        with expect_log("tornado.application", "Uncaught exception"):
            if where == "drained":
                server.send(bytes(BIG))
                assert len(await client.read_bytes(BIG)) == BIG
            elif where == "data":
                await client.write(b"x")
            else:
                client.close()
            assert isinstance(await consumer.until_lost(), ValueError)
        assert server.closed()
        if where == "data" and kind == "plain":
            assert await client.read_until_close() == b"last words"


async def test_error_in_connection_lost_is_logged(certificates: Certificates, expect_log: Any) -> None:
    class Consumer(Recorder):
        def connection_lost(self, error: BaseException | None) -> None:
            raise ValueError

    async with stream_pair("plain", certificates) as (server, _):
        server.start_push(Consumer())
        with expect_log("tornado.application", "Uncaught exception"):
            server.close()


async def test_closing_inside_a_callback(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):

        def answer_and_close(data: bytes) -> None:
            server.send(b"bye")
            server.close()
            assert server.send(b"too late")

        consumer = Recorder(answer_and_close)
        server.start_push(consumer)
        await client.write(b"x")
        assert await client.read_until_close() == b"bye"
        assert consumer.events == [b"x", ("lost", None)]


async def test_starting_on_a_closed_stream_calls_connection_lost(
    kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        await client.write(b"last")
        client.close()
        with pytest.raises(OSError):
            await server.read_until(b"?")
        consumer = Recorder()
        server.start_push(consumer)
        assert consumer.events == [b"last"]
        await consumer.until_lost()
        assert len(consumer.events) == 2


async def test_switching_to_another_consumer(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        second = Recorder()
        first = Recorder(lambda _: server.start_push(second))
        server.start_push(first)
        await client.write(b"one")
        await first.until(lambda: first.events)
        await client.write(b"two")
        await second.until(lambda: second.events)
        server.close()
        assert first.events == [b"one"]
        assert second.events == [b"two", ("lost", None)]


async def test_fast_peer_does_not_monopolize_the_loop(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        consumer = Recorder()
        server.start_push(consumer)
        passes = 0

        def count() -> None:
            nonlocal passes
            passes += 1
            asyncio.get_running_loop().call_soon(count)

        count()
        client.write(bytes(BIG))
        await consumer.until(lambda: len(consumer.data) == BIG)
        assert passes >= BIG // (256 * 1024)


async def test_callbacks_run_in_the_context_of_start(certificates: Certificates) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    async with stream_pair("plain", certificates) as (server, client):
        seen = []
        consumer = Recorder(lambda _: seen.append(variable.get()))
        variable.set("start")
        server.start_push(consumer)
        variable.set("later")
        await client.write(b"x")
        await consumer.until(lambda: seen)
        assert seen == ["start"]


@pytest.mark.parametrize("way", ["patched", "subclass", "instance"])
async def test_read_from_fd_is_honoured(
    loop_kind: str, kind: str, certificates: Certificates, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base: Any = SSLIOStream if kind == "tls" else IOStream
    original, calls = base.read_from_fd, []

    def read_from_fd(self: Any, buf: bytearray | memoryview) -> int | None:
        count: int | None = original(self, buf)
        calls.append(count)
        return count

    async with stream_pair(kind, certificates) as (server, client):
        if way == "patched":
            monkeypatch.setattr(base, "read_from_fd", read_from_fd)
        elif way == "subclass":
            server.__class__ = type("Mine", (base,), {"read_from_fd": read_from_fd, "__slots__": ()})
        else:
            server.read_from_fd = lambda buf: read_from_fd(server, buf)  # type: ignore[method-assign]
        await client.write(b"pull")
        assert await server.read_bytes(4) == b"pull"
        assert calls == [4]
        if way != "instance":  # for speed, push mode checks only the class
            consumer = Recorder()
            server.start_push(consumer)
            await client.write(b"push")
            await consumer.until(lambda: consumer.data == b"push")
            assert 4 in calls[1:]
            client.close()
            await consumer.until(lambda: "eof" in consumer.events)


async def test_memory_of_an_idle_stream(certificates: Certificates) -> None:
    """The stream, the socket object and the registration with asyncio's loop are measured together."""
    consumer, pairs = Recorder(), [socket.socketpair() for _ in range(300)]
    streams = []

    def open_streams(some: list[tuple[socket.socket, socket.socket]]) -> None:
        for ours, _ in some:
            stream = IOStream(socket.socket(fileno=ours.detach()))
            stream.start_push(consumer)
            streams.append(stream)

    open_streams(pairs[:50])
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        open_streams(pairs[50:])
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) / 250
    finally:
        tracemalloc.stop()
    for stream in streams:
        stream.close()
    for _, theirs in pairs:
        theirs.close()
    assert each < 1000


class SuspendingConsumer(Recorder):
    """A consumer that suspends push mode when the program reads."""

    stream: IOStream
    unread = b""

    def input_wanted(self) -> None:
        self.stream.suspend_push(self.unread)


async def test_resume_push_returns_unread_input(
    loop_kind: str, kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        consumer = SuspendingConsumer()
        consumer.stream, consumer.unread = server, b"one"
        assert server.resume_push() == b""  # push mode was not suspended
        server.start_push(consumer)
        await client.write(b"two")
        assert await server.read_until(b"t") == b"onet"
        server.unread(b"T")
        assert server.resume_push().startswith(b"T")
        assert consumer.data == b""
        await client.write(b"three")
        await consumer.until(lambda: consumer.data.endswith(b"three"))
        assert unread_size(server) == 0


async def test_resume_push_fails_during_a_read(kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        consumer = SuspendingConsumer()
        consumer.stream = server
        server.start_push(consumer)
        reading = server.read_bytes(1)
        with pytest.raises(AssertionError, match="Already reading"):
            server.resume_push()
        await client.write(b"a")
        assert await reading == b"a"
        assert server.resume_push() == b""
        server.close()
        assert server.resume_push() == b""
        assert consumer.events == [("lost", None)]


async def test_suspended_consumer_is_notified_of_drained_output(
    kind: str, certificates: Certificates
) -> None:
    async with stream_pair(kind, certificates) as (server, client):
        consumer = SuspendingConsumer()
        consumer.stream = server
        server.start_push(consumer)
        server.read_bytes(1).cancel()
        assert not server.send(bytes(BIG))
        assert len(await client.read_bytes(BIG)) == BIG
        await consumer.until(lambda: consumer.events)
        assert consumer.events == ["drained"]


@pytest.mark.parametrize(
    ("kind", "mode"), [("plain", "push"), ("plain", "pull"), ("plain", "send"), ("tls", "send")]
)
async def test_reset_stream_is_freed_without_the_garbage_collector(
    loop_kind: str, certificates: Certificates, kind: str, mode: str
) -> None:
    gc.collect()
    gc.disable()
    try:
        async with stream_pair(kind, certificates, "tcp") as (server, client):
            close_event = asyncio.Event()
            server.set_close_callback(close_event.set)
            if mode == "pull":
                server.read_bytes(1).add_done_callback(lambda future: future.exception())
            elif mode == "push":
                server.start_push(Recorder())
            reset(client)
            while mode == "send" and not server.closed():
                server.send(b"x")
                await run_loop_iterations(1)
            await close_event.wait()
            assert isinstance(server.error, OSError)
            stream_reference = weakref.ref(server)
        del server, client
        await run_loop_iterations()
        assert stream_reference() is None
    finally:
        gc.enable()


async def test_data_and_reset_in_one_event(loop_kind: str, kind: str, certificates: Certificates) -> None:
    async with stream_pair(kind, certificates, "tcp") as (server, client):
        consumer = Recorder()
        server.start_push(consumer)
        await run_loop_iterations(3)
        await client.write(b"last words")
        reset(client)
        # The ssl module reports a reset as the end of input.
        await consumer.until(lambda: server.closed() or (kind == "tls" and "eof" in consumer.events))
        assert consumer.data == b"last words"


async def test_data_before_a_reset_is_received(loop_kind: str, certificates: Certificates) -> None:
    async with stream_pair("plain", certificates, "tcp") as (server, client):
        consumer = Recorder()
        server.start_push(consumer)
        await run_loop_iterations(3)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BIG)
        sent = client.socket.send(bytes(500_000))
        assert sent > 2 * server.read_chunk_size
        reset(client)
        await consumer.until_lost()
        assert 0 < len(consumer.data) <= sent


async def test_reset_while_paused_is_reported_after_resuming(
    loop_kind: str, certificates: Certificates
) -> None:
    async with stream_pair("plain", certificates, "tcp") as (server, client):
        consumer = Recorder(lambda data: server.pause_reading())
        server.start_push(consumer)
        await run_loop_iterations(3)
        await client.write(b"last words")
        reset(client)
        await consumer.until(lambda: consumer.data)
        await run_loop_iterations(10)
        assert not server.closed()
        server.resume_reading()
        await consumer.until(lambda: len(consumer.events) > 1)
        # The error was received together with the data, or is reported now.
        assert consumer.events[1:] == ["eof"] or server.closed()
