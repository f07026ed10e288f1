"""Tests of the timers: pings, late pongs and idle compressors."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.server import serving
from tests.support.streams import run_loop_iterations
from tests.support.websocket import END, Recorder, dial, opened
from tests.support.websocket_client import answering, request_for
from tests.support.websocket_internals import compressor, compressor_check, scheduled, timer, timer_count
from tornado import web
from tornado._wire import ws_connection
from tornado._wire.ws_deflate import DeflatePolicy
from tornado.websocket import _timers, websocket_connect

pytestmark = pytest.mark.usefixtures("by_the_clock")


async def test_answered_pings_are_sent_at_the_interval(clock: FakeClock, tls: Any) -> None:
    async with opened(
        Recorder.new(), tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10
    ) as client:
        times = [clock.now]
        for _ in range(4):
            assert await client.event() == ws_connection.Ping(b"")
            times.append(clock.now)
            client.peer.send(client.core.pong(b""))
            await run_loop_iterations(5)
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert gaps == pytest.approx([30, 30, 30, 30], rel=0.15)


async def test_peer_that_does_not_answer_is_closed(clock: FakeClock, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10) as client:
        assert await client.event() == ws_connection.Ping(b"")
        begin = clock.now
        assert await client.event() == ws_connection.Close(1000, "ping timed out")
        assert clock.now - begin == pytest.approx(10, rel=0.15)
        assert await client.event() is END
        await handler.until(("close", None, None))
        assert clock.now - begin == pytest.approx(15, rel=0.15)


async def test_pong_after_close_does_not_extend_the_close_timeout(clock: FakeClock, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10) as client:
        assert await client.event() == ws_connection.Ping(b"")
        handler.latest.close(1000)
        begin = clock.now
        assert await client.event() == ws_connection.Close(1000, "")
        client.raw(client.core.pong(b""))
        await handler.until(("close", None, None))
        assert clock.now - begin == pytest.approx(5, rel=0.15)


async def test_pings_continue_without_a_timeout(clock: FakeClock, tls: Any) -> None:
    async with opened(
        Recorder.new(), tls=tls, websocket_ping_interval=30, websocket_ping_timeout=0
    ) as client:
        for _ in range(5):
            assert await client.event() == ws_connection.Ping(b"")


async def test_pong_behind_a_busy_callback_is_not_late(clock: FakeClock, tls: Any) -> None:
    async def on_message(self: Any, message: str) -> None:
        await asyncio.sleep(100)
        self.note(message)

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10) as client:
        client.send("long")
        for _ in range(3):
            assert await client.event() == ws_connection.Ping(b"")
            client.peer.send(client.core.pong(b""))
        await handler.until("long")
        await handler.until(("pong", b""))
        client.close(1000)
        assert ws_connection.Close(1000, "") in await client.events()


@pytest.mark.parametrize("answers", [False, True])
async def test_disconnect_during_a_callback_is_detected(clock: FakeClock, tls: Any, answers: bool) -> None:
    """The disconnect is detected by a reset, or by a missing pong."""
    gate = asyncio.Event()
    handler = Recorder.new(on_message=lambda self, message: gate.wait())
    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10) as client:
        client.send("long")
        for _ in range(3):
            assert await client.event() == ws_connection.Ping(b"")
            client.peer.send(client.core.pong(b""))
        if not answers:
            client.drop()
        await handler.until(("close", None, None))
        gate.set()
        await run_loop_iterations()


async def test_peer_that_sends_more_than_is_read_ahead_is_not_late(clock: FakeClock, tls: Any) -> None:
    """The peer's pongs arrive after the unread messages, so a pong is not late until these messages have been
    delivered.
    """
    gate = asyncio.Event()

    async def on_message(self: Any, message: bytes) -> None:
        self.note(len(message))
        await gate.wait()

    handler = Recorder.new(on_message=on_message)
    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10) as client:
        client.send(*[b"x" * 100_000] * 20)
        for _ in range(5):
            assert await client.event() == ws_connection.Ping(b"")
        assert handler.happened == ["open", 100_000]
        gate.set()
        client.send("last")
        await handler.until(4)
        while (event := await client.event()) == ws_connection.Ping(b""):
            pass
        assert event == ws_connection.Close(1000, "ping timed out")


async def test_slow_message_counts_as_sign_of_life(clock: FakeClock, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10) as client:
        frame = client.core.message(b"x" * 50, True)
        assert await client.event() == ws_connection.Ping(b"")
        for position in range(len(frame)):
            client.raw(frame[position : position + 1])
            await asyncio.sleep(5)
        await handler.until(b"x" * 50)


@pytest.mark.usefixtures("small_shares")
async def test_peer_that_reads_slowly_is_not_late(clock: FakeClock, tls: Any) -> None:
    handler = Recorder.new()
    settings = {"websocket_ping_interval": 30, "websocket_ping_timeout": 10, "websocket_write_limit": 100}
    async with opened(handler, tls=tls, **settings) as client:
        await handler.until("open")
        connection = handler.latest.ws_connection
        client.stop_reading()
        handler.latest.write_message(b"x" * 20_000_000, binary=True)
        seen = []
        for _ in range(3):
            clock.advance(40)
            client.read_on()
            await run_loop_iterations(20)
            client.stop_reading()
            connection.periodic_ping()
            seen.append(connection.is_closing())
        assert seen == [False, False, False]
        connection.periodic_ping()  # no output has been sent since the last check
        assert connection.is_closing()


async def test_connections_share_one_timer(clock: FakeClock, tls: Any) -> None:
    async with serving(
        web.Application([("/", Recorder.new())], websocket_ping_interval=30), tls=tls
    ) as server:
        for _ in range(3):
            await dial(server)
        await run_loop_iterations()
        watch = scheduled()
        assert len(watch.watched) == 3
        assert timer_count() == 1
    await run_loop_iterations()
    assert watch.watched == set()


async def test_connection_lost_by_close_is_not_scheduled(
    clock: FakeClock, tls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The send of the close frame detects that the peer has disconnected."""

    def reset(data: memoryview) -> int:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    async with answering(tls) as (server, _):
        conn = await websocket_connect(request_for(server, tls))
        protocol: Any = conn.protocol
        monkeypatch.setattr(protocol.stream, "write_to_fd", reset)
        conn.close(1000)
        assert protocol.stream.closed()
        assert scheduled().watched == set()


