"""What happens by the clock: pings, late pongs, idle compressors."""

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
from tests.support.streams import turns
from tests.support.websocket import END, Recorder, dial, opened
from tests.support.websocket_client import answering, request_for
from tornado import web
from tornado._wire import ws_connection
from tornado._wire.ws_deflate import DeflatePolicy
from tornado.web._client_disconnect import watch_of
from tornado.websocket import _keepalive, websocket_connect

pytestmark = pytest.mark.usefixtures("by_the_clock")


async def test_pings_come_at_the_interval_while_they_are_answered(clock: FakeClock, tls: Any) -> None:
    async with opened(
        Recorder.new(), tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10
    ) as client:
        times = [clock.now]
        for _ in range(4):
            assert await client.event() == ws_connection.Ping(b"")
            times.append(clock.now)
            client.peer.send(client.core.pong(b""))
            await turns(5)
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert gaps == pytest.approx([30, 30, 30, 30], rel=0.15)


async def test_who_does_not_answer_is_told_and_cut_off(clock: FakeClock, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10) as client:
        assert await client.event() == ws_connection.Ping(b"")
        begin = clock.now
        assert await client.event() == ws_connection.Close(1000, "ping timed out")
        assert clock.now - begin == pytest.approx(10, rel=0.15)
        assert await client.event() is END
        await handler.until(("close", None, None))
        assert clock.now - begin == pytest.approx(15, rel=0.15)


async def test_a_pong_behind_our_close_does_not_put_off_the_end(clock: FakeClock, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10) as client:
        assert await client.event() == ws_connection.Ping(b"")
        handler.latest.close(1000)
        begin = clock.now
        assert await client.event() == ws_connection.Close(1000, "")
        client.raw(client.core.pong(b""))
        await handler.until(("close", None, None))
        assert clock.now - begin == pytest.approx(5, rel=0.15)


async def test_without_a_limit_pings_go_on(clock: FakeClock, tls: Any) -> None:
    async with opened(
        Recorder.new(), tls=tls, websocket_ping_interval=30, websocket_ping_timeout=0
    ) as client:
        for _ in range(5):
            assert await client.event() == ws_connection.Ping(b"")


async def test_a_pong_that_is_not_read_for_our_own_sake_is_not_late(clock: FakeClock, tls: Any) -> None:
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
async def test_who_goes_while_a_callback_takes_its_time_is_noticed(
    clock: FakeClock, tls: Any, answers: bool
) -> None:
    """By a reset, or as no pong comes any more."""
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
        await turns()


async def test_who_sends_more_than_is_read_ahead_is_not_late(clock: FakeClock, tls: Any) -> None:
    """His pongs stand behind all that; once it is handled they count again."""
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


async def test_a_large_message_that_arrives_slowly_is_a_sign_of_life(clock: FakeClock, tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10) as client:
        frame = client.core.message(b"x" * 50, True)
        assert await client.event() == ws_connection.Ping(b"")
        for position in range(len(frame)):
            client.raw(frame[position : position + 1])
            await asyncio.sleep(5)
        await handler.until(b"x" * 50)


@pytest.mark.usefixtures("small_shares")
async def test_a_peer_that_reads_slowly_is_not_late(clock: FakeClock, tls: Any) -> None:
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
            await turns(20)
            client.stop_reading()
            connection.periodic_ping()
            seen.append(connection.is_closing())
        assert seen == [False, False, False]
        connection.periodic_ping()  # nothing was taken since the last look
        assert connection.is_closing()


async def test_one_timer_for_all_of_them(clock: FakeClock, tls: Any) -> None:
    async with serving(
        web.Application([("/", Recorder.new())], websocket_ping_interval=30), tls=tls
    ) as server:
        for _ in range(3):
            await dial(server)
        await turns()
        loop = asyncio.get_running_loop()
        watch = watch_of(loop, _keepalive._WATCH)
        assert len(watch.connections) == 3
        timers = [timer for timer in loop._scheduled if timer._callback == watch._fire]  # type: ignore[attr-defined]
        assert len([timer for timer in timers if not timer.cancelled()]) == 1
    await turns()
    assert watch.connections == set()


