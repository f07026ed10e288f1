"""Listening sockets."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Iterator

import pytest

from tornado.netutil import bind_sockets, bind_unix_socket

needs_unix_sockets = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    yield sockets
    for sock in sockets:
        sock.close()


@pytest.mark.parametrize("port", [-1, 65536, 70000, "70000", 10**30, "9" * 5000])
def test_ports_out_of_range(port):
    with pytest.raises(ValueError, match=r"^port -?\d{1,40} is out of range: a TCP port must be from 0 to"):
        bind_sockets(port, "127.0.0.1")


def test_port_as_a_string_of_digits(opened):
    opened += bind_sockets("0", "127.0.0.1")
    assert opened[0].getsockname()[1] > 0


def test_ephemeral_port_is_chosen_by_the_kernel(opened):
    opened += bind_sockets(0, "127.0.0.1")
    (sock,) = opened
    assert sock.family == socket.AF_INET
    assert sock.getsockname()[1] > 0
    assert not sock.getblocking()
    assert not os.get_inheritable(sock.fileno())
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_all_interfaces_share_one_ephemeral_port(opened):
    opened += bind_sockets(0)
    assert len({sock.getsockname()[1] for sock in opened}) == 1
    assert len({sock.family for sock in opened}) == len(opened)


def test_empty_address_means_all_interfaces(opened):
    opened += bind_sockets(0, "", socket.AF_INET)
    assert opened[0].getsockname()[0] == "0.0.0.0"


def test_port_in_use_is_named(opened):
    opened += bind_sockets(0, "127.0.0.1")
    port = opened[0].getsockname()[1]
    with pytest.raises(OSError, match=rf"'127.0.0.1', port {port}: .*in use") as caught:
        bind_sockets(port, "127.0.0.1")
    assert caught.value.errno == errno.EADDRINUSE


def test_foreign_address_is_named():
    with pytest.raises(OSError, match=r"cannot listen on address '192\.0\.2\.1', port 0") as caught:
        bind_sockets(0, "192.0.2.1")
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_ephemeral_port_taken_in_the_other_family(opened, monkeypatch):
    """If the port from one family is in use in the other, another port is chosen that is free in both."""
    from tornado.netutil import _listen

    real, failures = _listen._bind_one, [1]

    def bind_one(family, sockaddr, backlog, reuse_port):
        if sockaddr[1] != 0 and failures:
            failures.pop()
            raise OSError(errno.EADDRINUSE, "taken")
        return real(family, sockaddr, backlog, reuse_port)

    monkeypatch.setattr(_listen, "_bind_one", bind_one)
    monkeypatch.setattr(
        _listen,
        "_listening_addresses",
        lambda *args: [(socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET, ("127.0.0.2", 0))],
    )
    opened += bind_sockets(0, "localhost")
    assert not failures
    assert len({sock.getsockname()[1] for sock in opened}) == 1


def test_no_socket_is_left_open_when_one_fails(monkeypatch):
    from tornado.netutil import _listen

    monkeypatch.setattr(
        _listen,
        "_listening_addresses",
        lambda *args: [(socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET, ("192.0.2.1", 0))],
    )
    with pytest.raises(OSError, match="192"):
        bind_sockets(0, "example")


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_missing_ipv6_is_skipped(opened, monkeypatch, number):
    from tornado.netutil import _listen

    real = _listen._bind_one

    def bind_one(family, *args):
        if family == socket.AF_INET6:
            raise OSError(number, "none here")
        return real(family, *args)

    monkeypatch.setattr(_listen, "_bind_one", bind_one)
    monkeypatch.setattr(
        _listen,
        "_listening_addresses",
        lambda *args: [(socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET6, ("::1", 0, 0, 0))],
    )
    opened += bind_sockets(0, "localhost")
    assert [sock.family for sock in opened] == [socket.AF_INET]


def test_no_address_to_listen_on_is_an_error(monkeypatch):
    from tornado.netutil import _listen

    def bind_one(*args):
        raise OSError(errno.EAFNOSUPPORT, "none here")

    monkeypatch.setattr(_listen, "_bind_one", bind_one)
    with pytest.raises(OSError, match="none here"):
        bind_sockets(0, "127.0.0.1")


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="no SO_REUSEPORT")
def test_reuse_port_allows_two_sockets_on_one_port(opened):
    opened += bind_sockets(0, "127.0.0.1", reuse_port=True)
    opened += bind_sockets(opened[0].getsockname()[1], "127.0.0.1", reuse_port=True)
    assert len(opened) == 2


def test_reuse_port_without_platform_support(monkeypatch):
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    with pytest.raises(ValueError, match="SO_REUSEPORT"):
        bind_sockets(0, "127.0.0.1", reuse_port=True)


@needs_unix_sockets
def test_unix_socket_has_the_requested_mode(opened, tmp_path):
    path = str(tmp_path / "s")
    opened.append(bind_unix_socket(path, mode=0o620))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o620
    assert not opened[0].getblocking()


@needs_unix_sockets
def test_invalid_path_is_named(tmp_path):
    with pytest.raises(OSError, match="cannot listen on the Unix socket '/nonexistent/x': No such file"):
        bind_unix_socket("/nonexistent/x")
    with pytest.raises(OSError, match="cannot listen on the Unix socket '.*xxx': AF_UNIX path too long"):
        bind_unix_socket(str(tmp_path / ("x" * 200)))


@needs_unix_sockets
def test_stale_unix_socket_is_replaced(opened, tmp_path):
    path = str(tmp_path / "s")
    bind_unix_socket(path).close()
    opened.append(bind_unix_socket(path))
    assert opened[0].getsockname() == path


@needs_unix_sockets
def test_unix_socket_never_replaces_a_file(tmp_path):
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(ValueError, match="is not a socket"):
        bind_unix_socket(str(path))
    assert path.read_text() == "precious"


@pytest.mark.skipif(not os.path.exists("/proc/net/unix"), reason="no abstract namespace")
def test_abstract_unix_socket(opened):
    name = f"\0waterspout-test-{os.getpid()}"
    opened.append(bind_unix_socket(name))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(name)


def test_invalid_port_is_named() -> None:
    with pytest.raises(socket.gaierror, match="port '80x'"):
        bind_sockets("80x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bind", "place"),
    [
        (lambda: bind_sockets(0, "127.0.0.1"), r"address '127\.0\.0\.1', port 0"),
        pytest.param(
            lambda: bind_unix_socket("/tmp/a.sock"), "Unix socket '/tmp/a.sock'", marks=needs_unix_sockets
        ),
    ],
)
def test_running_out_of_descriptors_names_the_address(bind, place, monkeypatch):
    """Every error in creating a socket contains the address, even if it occurs before the bind."""

    def exhausted(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", exhausted)
    with pytest.raises(OSError, match="cannot listen on") as caught:
        bind()
    assert caught.value.errno == errno.EMFILE
    assert re.search(f"{place}: Too many open files$", str(caught.value))
