"""Listening sockets that are passed on in a restart. In these tests, one process is both programs."""

from __future__ import annotations

import json
import os
import socket
import sys

import pytest

from tornado import netutil
from tornado.netutil import _socket_inheritance, bind_sockets, bind_unix_socket

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no exec on Windows")


@pytest.fixture(autouse=True)
def nothing_inherited(monkeypatch):
    """Isolate the test from sockets that other tests have registered, and release its own."""
    monkeypatch.setattr(_socket_inheritance, "_bound", type(_socket_inheritance._bound)())
    monkeypatch.setattr(_socket_inheritance, "_inherited", [])
    monkeypatch.setattr(_socket_inheritance, "message", None)
    monkeypatch.delenv(_socket_inheritance.VARIABLE, raising=False)
    yield
    _socket_inheritance.release()


def restart(*sockets, **extra_state):
    """Simulate an ``exec``: descriptors that are passed on stay open, all other state is dropped."""
    with _socket_inheritance.pass_on_sockets(extra_state):
        value = os.environ[_socket_inheritance.VARIABLE]
        inheritable = {sock.fileno() for sock in sockets if os.get_inheritable(sock.fileno())}
    assert _socket_inheritance.VARIABLE not in os.environ
    assert not any(os.get_inheritable(sock.fileno()) for sock in sockets)
    for entry in list(_socket_inheritance._inherited):
        if entry.in_use():
            entry.original.close()
        else:
            entry.original.detach()
    _socket_inheritance._inherited.clear()
    for sock in sockets:
        if sock.fileno() in inheritable:
            sock.detach()
        else:
            sock.close()
    _socket_inheritance._bound.clear()
    os.environ[_socket_inheritance.VARIABLE] = value
    _socket_inheritance.take_over()
    assert _socket_inheritance.VARIABLE not in os.environ


def test_port_is_inherited_with_its_waiting_connections():
    sockets = bind_sockets(0, "127.0.0.1")
    address = sockets[0].getsockname()
    with socket.create_connection(address) as client:
        restart(*sockets, greeting="hello")
        assert _socket_inheritance.message["greeting"] == "hello"
        [again] = bind_sockets(0, "127.0.0.1")  # port 0 means the inherited port
        assert again.getsockname() == address
        assert not os.get_inheritable(again.fileno())
        accepted, _ = again.accept()
        assert accepted.getpeername() == client.getsockname()
        accepted.close()
    again.close()


def test_both_families_and_several_ports_are_inherited():
    both = bind_sockets(0)
    other = bind_sockets(0, "127.0.0.1")
    names = [sock.getsockname()[:2] for sock in both], [sock.getsockname()[:2] for sock in other]
    restart(*both, *other)
    both, other = bind_sockets(0), bind_sockets(0, "127.0.0.1")
    assert names == ([sock.getsockname()[:2] for sock in both], [sock.getsockname()[:2] for sock in other])
    for sock in both + other:
        sock.close()


def test_unix_socket_is_inherited(tmp_path):
    path = str(tmp_path / "socket")
    sock = bind_unix_socket(path)
    number = os.stat(path).st_ino
    restart(sock)
    again = bind_unix_socket(path, mode=0o666)
    assert os.stat(path).st_ino == number
    assert os.stat(path).st_mode & 0o777 == 0o666
    again.close()


