"""The end of a listening socket: the packet filter, the accept queue, and the sockets of this process."""

from __future__ import annotations

import os
import select
import socket
import ssl
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


@pytest.mark.parametrize("pauses", [False, True])
def test_queue_is_accepted_by_methods_of_the_socket(pauses):
    """For example, those of an `ssl.SSLSocket` return connections with TLS."""
    called: list[str] = []

    class Listener(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            called.append("accept")
            return super().accept()

    class PausingListener(Listener):
        def accept_without_pause(self) -> tuple[socket.socket, object]:
            called.append("accept_without_pause")
            return socket.socket.accept(self)

    with (PausingListener if pauses else Listener)() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        accepted: list[socket.socket] = []
        with begin_to_connect(listener):
            accept_queue(listener, lambda sock, address: accepted.append(sock))
        [sock] = accepted
        sock.close()
    assert called == ["accept_without_pause" if pauses else "accept"] * 2


def test_queue_of_a_tls_listener_yields_tls_connections():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with (
        context.wrap_socket(
            socket.create_server(("127.0.0.1", 0)), server_side=True, do_handshake_on_connect=False
        ) as listener,
        begin_to_connect(listener),
    ):
        listener.setblocking(False)
        accepted: list[socket.socket] = []
        accept_queue(listener, lambda sock, address: accepted.append(sock))
        [sock] = accepted
        with sock:
            assert isinstance(sock, ssl.SSLSocket)


def test_sockets_belong_to_the_process_that_has_created_them(listener, monkeypatch):
    origins = ListenerOrigins()
    assert not origins.is_own(listener)
    origins.add([listener])
    assert origins.is_own(listener)
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as in a forked child
    assert not origins.is_own(listener)
