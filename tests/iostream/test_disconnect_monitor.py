"""Disconnects on streams that are not being read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.clock import FakeClock
from tests.support.streams import (
    Recorder,
    hangup_monitor,
    has_reader,
    has_timer,
    monitored,
    reset,
    run_loop_iterations,
    socket_pair,
    stream_pair,
    unread_size,
)
from tornado.iostream import IOStream, _disconnect_monitor
from tornado.iostream._disconnect_monitor import INTERVAL, DisconnectMonitor

#: More bytes than a stream reads ahead, and fewer than the kernel buffers for a server that does not read.
AHEAD = bytes(100_000)


@pytest.fixture
def check_every_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the monitor check in each iteration of the event loop."""
    monkeypatch.setattr(_disconnect_monitor, "INTERVAL", 0)


class Pausing(Recorder):
    """A consumer that pauses when it receives the first bytes, and has an `eof_pending` method."""

    def __init__(self, stream: IOStream) -> None:
        super().__init__(lambda data: stream.pause_reading())

    def eof_pending(self) -> None:
        self._note("eof pending")


async def test_reset_after_unread_input_closes_a_paused_stream(
    loop_kind: str, kind: str, certificates: Certificates, check_every_iteration: None
) -> None:
    async with stream_pair(kind, certificates, "tcp") as (server, client):
        consumer = Pausing(server)
        server.start_push(consumer)
        await client.write(AHEAD)
        await consumer.until(lambda: consumer.data)
        await client.write(AHEAD)
        await run_loop_iterations(5)
        assert not has_reader(server)
        reset(client)
        assert isinstance(await consumer.until_lost(), ConnectionResetError)


async def test_half_close_after_unread_input_is_reported_once(
    loop_kind: str, certificates: Certificates, check_every_iteration: None
) -> None:
    async with stream_pair("plain", certificates, "tcp") as (server, client):
        consumer = Pausing(server)
        server.start_push(consumer)
        await client.write(AHEAD)
        await consumer.until(lambda: consumer.data)
        received = len(consumer.data)
        client.socket.shutdown(socket.SHUT_WR)
        await consumer.until(lambda: "eof pending" in consumer.events)
        await run_loop_iterations(20)
        assert consumer.events.count("eof pending") == 1
        assert not server.closed()
        server.watch_unread()
        await consumer.until(lambda: consumer.events.count("eof pending") == 2)
        consumer.on_data = None
        server.resume_reading()
        await consumer.until(lambda: "eof" in consumer.events)
        assert len(consumer.data) == len(AHEAD) > received


async def test_error_in_eof_pending_closes(
    certificates: Certificates, check_every_iteration: None, expect_log: Callable[..., Any]
) -> None:
    async with stream_pair("plain", certificates, "tcp") as (server, client):
        consumer = Pausing(server)
        consumer.eof_pending = lambda: 1 // 0  # type: ignore[assignment, return-value]
        server.start_push(consumer)
        await client.write(AHEAD)
        client.socket.shutdown(socket.SHUT_WR)
        with expect_log("tornado.application", "Uncaught exception"):
            assert isinstance(await consumer.until_lost(), ZeroDivisionError)


async def test_resumed_stream_is_not_watched(certificates: Certificates, check_every_iteration: None) -> None:
    async with stream_pair("plain", certificates, "tcp") as (server, client):
        consumer = Pausing(server)
        server.start_push(consumer)
        await client.write(AHEAD)
        await consumer.until(lambda: consumer.data)
        await run_loop_iterations(5)
        monitor = hangup_monitor(server)
        assert monitored(monitor) == [server.socket.fileno()]
        consumer.on_data = None
        server.resume_reading()
        assert monitored(monitor) == []
        await run_loop_iterations(5)
        assert not has_timer(monitor)


async def test_consumer_without_eof_pending_receives_its_input(
    certificates: Certificates, check_every_iteration: None
) -> None:
    async with stream_pair("plain", certificates, "tcp") as (server, client):
        consumer = Recorder(lambda data: server.pause_reading())
        server.start_push(consumer)
        await client.write(AHEAD)
        await consumer.until(lambda: consumer.data)
        reset(client)
        await run_loop_iterations(20)
        assert not server.closed()
        consumer.on_data = None
        server.resume_reading()
        await consumer.until(lambda: consumer.events[-1] == "eof" or server.closed())
        assert consumer.data == AHEAD


async def test_reset_with_a_full_pull_buffer_runs_the_close_callback(
    loop_kind: str, kind: str, certificates: Certificates, check_every_iteration: None
) -> None:
    async with stream_pair(kind, certificates, "tcp", read_chunk_size=1000) as (server, client):
        closed = asyncio.Event()
        server.set_close_callback(closed.set)
        await client.write(AHEAD)
        while has_reader(server) or not unread_size(server):
            await asyncio.sleep(0)
        reset(client)
        await closed.wait()
        assert isinstance(server.error, ConnectionResetError)
        if kind == "plain":  # the remaining data was received before the close
            assert await server.read_bytes(len(AHEAD)) == AHEAD


async def test_socket_closed_by_the_program_is_detected(
    certificates: Certificates, check_every_iteration: None
) -> None:
    async with stream_pair("plain", certificates, "tcp") as (server, client):
        consumer = Pausing(server)
        server.start_push(consumer)
        await client.write(AHEAD)
        await consumer.until(lambda: consumer.data)
        await run_loop_iterations(5)
        server.socket.close()
        assert isinstance(await consumer.until_lost(), OSError)


async def test_monitor_checks_once_per_interval_while_there_are_sockets(clock: FakeClock) -> None:
    notified: list[bool] = []
    ours, theirs = socket_pair("tcp")
    monitor = DisconnectMonitor(asyncio.get_running_loop())
    monitor.watch(ours.fileno(), notified.append)
    theirs.shutdown(socket.SHUT_WR)
    await asyncio.sleep(INTERVAL / 2)
    assert notified == []
    await asyncio.sleep(INTERVAL)
    assert notified == [False]
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    theirs.close()
    await asyncio.sleep(INTERVAL)
    assert notified == [False, True]
    assert monitored(monitor) == []
    monitor.unwatch(ours.fileno(), notified.append)
    await asyncio.sleep(INTERVAL)
    assert not has_timer(monitor)
    ours.close()


async def test_socket_removed_by_an_earlier_callback_is_skipped(clock: FakeClock) -> None:
    notified: list[int] = []
    pairs = [socket_pair("tcp") for _ in range(2)]
    monitor = DisconnectMonitor(asyncio.get_running_loop())

    def note(broken: bool) -> None:
        notified.append(1)
        for ours, _ in pairs:
            monitor.unwatch(ours.fileno(), note)

    for ours, theirs in pairs:
        monitor.watch(ours.fileno(), note)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        theirs.close()
    await asyncio.sleep(2 * INTERVAL)
    assert notified == [1]
    for ours, _ in pairs:
        ours.close()
