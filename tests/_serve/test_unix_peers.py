"""The users at the other end of a Unix socket."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time

import pytest

from tests.support.service_internals import refuse_all_users
from tests.support.supervisor import SupervisedService
from tornado._log_rate_limit import LogRateLimit
from tornado._serve import unix_peers
from tornado._serve.ctl_client import Client, ControlError
from tornado._serve.unix_peers import OwnerListener, peer_of
from tornado.log import gen_log
from tornado.netutil._accept import accept_next

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets exist on Linux only")


def listen(name: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(name)
    sock.listen()
    return sock


def as_another_user(function, user: int = 65534) -> int:
    """Call a function in a child process of another user, and return its process ID."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    child = os.fork()
    if child == 0:
        try:
            os.setuid(user)
            function()
        finally:
            os._exit(0)
    return child


def test_peer_is_the_process_and_its_user():
    first, second = socket.socketpair()
    with first, second:
        assert peer_of(first) == (os.getpid(), os.getuid())


def test_connection_of_another_user_is_closed(expect_log):
    name = f"\0test-{os.getpid()}-{os.urandom(4).hex()}"
    with OwnerListener(listen(name)) as listener:
        listener.setblocking(False)

        def connect() -> None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(name)
                client.recv(1)

        child = as_another_user(connect)
        select.select([listener], [], [])
        with expect_log("tornado.general", rf"connection of user 65534 \(process {child}\) refused"):
            with pytest.raises(BlockingIOError):
                listener.accept()
        assert os.waitpid(child, 0) == (child, 0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(name)
            listener.accept()[0].close()


def test_connections_of_another_user_are_closed_one_at_a_time_and_logged_seldom(monkeypatch, expect_log):
    monkeypatch.setattr(unix_peers, "_log_limit", LogRateLimit(gen_log))
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    name = f"\0test-{os.getpid()}-{os.urandom(4).hex()}"
    accepted = []
    with OwnerListener(listen(name)) as listener, contextlib.ExitStack() as clients:
        listener.setblocking(False)
        refuse_all_users(monkeypatch, listener)
        for _ in range(3):
            client = clients.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.connect(name)
        with expect_log("tornado.general", f"connection of user {os.getuid()} ") as expected:
            for waiting in (2, 1):
                with pytest.raises(BlockingIOError):
                    listener.accept()
                assert select.select([listener], [], [], 0)[0], waiting
            # A connection of another user does not end the emptying of the queue.
            assert accept_next(listener, lambda connection, _: accepted.append(connection))
        assert not accept_next(listener, lambda connection, _: accepted.append(connection))
    assert len(expected.records) == 1
    assert not accepted


def test_token_is_not_sent_to_another_user():
    """It may have bound the name before the service did."""
    name = f"test-{os.getpid()}-{os.urandom(4).hex()}"
    reading, writing = os.pipe()

    def serve() -> None:
        sock = listen("\0" + name)
        os.write(writing, b"x")
        connection, _ = sock.accept()
        os.write(writing, connection.recv(1000) or b"nothing")

    child = as_another_user(serve)
    os.read(reading, 1)
    with pytest.raises(ControlError, match=rf"user 65534 \(process {child}\), and the token is not sent"):
        Client(f"unix:@{name}", "secret").request("GET", "api/status")
    assert os.read(reading, 1000) == b"nothing"
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)


def test_administration_with_an_abstract_name_is_for_its_owner(tmp_path):
    name = f"unix:@test-{os.getpid()}-{os.urandom(4).hex()}"
    reading, writing = os.pipe()
    with SupervisedService(tmp_path, f"--admin={name}") as service:

        def ask() -> None:
            try:
                Client(name, None).request("POST", "api/drain", {})
            except ControlError as error:
                os.write(writing, str(error).encode())

        child = as_another_user(ask)
        service.wait_for("connection of user 65534")
        os.waitpid(child, 0)
        assert b"cannot reach the administration" in os.read(reading, 1000)
        assert Client(name, None).request("GET", "api/status")["service"]["state"] == "serving"
        assert service.stop() == 0
    os.close(reading)
    os.close(writing)
