"""The table of connections, and the listening socket that leaves connections to other workers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterator

import pytest

from tornado._serve.fair_accept import MAX_SEATS, ConnectionTable, FairListener
from tornado.netutil import add_accept_handler
from tornado.netutil._accept import AcceptPause
from tornado.netutil._listener_close import accept_queue


@pytest.fixture
def table() -> Iterator[ConnectionTable]:
    with contextlib.closing(ConnectionTable()) as created:
        yield created


def test_seats_are_taken_and_freed(table):
    seats = [table.take_seat() for _ in range(3)]
    assert seats == [0, 1, 2]
    table.free_seat(1)
    assert table.take_seat() == 1
    table.leave(1)
    assert table.take_seat() == 3


def test_all_seats_are_taken(table):
    for _ in range(MAX_SEATS):
        table.take_seat()
    with pytest.raises(RuntimeError, match=f"{MAX_SEATS} worker processes"):
        table.take_seat()
    table.publish(MAX_SEATS - 1, 10**6)
    assert table.exceeds_share(MAX_SEATS - 1, 10**6)


@pytest.mark.parametrize(
    ("counts", "exceeds"),
    [
        ([0], False),
        ([1000], False),
        ([10, 0], False),
        ([17, 0], True),
        ([100, 100, 100], False),
        ([109, 100], False),
        ([117, 100], True),
        ([100, 0, 200], False),
    ],
)
def test_share(table, counts, exceeds):
    for count in counts:
        table.publish(table.take_seat(), count)
    assert table.exceeds_share(0, counts[0]) is exceeds


def test_workers_that_drain_do_not_count(table):
    for count in (100, 0):
        table.publish(table.take_seat(), count)
    assert table.exceeds_share(0, 100)
    table.leave(1)
    assert not table.exceeds_share(0, 100)


def test_processes_share_the_table(table):
    seat = table.take_seat()
    other = ConnectionTable(os.dup(table.descriptor))
    with contextlib.closing(other):
        assert other.take_seat() == seat + 1
        other.publish(seat + 1, 100)
        assert not table.exceeds_share(seat, 50)


def test_listener_pauses_and_then_accepts_a_few(table):
    first, second = table.take_seat(), table.take_seat()
    table.publish(second, 0)
    server = socket.create_server(("127.0.0.1", 0))
    count = 100
    table.publish(first, count)
    with FairListener(server, table, first, lambda: count) as listener, contextlib.ExitStack() as stack:
        listener.setblocking(False)
        outcomes = []
        for _ in range(6):
            stack.enter_context(socket.create_connection(listener.getsockname()))
            try:
                stack.enter_context(listener.accept()[0])
                outcomes.append("accepted")
            except AcceptPause:
                outcomes.append("paused")
        assert outcomes == ["paused", *["accepted"] * 4, "paused"]


async def test_connections_arrive_although_other_workers_are_blocked(table, loop_kind):
    """The other worker has no connections, and never accepts one."""
    seat, _ = table.take_seat(), table.take_seat()
    accepted: list[socket.socket] = []
    listener = FairListener(socket.create_server(("127.0.0.1", 0)), table, seat, accepted.__len__)
    listener.setblocking(False)
    complete = asyncio.Event()

    def accept(connection: socket.socket, address: object) -> None:
        accepted.append(connection)
        if len(accepted) == 40:
            complete.set()

    remove = add_accept_handler(listener, accept)
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        await complete.wait()
        remove()
        for connection in accepted:
            connection.close()
    listener.close()


def test_worker_is_healthy_for_the_time_that_it_reports(table):
    first, second = table.take_seat(), table.take_seat()
    assert not table.has_healthy_worker(0.0)
    table.report_health(first, 12.5)
    assert table.has_healthy_worker(12.4)
    assert not table.has_healthy_worker(12.5)
    table.report_health(second, 20.0)
    assert table.has_healthy_worker(15.0)
    table.free_seat(second)
    assert not table.has_healthy_worker(15.0)


def test_table_of_a_previous_program_is_enlarged():
    descriptor = os.memfd_create("table")
    os.ftruncate(descriptor, MAX_SEATS * 8)
    with contextlib.closing(ConnectionTable(descriptor)) as table:
        assert not table.has_healthy_worker(0.0)
        table.report_health(MAX_SEATS - 1, 1.0)
        assert table.has_healthy_worker(0.0)


def test_worker_with_a_problem_accepts_only_while_no_other_is_healthy(table):
    seat, other = table.take_seat(), table.take_seat()
    problems = ["no broker"]
    server = socket.create_server(("127.0.0.1", 0))
    with (
        FairListener(server, table, seat, lambda: 0, lambda: bool(problems)) as listener,
        socket.create_connection(listener.getsockname()),
        socket.create_connection(listener.getsockname()),
    ):
        listener.setblocking(False)
        table.report_health(other, time.monotonic() + 60)
        for _ in range(3):
            with pytest.raises(AcceptPause):
                listener.accept()
        table.report_health(other, time.monotonic())  # it is blocked, and no longer reports its health
        listener.accept()[0].close()
        table.report_health(other, time.monotonic() + 60)
        problems.clear()
        listener.accept()[0].close()


def test_room_of_workers_with_and_without_problems(table):
    healthy, deaf = table.take_seat(), table.take_seat()
    assert not table.has_worker_with_room(10.0)
    table.report_health(deaf, 20.0, has_problem=True)
    assert table.has_worker_with_room(19.9)
    assert not table.has_worker_with_room(20.0)
    assert not table.has_healthy_worker(10.0)
    table.report_health(healthy, 30.0)
    assert table.has_worker_with_room(20.0)
    assert table.has_healthy_worker(20.0)
    table.report_health(healthy, 0.0)
    table.report_health(deaf, 0.0, has_problem=True)
    assert not table.has_worker_with_room(10.0)


def test_full_worker_leaves_connections_to_one_with_room_or_refuses_them(table):
    seat, other = table.take_seat(), table.take_seat()
    full = [True]
    server = socket.create_server(("127.0.0.1", 0))
    with (
        FairListener(server, table, seat, lambda: 0, is_full=lambda: bool(full)) as listener,
        socket.create_connection(listener.getsockname()),
        socket.create_connection(listener.getsockname()),
    ):
        listener.setblocking(False)
        until = time.monotonic() + 60
        for has_problem in (False, True):
            table.report_health(other, until, has_problem=has_problem)
            with pytest.raises(AcceptPause):
                listener.accept()
        table.report_health(other, 0.0, has_problem=True)  # the other one is full, too
        listener.accept()[0].close()
        table.report_health(other, until, has_problem=True)
        full.clear()
        listener.accept()[0].close()


def test_end_of_a_listener_accepts_all_connections(table):
    """The other workers have fewer connections, but may have closed the socket already."""
    seat, other = table.take_seat(), table.take_seat()
    table.publish(seat, 100)
    table.publish(other, 0)
    server = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []
    with (
        contextlib.ExitStack() as stack,
        FairListener(server, table, seat, lambda: 100 + len(accepted)) as listener,
    ):
        listener.setblocking(False)
        for _ in range(20):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        accept_queue(listener, lambda sock, address: accepted.append(stack.enter_context(sock)))
    assert len(accepted) == 20
