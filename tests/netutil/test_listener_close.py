"""The end of a listening socket: the packet filter, the accept queue, and the sockets of this process."""

from __future__ import annotations

import os
import select
import socket
import sys

import pytest

from tornado.netutil._listener_close import ListenerOrigins, accept_queue, drop_handshakes


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        yield sock


def begin_to_connect(listener: socket.socket) -> socket.socket:
    """Send the first packet of a handshake, which ends immediately on a loopback address."""
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(listener.getsockname())
    return client


def is_connected(client: socket.socket) -> bool:
    return bool(select.select([], [client], [], 0)[1])


@pytest.mark.skipif(sys.platform != "linux", reason="packet filters are Linux's")
def test_dropped_handshake_and_earlier_connections(listener):
    accepted: list[socket.socket] = []
    with begin_to_connect(listener) as before:
        assert drop_handshakes(listener) is False  # no handshake can be under way on a loopback address
        with begin_to_connect(listener) as after:
            assert (is_connected(before), is_connected(after)) == (True, False)
            accept_queue(listener, lambda sock, address: accepted.append(sock))
    [sock] = accepted
    sock.close()


@pytest.mark.skipif(sys.platform != "linux", reason="packet filters are Linux's")
def test_handshakes_of_other_machines_may_be_under_way():
    with socket.create_server(("0.0.0.0", 0)) as listener:
        assert drop_handshakes(listener) is True


def test_unix_and_closed_sockets_have_no_filter(listener):
    with socket.socket(socket.AF_UNIX) as other:
        assert drop_handshakes(other) is False
    listener.close()
    assert drop_handshakes(listener) is False


def test_callback_may_close_the_listening_socket(listener):
    accepted: list[socket.socket] = []

    def accept(sock: socket.socket, address: object) -> None:
        accepted.append(sock)
        listener.close()

    clients = [begin_to_connect(listener) for _ in range(2)]
    accept_queue(listener, accept)
    for sock in (*clients, *accepted):
        sock.close()
    assert len(accepted) == 1


def test_sockets_belong_to_the_process_that_has_created_them(listener, monkeypatch):
    origins = ListenerOrigins()
    assert not origins.is_own(listener)
    origins.add([listener])
    assert origins.is_own(listener)
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as in a forked child
    assert not origins.is_own(listener)
