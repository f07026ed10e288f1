"""`TransferRate`: the windows of both rates."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import pytest

from tornado.http1connection._deadline_scheduler import NEVER
from tornado.http1connection._transfer_rate import TransferRate, taken_by_peer

WINDOW, LEAST = 20.0, 1000


@pytest.fixture
def body() -> TransferRate:
    pace = TransferRate()
    pace.begin_body(100.0, WINDOW, NEVER)
    return pace


def test_nothing_to_watch() -> None:
    assert TransferRate().deadline() == NEVER


@pytest.mark.parametrize(("arrived", "late"), [(LEAST - 1, True), (LEAST, False)])
def test_a_window_needs_so_many_bytes(body: TransferRate, arrived: int, late: bool) -> None:
    body.arrived += arrived
    assert not body.body_is_late(119.9, LEAST, WINDOW)
    assert body.body_is_late(120.0, LEAST, WINDOW) is late
    assert body.deadline() == (120.0 if late else 140.0)


def test_what_came_early_does_not_pay_for_later(body: TransferRate) -> None:
    body.arrived += 1000 * LEAST
    assert not body.body_is_late(120.0, LEAST, WINDOW)
    assert body.body_is_late(140.0, LEAST, WINDOW)


def test_time_in_which_the_peer_had_to_wait_does_not_count(body: TransferRate) -> None:
    body.rest(105.0)
    body.go_on(112.0)
    body.go_on(112.0)
    assert not body.body_is_late(120.0, LEAST, WINDOW)
    assert body.deadline() == 127.0
    assert body.body_is_late(127.0, LEAST, WINDOW)


def test_a_peer_that_is_still_made_to_wait(body: TransferRate) -> None:
    body.rest(110.0)
    assert not body.body_is_late(120.0, LEAST, WINDOW)
    assert body.deadline() == 130.0
    assert not body.body_is_late(130.0, LEAST, WINDOW)
    body.go_on(135.0)
    assert body.deadline() == 140.0
    assert not body.body_is_late(140.0, LEAST, WINDOW)
    assert body.body_is_late(145.0, LEAST, WINDOW)


def test_the_end_of_a_body(body: TransferRate) -> None:
    body.begin_body(100.0, WINDOW, 110.0)
    assert body.deadline() == 110.0
    body.end_body()
    assert body.deadline() == NEVER
    assert not body.body_is_late(1000.0, LEAST, WINDOW)


@pytest.mark.parametrize(("taken", "late"), [(LEAST - 1, True), (LEAST, False)])
def test_output(taken: int, late: bool) -> None:
    pace = TransferRate()
    pace.begin_output(100.0, WINDOW, 5000)
    assert not pace.output_is_late(119.9, LEAST, WINDOW, 5000)
    assert pace.output_is_late(120.0, LEAST, WINDOW, 5000 + taken) is late
    if not late:
        assert pace.deadline() == 140.0
        assert pace.output_is_late(140.0, LEAST, WINDOW, 5000 + taken)
    pace.end_output()
    assert pace.deadline() == NEVER


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux reports acknowledged bytes")
def test_what_the_kernel_holds_is_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    with ours, peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ours.setblocking(False)
        sent = ours.send(bytes(1_000_000))
        stream = SimpleNamespace(socket=ours, _total_write_done_index=sent)
        before = taken_by_peer(stream)
        assert before < sent
        peer.setblocking(True)
        left = 100_000
        while left:
            left -= len(peer.recv(left))
        assert taken_by_peer(stream) > before


def test_a_closed_socket_tells_nothing() -> None:
    sock = socket.socket()
    sock.close()
    assert taken_by_peer(SimpleNamespace(socket=sock, _total_write_done_index=7)) == 7