async def test_who_is_gone_when_we_close_is_not_watched(
    clock: FakeClock, tls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The close frame is what finds out."""

    def reset(data: memoryview) -> int:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    async with answering(tls) as (server, _):
        conn = await websocket_connect(request_for(server, tls))
        protocol: Any = conn.protocol
        monkeypatch.setattr(protocol.stream, "write_to_fd", reset)
        conn.close(1000)
        assert protocol.stream.closed()
        assert protocol not in watch_of(asyncio.get_running_loop(), _keepalive._WATCH).connections


async def test_connection_lost_by_a_ping_is_not_watched(tls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reset that was not noticed yet makes the send of the ping fail."""
    handler = Recorder.new()

    def reset(data: memoryview) -> int:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    async with opened(handler, tls=tls, websocket_ping_interval=30, websocket_ping_timeout=10):
        await handler.until("open")
        protocol: Any = handler.latest.ws_connection
        monkeypatch.setattr(protocol.stream, "write_to_fd", reset)
        protocol.periodic_ping()
        assert protocol.stream.closed()
        assert watch_of(asyncio.get_running_loop(), _keepalive._WATCH).connections == set()
        await handler.until(("close", None, None))


async def test_a_connection_without_pings_is_not_watched(tls: Any) -> None:
    handler = Recorder.new()
    async with opened(handler, tls=tls):
        await handler.until("open")
        assert watch_of(asyncio.get_running_loop(), _keepalive._WATCH).connections == set()


@contextlib.asynccontextmanager
async def compressing(tls: Any, **settings: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A connection that has sent a compressed message: its client and its handler."""
    handler = Recorder.new(get_compression_options=lambda self: {})
    async with serving(web.Application([("/", handler)], **settings), tls=tls) as server:
        client = await dial(server, policy=DeflatePolicy())
        await handler.until("open")
        handler.latest.write_message("a" * 100)
        assert await client.event() == "a" * 100
        yield client, handler.latest


def compressor_of(handler: Any) -> Any:
    return handler.ws_connection._core._deflate._compressor


@pytest.mark.parametrize("interval", [None, 1, 45, 3600])
async def test_an_idle_compressor_is_given_back(clock: FakeClock, tls: Any, interval: float | None) -> None:
    """After a minute without a message, at the next look: those are a minute apart, however often or seldom
    pings come, which are no messages.
    """
    settings = {"websocket_ping_interval": interval, "websocket_ping_timeout": 0}
    async with compressing(tls, **settings) as (client, handler):
        # What is sent meanwhile begins another minute.
        await asyncio.sleep(40)
        handler.write_message("b")
        sent = clock.now
        latest = sent + 2.2 * _keepalive.RELEASE_AFTER
        while compressor_of(handler) is not None and clock.now < latest:
            await asyncio.sleep(1)
        assert sent + _keepalive.RELEASE_AFTER <= clock.now < latest
        handler.write_message("a" * 100)
        assert compressor_of(handler) is not None
        while (event := await client.event()) != "a" * 100:
            assert event in ("b", ws_connection.Ping(b""))


async def test_a_look_at_the_compressor_does_not_put_off_a_ping(clock: FakeClock, tls: Any) -> None:
    async with compressing(tls, websocket_ping_interval=150, websocket_ping_timeout=100) as (client, _):
        begin = clock.now
        for number in range(1, 4):
            assert await client.event() == ws_connection.Ping(b"")
            assert clock.now - begin == pytest.approx(150 * number, rel=0.1)
            client.peer.send(client.core.pong(b""))
            await turns(5)
        assert await client.event() == ws_connection.Ping(b"")
        begin = clock.now
        assert await client.event() == ws_connection.Close(1000, "ping timed out")
        assert clock.now - begin == pytest.approx(100, rel=0.1)


async def test_nobody_looks_at_the_compressor_of_a_closed_connection(tls: Any) -> None:
    async with compressing(tls, websocket_ping_interval=30) as (_, handler):
        watch = watch_of(asyncio.get_running_loop(), _keepalive._WATCH)
        protocol = handler.ws_connection
        assert watch.connections == {protocol, protocol._spare}
        protocol.stream.close()
        assert watch.connections == set()


async def test_a_program_may_ask_for_pings_that_are_not_wanted(tls: Any) -> None:
    async with compressing(tls) as (_, handler):
        protocol = handler.ws_connection
        protocol.periodic_ping()
        assert protocol._pinged is None
        assert protocol not in watch_of(asyncio.get_running_loop(), _keepalive._WATCH).connections


async def test_a_compressor_that_is_used_is_kept(clock: FakeClock, tls: Any) -> None:
    async with compressing(tls, websocket_ping_interval=1, websocket_ping_timeout=0) as (_, handler):
        compressor = compressor_of(handler)
        for _ in range(5):
            await asyncio.sleep(50)
            handler.write_message("a" * 100)
            assert compressor_of(handler) is compressor


async def test_a_program_may_say_twice_that_a_connection_is_open(tls: Any) -> None:
    async with compressing(tls) as (_, handler):
        watch = watch_of(asyncio.get_running_loop(), _keepalive._WATCH)
        protocol = handler.ws_connection
        protocol.start_pinging()
        assert watch.connections == {protocol._spare}
        protocol.stream.close()
        protocol.start_pinging()
        assert watch.connections == set()
