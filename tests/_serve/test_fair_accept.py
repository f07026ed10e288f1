"""The table of connections, and the listening socket that leaves connections to other workers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.supervisor import SupervisedService
from tornado._serve.fair_accept import MAX_SEATS, ConnectionTable, FairListener, exceeds_share
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
    table.publish(MAX_SEATS - 1, 7)
    assert table.others(0, {}) == {MAX_SEATS - 1: 7}


@pytest.mark.parametrize(
    ("counts", "exceeds"),
    [
        ([0], False),
        ([1000], False),
        ([0, 0], False),
        ([2, 0], False),
        ([3, 0], True),
        ([5, 2], False),
        ([7, 2], True),
        ([0, 0, 0, 0], False),
        ([2, 1, 1, 1], False),
        ([3, 1, 1, 1], True),
        ([100, 100, 100], False),
        ([108, 100], False),
        ([117, 100], True),
        ([100, 0, 200], False),
    ],
)
def test_share(counts, exceeds):
    first, *others = counts
    assert exceeds_share(first, sum(others), len(others)) is exceeds


@pytest.mark.parametrize("workers", [2, 3, 4, 16])
def test_no_order_of_connections_gives_a_worker_more_than_its_share(workers):
    """At each step, the worker with the most connections that may accept does so."""
    counts = [0] * workers
    for total in range(1, 1001):
        chosen = max(
            (
                seat
                for seat in range(workers)
                if not exceeds_share(counts[seat], total - 1 - counts[seat], workers - 1)
            ),
            key=counts.__getitem__,
        )
        counts[chosen] += 1
        assert max(counts) <= 4 / 3 * total / workers + 1


def test_workers_that_start_or_drain_do_not_count(table):
    seats = [table.take_seat() for _ in range(3)]
    assert table.others(seats[0], {}) == {}
    table.publish(seats[1], 5)
    table.publish(seats[2], 6)
    assert table.others(seats[0], {}) == {1: 5, 2: 6}
    table.leave(seats[2])
    assert table.others(seats[0], {}) == {1: 5}
    table.free_seat(seats[1])
    assert table.others(seats[0], {}) == {}


def test_blocked_worker_does_not_count_until_it_looks_again(table):
    first, second = table.take_seat(), table.take_seat()
    table.publish(second, 5)
    stuck = {second: 0}
    assert table.others(first, stuck) == {}
    table.publish(second, 4)  # its connections are closed by its thread
    assert table.others(first, stuck) == {}
    table.add_look(second)
    assert table.others(first, stuck) == {second: 4}
    assert stuck == {}


def test_processes_share_the_table(table):
    seat = table.take_seat()
    other = ConnectionTable(os.dup(table.descriptor))
    with contextlib.closing(other):
        assert other.take_seat() == seat + 1
        other.publish(seat + 1, 100)
        other.add_look(seat + 1)
        assert table.others(seat, {}) == {seat + 1: 100}
        assert table.looks()[: seat + 2] == [0, 1]


class Sharing:
    """A listener of the first worker of several, and clients that wait to be accepted.

    :ivar count: the number of connections of the worker.
    """

    def __init__(self, table: ConnectionTable, *others: int) -> None:
        self.table = table
        self.count = 0
        seat = table.take_seat()
        self.others = [table.take_seat() for _ in others]
        for other, count in zip(self.others, others, strict=True):
            table.publish(other, count)
        table.publish(seat, 0)
        self._stack = contextlib.ExitStack()
        server = socket.create_server(("127.0.0.1", 0))
        self.listener = FairListener(server, table, seat, lambda: self.count)
        self.listener.setblocking(False)
        self._stack.enter_context(self.listener)

    def __enter__(self) -> Sharing:
        return self

    def __exit__(self, *unused: object) -> None:
        self._stack.close()

    def connect(self) -> None:
        self._stack.enter_context(socket.create_connection(self.listener.getsockname()))

    def accept(self) -> str:
        """Accept a connection, and return what has happened."""
        try:
            self._stack.enter_context(self.listener.accept()[0])
        except AcceptPause as pause:
            return f"{pause.seconds * 1000:.0f} ms"
        except BlockingIOError:
            return "look"
        self.count += 1
        return "accepted"

    def accept_all(self, number: int) -> list[str]:
        """Let clients connect, and call `accept` as often."""
        for _ in range(number):
            self.connect()
        return [self.accept() for _ in range(number)]


WAITS = [*["look"] * 4, "2 ms", "4 ms", "8 ms", "16 ms", "32 ms"]


def test_worker_with_more_than_its_share_waits_for_the_others_and_then_accepts(table):
    with Sharing(table, 0) as sharing:
        sharing.count = 3
        assert sharing.accept_all(12) == [*WAITS, *["accepted"] * 3]  # the other one is blocked
        table.add_look(sharing.others[0])
        assert sharing.accept_all(1) == ["look"]


def test_waiting_begins_again_when_another_worker_has_accepted(table):
    with Sharing(table, 0) as sharing:
        sharing.count = 9
        assert sharing.accept_all(6) == WAITS[:6]
        table.publish(sharing.others[0], 1)
        assert sharing.accept_all(6) == WAITS[:6]
        table.publish(sharing.others[0], 6)
        assert sharing.accept_all(1) == ["accepted"]


def test_worker_waits_after_some_connections_for_a_worker_that_has_not_looked(table):
    """Its number of connections may be too high, because it has not noticed their ends yet."""
    with Sharing(table, 100) as sharing:
        assert sharing.accept_all(4) == ["accepted", "accepted", "look", "look"]
        table.add_look(sharing.others[0])
        assert sharing.accept_all(4) == ["accepted", "accepted", "accepted", "look"]


def test_worker_that_does_not_look_is_waited_for_once(table):
    with Sharing(table, 100) as sharing:
        assert sharing.accept_all(20) == ["accepted", "accepted", *WAITS, *["accepted"] * 9]


def test_only_worker_accepts_all_connections(table):
    with Sharing(table) as sharing:
        assert sharing.accept_all(20) == ["accepted"] * 20


async def test_connections_arrive_although_other_workers_are_blocked(table, loop_kind):
    """The other worker has no connections, and never accepts one."""
    seat, other = table.take_seat(), table.take_seat()
    table.publish(other, 0)
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


@pytest.mark.parametrize(
    ("workers", "number", "rounds"),
    [(2, 8, 20), (4, 8, 10), (2, 40, 3), (4, 40, 3), (2, 400, 1), (4, 400, 1)],
)
def test_kept_connections_are_shared_evenly(tmp_path, workers, number, rounds):
    """As the pool of a proxy opens them: at once, and again after it has closed all."""
    with SupervisedService(tmp_path, f"--workers={workers}") as service:
        for _ in range(rounds):
            with contextlib.ExitStack() as stack:
                connections = [
                    stack.enter_context(contextlib.closing(service.connect())) for _ in range(number)
                ]
                for connection in connections:
                    connection.connect()
                for connection in connections:
                    connection.request("GET", "/")
                shares = Counter(connection.getresponse().read() for connection in connections)
            assert max(shares.values()) <= 4 / 3 * number / workers + 1
        assert service.stop() == 0