def test_unix_socket_is_created_again_if_its_file_was_removed(tmp_path):
    path = str(tmp_path / "socket")
    restart(bind_unix_socket(path))
    os.remove(path)
    again = bind_unix_socket(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    again.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract names")
def test_abstract_name_is_inherited():
    name = f"\0tornado-test-{os.getpid()}"
    restart(bind_unix_socket(name))
    again = bind_unix_socket(name)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(name)
    again.close()


def test_inherited_socket_makes_way_for_another_address():
    """The inherited socket is closed, because it would prevent a bind of its port on another address."""
    for attempt in range(20):
        [sock] = bind_sockets(0, "127.0.0.1")
        port = sock.getsockname()[1]
        restart(sock)
        try:
            sockets = bind_sockets(port, family=socket.AF_INET)
        except OSError:
            # A process may use the port on another address, but it is unlikely that all twenty ports are in
            # use.
            assert attempt < 19
            continue
        break
    assert sockets[0].getsockname() == ("0.0.0.0", port)
    assert _socket_inheritance._inherited == []
    sockets[0].close()


def test_port_in_use_cannot_be_bound_again():
    [sock] = bind_sockets(0, "127.0.0.1")
    with pytest.raises(OSError, match="another socket is bound to it"):
        bind_sockets(sock.getsockname()[1], "127.0.0.1")
    restart(sock)
    [again] = bind_sockets(0, "127.0.0.1")
    with pytest.raises(OSError, match="another socket is bound to it"):
        bind_sockets(again.getsockname()[1], "127.0.0.1")
    again.close()


def test_socket_closed_by_a_failed_start_is_passed_on_again():
    [sock] = bind_sockets(0, "127.0.0.1")
    address = sock.getsockname()
    restart(sock)
    [sock] = bind_sockets(0, "127.0.0.1")
    restart(sock)
    bind_sockets(0, "127.0.0.1")[0].close()
    restart()
    [sock] = bind_sockets(0, "127.0.0.1")
    assert sock.getsockname() == address
    sock.close()


def test_release_closes_unclaimed_sockets():
    [sock] = bind_sockets(0, "127.0.0.1")
    address = sock.getsockname()
    restart(sock)
    socket.create_connection(address).close()
    _socket_inheritance.release()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_variable_for_another_process_is_ignored(monkeypatch):
    """A child process that is started while its parent restarts inherits the variable, and must ignore it."""
    monkeypatch.setenv(
        _socket_inheritance.VARIABLE, json.dumps({"pid": os.getpid() + 1, "sockets": [[0, 2, [], False]]})
    )
    _socket_inheritance.take_over()
    assert _socket_inheritance.message is None
    assert _socket_inheritance._inherited == []
    assert _socket_inheritance.VARIABLE not in os.environ


@pytest.mark.parametrize(
    "value", ["", "{", "[]", '{"pid": 0}', '{"pid": PID}', '{"pid": PID, "sockets": [1]}']
)
def test_invalid_variable_is_ignored(monkeypatch, expect_log, value):
    monkeypatch.setenv(_socket_inheritance.VARIABLE, value.replace("PID", str(os.getpid())))
    with expect_log(
        "tornado.general",
        "ignoring the environment variable TORNADO_INHERITED",
        required="PID" in value or len(value) < 3,
    ):
        _socket_inheritance.take_over()
    assert _socket_inheritance._inherited == []


def test_descriptors_that_are_not_listening_sockets_are_ignored(monkeypatch):
    readable, writable = os.pipe()
    left, right = socket.socketpair()
    numbers = [readable, left.fileno(), 99_999]
    state = {"pid": os.getpid(), "sockets": [[each, 2, ["127.0.0.1", 1], False] for each in numbers]}
    monkeypatch.setenv(_socket_inheritance.VARIABLE, json.dumps(state))
    _socket_inheritance.take_over()
    assert _socket_inheritance._inherited == []
    right.send(b"alive")
    assert left.recv(9) == b"alive"
    os.close(readable)
    os.close(writable)
    left.close()
    right.close()


def test_number_of_inherited_sockets_is_limited(monkeypatch, expect_log):
    monkeypatch.setattr(_socket_inheritance, "MAX_SOCKETS", 1)
    sockets = [*bind_sockets(0, "127.0.0.1"), *bind_sockets(0, "127.0.0.1")]
    with expect_log("tornado.general", "only 1 of 2"):
        restart(*sockets)
    _socket_inheritance.release()


def test_socket_with_reuse_port_is_claimed_only_with_reuse_port():
    if not hasattr(socket, "SO_REUSEPORT"):
        pytest.skip("no SO_REUSEPORT here")
    [sock] = netutil.bind_sockets(0, "127.0.0.1", reuse_port=True)
    port = sock.getsockname()[1]
    restart(sock)
    [again] = bind_sockets(port, "127.0.0.1")
    assert again.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
    again.close()
