"""`TransferRate`: the time windows in which the rates of input and output are measured."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import pytest

from tornado._loop.deadlines import NEVER
from tornado.http1connection._transfer_rate import TransferRate, acknowledged_bytes

WINDOW, MIN_BYTES = 20.0, 1000


@pytest.fixture
def body() -> TransferRate:
    transfer_rate = TransferRate()
    transfer_rate.begin_body(100.0, WINDOW)
    return transfer_rate


def test_deadline_without_transfer_is_never() -> None:
    assert TransferRate().deadline() == NEVER


@pytest.mark.parametrize(("received", "late"), [(MIN_BYTES - 1, True), (MIN_BYTES, False)])
def test_body_below_minimum_in_window_is_too_slow(body: TransferRate, received: int, late: bool) -> None:
    body.received += received
    assert not body.body_is_too_slow(119.9, MIN_BYTES, WINDOW)
    assert body.body_is_too_slow(120.0, MIN_BYTES, WINDOW) is late
    assert body.deadline() == (120.0 if late else 140.0)


def test_fast_window_does_not_compensate_for_next(body: TransferRate) -> None:
    body.received += 1000 * MIN_BYTES
    assert not body.body_is_too_slow(120.0, MIN_BYTES, WINDOW)
    assert body.body_is_too_slow(140.0, MIN_BYTES, WINDOW)


def test_paused_time_does_not_count(body: TransferRate) -> None:
    body.pause(105.0)
    body.resume(112.0)
    body.resume(112.0)
    assert not body.body_is_too_slow(120.0, MIN_BYTES, WINDOW)
    assert body.deadline() == 127.0
    assert body.body_is_too_slow(127.0, MIN_BYTES, WINDOW)


def test_window_is_extended_while_paused(body: TransferRate) -> None:
    body.pause(110.0)
    assert not body.body_is_too_slow(120.0, MIN_BYTES, WINDOW)
    assert body.deadline() == 130.0
    assert not body.body_is_too_slow(130.0, MIN_BYTES, WINDOW)
    body.resume(135.0)
    assert body.deadline() == 140.0
    assert not body.body_is_too_slow(140.0, MIN_BYTES, WINDOW)
    assert body.body_is_too_slow(145.0, MIN_BYTES, WINDOW)


def test_end_of_body_clears_deadlines(body: TransferRate) -> None:
    body.begin_body(90.0, WINDOW)
    assert body.deadline() == 110.0
    body.end_body()
    assert body.deadline() == NEVER
    assert not body.body_is_too_slow(1000.0, MIN_BYTES, WINDOW)


@pytest.mark.parametrize(("acknowledged", "late"), [(MIN_BYTES - 1, True), (MIN_BYTES, False)])
def test_output_below_minimum_in_window_is_too_slow(acknowledged: int, late: bool) -> None:
    transfer_rate = TransferRate()
    transfer_rate.begin_output(100.0, WINDOW, 5000)
    assert not transfer_rate.output_is_too_slow(119.9, MIN_BYTES, WINDOW, 5000)
    assert transfer_rate.output_is_too_slow(120.0, MIN_BYTES, WINDOW, 5000 + acknowledged) is late
    if not late:
        assert transfer_rate.deadline() == 140.0
        assert transfer_rate.output_is_too_slow(140.0, MIN_BYTES, WINDOW, 5000 + acknowledged)
    transfer_rate.end_output()
    assert transfer_rate.deadline() == NEVER


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux reports acknowledged bytes")
def test_bytes_in_send_buffer_do_not_count() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    with ours, peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ours.setblocking(False)
        sent = ours.send(bytes(1_000_000))
        stream = SimpleNamespace(socket=ours, output_position=sent)
        before = acknowledged_bytes(stream)
        assert before < sent
        peer.setblocking(True)
        left = 100_000
        while left:
            left -= len(peer.recv(left))
        assert acknowledged_bytes(stream) > before


def test_closed_socket_counts_written_bytes() -> None:
    sock = socket.socket()
    sock.close()
    assert acknowledged_bytes(SimpleNamespace(socket=sock, output_position=7)) == 7