async def test_connection_lost_by_a_ping_is_not_scheduled(tls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The send of the ping fails because of a reset that was not noticed before."""
    handler = Recorder.new()

    def reset(data: memoryview) -> int:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10):
        await handler.until("open")
        protocol: Any = handler.latest.ws_connection
        monkeypatch.setattr(protocol.stream, "write_to_fd", reset)
        protocol.periodic_ping()
        assert protocol.stream.closed()
        assert scheduled().watched == set()
        await handler.until(("close", None, None))


async def test_connection_without_pings_is_not_scheduled(tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls):
        await handler.until("open")
        assert scheduled().watched == set()


@contextlib.asynccontextmanager
async def compressing(tls: Any, **settings: Any) -> AsyncIterator[tuple[Any, Any]]:
    """Open a connection that has sent a compressed message; yield its client and its handler."""
    handler = Recorder.new(get_compression_options=lambda self: {})
    async with serving(web.Application([("/", handler)], **settings), tls=tls) as server:
        client = await dial(server, policy=DeflatePolicy())
        await handler.until("open")
        handler.latest.write_message("a" * 100)
        assert await client.event() == "a" * 100
        yield client, handler.latest


@pytest.mark.parametrize("interval", [None, 1, 45, 3600])
async def test_idle_compressor_is_released(clock: FakeClock, tls: Any, interval: float | None) -> None:
    """The compressor is released at the first check after a minute without a message. Checks are a minute
    apart,
    independent of pings.
    """
    settings = {"websocket_ping_interval": interval, "websocket_ping_timeout": 0}
    async with compressing(tls, **settings) as (client, handler):
        # A message sent now starts another minute.
        await asyncio.sleep(40)
        handler.write_message("b")
        sent = clock.now
        latest = sent + 2.2 * _timers.RELEASE_AFTER
        while compressor(handler.ws_connection) is not None and clock.now < latest:
            await asyncio.sleep(1)
        assert sent + _timers.RELEASE_AFTER <= clock.now < latest
        handler.write_message("a" * 100)
        assert compressor(handler.ws_connection) is not None
        while (event := await client.event()) != "a" * 100:
            assert event in ("b", ws_connection.Ping(b""))


async def test_check_of_compressor_does_not_delay_a_ping(clock: FakeClock, tls: Any) -> None:
    async with compressing(tls, websocket_ping_interval=150, websocket_ping_timeout=100) as (client, _):
        begin = clock.now
        for number in range(1, 4):
            assert await client.event() == ws_connection.Ping(b"")
            assert clock.now - begin == pytest.approx(150 * number, rel=0.1)
            client.peer.send(client.core.pong(b""))
            await run_loop_iterations(5)
        assert await client.event() == ws_connection.Ping(b"")
        begin = clock.now
        assert await client.event() == ws_connection.Close(1000, "ping timed out")
        assert clock.now - begin == pytest.approx(100, rel=0.1)


async def test_compressor_of_closed_connection_is_not_checked(tls: Any) -> None:
    async with compressing(tls, websocket_ping_interval=30) as (_, handler):
        watch = scheduled()
        protocol = handler.ws_connection
        assert watch.watched == {timer(protocol), compressor_check(protocol)}
        protocol.stream.close()
        assert watch.watched == set()


async def test_start_pinging_without_an_interval_does_nothing(tls: Any) -> None:
    async with compressing(tls) as (_, handler):
        protocol = handler.ws_connection
        protocol.periodic_ping()
        assert timer(protocol) is None
        assert scheduled().watched == {compressor_check(protocol)}


async def test_compressor_in_use_is_kept(clock: FakeClock, tls: Any) -> None:
    async with compressing(tls, websocket_ping_interval=1, websocket_ping_timeout=0) as (_, handler):
        before = compressor(handler.ws_connection)
        for _ in range(5):
            await asyncio.sleep(50)
            handler.write_message("a" * 100)
            assert compressor(handler.ws_connection) is before


async def test_start_pinging_twice(tls: Any) -> None:
    async with compressing(tls) as (_, handler):
        watch = scheduled()
        protocol = handler.ws_connection
        protocol.start_pinging()
        assert watch.watched == {compressor_check(protocol)}
        protocol.stream.close()
        protocol.start_pinging()
        assert watch.watched == set()
