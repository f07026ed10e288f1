"""Accepting connections, removing the handler, and running out of file descriptors."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator

import pytest

from tornado.netutil import _accept, add_accept_handler, bind_sockets


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    (sock,) = bind_sockets(0, "127.0.0.1")
    with sock:
        yield sock


def connected(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname())


class FaultySocket:
    """A listening socket whose `accept` follows a script. It is always readable."""

    def __init__(self, *script: object) -> None:
        self._readable, self._writer = socket.socketpair()
        self._writer.send(b"x")
        self.script = list(script)
        self.calls = 0

    def fileno(self) -> int:
        return self._readable.fileno()

    def accept(self) -> tuple[object, object]:
        self.calls += 1
        step = self.script.pop(0) if self.script else BlockingIOError()
        if isinstance(step, BaseException):
            raise step
        return step, ("peer", 1)

    def close(self) -> None:
        self._readable.close()
        self._writer.close()


@pytest.fixture
def faulty() -> Iterator[FaultySocket]:
    sock = FaultySocket()
    yield sock
    sock.close()


@pytest.fixture(autouse=True)
def reset_rate_limit(monkeypatch):
    monkeypatch.setattr(_accept, "_last_report", float("-inf"))


async def test_connections_are_delivered(loop_kind, listener):
    accepted: asyncio.Queue = asyncio.Queue()
    remove = add_accept_handler(listener, lambda sock, address: accepted.put_nowait((sock, address)))
    with connected(listener) as first, connected(listener) as second:
        for client in (first, second):
            sock, address = await accepted.get()
            with sock:
                assert address == client.getsockname()
                assert sock.getpeername() == client.getsockname()
    remove()
    remove()


async def test_one_event_accepts_all_waiting_connections(faulty):
    faulty.script = ["a", "b", "c"]
    accepted = []
    remove = add_accept_handler(faulty, lambda sock, address: accepted.append(sock))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    remove()
    assert accepted == ["a", "b", "c"]


async def test_accepts_per_iteration_are_limited(faulty):
    faulty.script = ["x"] * 1000
    rounds: list[int] = []
    remove = add_accept_handler(faulty, lambda sock, address: None)
    while faulty.script:
        before = faulty.calls
        await asyncio.sleep(0)
        rounds.append(faulty.calls - before)
    remove()
    assert max(rounds) <= 128


async def test_removal_from_within_the_callback(faulty):
    faulty.script = ["a", "b"]
    accepted = []

    def callback(sock, address):
        accepted.append(sock)
        remove()

    remove = add_accept_handler(faulty, callback)
    for _ in range(5):
        await asyncio.sleep(0)
    assert accepted == ["a"]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_exhaustion_pauses_for_a_second(clock, faulty, expect_log, number):
    faulty.script = [OSError(number, "none left"), "late"]
    accepted: asyncio.Future = asyncio.get_running_loop().create_future()
    start = clock.now
    with expect_log("tornado.general", "accepting paused for 1 s") as log:
        remove = add_accept_handler(faulty, lambda sock, address: accepted.set_result(sock))
        assert await accepted == "late"
    remove()
    assert clock.now - start == pytest.approx(1, abs=0.01)
    assert len(log.records) == 1


async def test_exhaustion_is_reported_once_a_second_over_all_listeners(clock, faulty, expect_log):
    other = FaultySocket(OSError(errno.EMFILE, ""))
    faulty.script = [OSError(errno.EMFILE, "")]
    with expect_log("tornado.general", "limit") as log:
        removers = [add_accept_handler(sock, lambda *args: None) for sock in (faulty, other)]
        while faulty.script or other.script:
            await asyncio.sleep(0)
    for remove in removers:
        remove()
    other.close()
    assert len(log.records) == 1


async def test_removal_during_the_pause(clock, faulty, expect_log):
    faulty.script = [OSError(errno.EMFILE, "")]
    with expect_log("tornado.general", "accepting paused"):
        remove = add_accept_handler(faulty, lambda *args: None)
        while faulty.script:
            await asyncio.sleep(0)
    remove()
    await asyncio.sleep(5)
    assert faulty.calls == 1


async def test_errors_of_new_connections_are_ignored(faulty):
    faulty.script = [ConnectionAbortedError(errno.ECONNABORTED, ""), OSError(errno.EPROTO, ""), "next"]
    accepted = []
    remove = add_accept_handler(faulty, lambda sock, address: accepted.append(sock))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    remove()
    assert accepted == ["next"]


async def test_overridden_accept_is_called(loop_kind, listener):
    class Listener(socket.socket):
        def accept(self):
            connection, _ = super().accept()
            return connection, "an address"

    accepted: asyncio.Queue = asyncio.Queue()
    with Listener(fileno=listener.detach()) as own:
        own.setblocking(False)
        remove = add_accept_handler(own, lambda sock, address: accepted.put_nowait((sock, address)))
        with connected(own):
            sock, address = await accepted.get()
            sock.close()
        remove()
    assert address == "an address"


async def test_connection_is_the_object_that_accept_returns(loop_kind, listener):
    accepted: asyncio.Queue = asyncio.Queue()
    remove = add_accept_handler(listener, lambda sock, address: accepted.put_nowait(sock))
    with connected(listener), await accepted.get() as sock:
        assert type(sock) is socket.socket
        assert (sock.family, sock.type, sock.proto) == (listener.family, listener.type, listener.proto)
        assert sock.gettimeout() is None
        assert not sock.get_inheritable()
    remove()


async def test_wrapper_of_a_socket_is_accepted(loop_kind, listener):
    class Wrapper:
        def __getattr__(self, name):
            return getattr(listener, name)

    accepted: asyncio.Queue = asyncio.Queue()
    remove = add_accept_handler(Wrapper(), lambda sock, address: accepted.put_nowait(sock))
    with connected(listener), await accepted.get():
        pass
    remove()


async def test_patched_accept_is_called(loop_kind, listener, monkeypatch):
    original = socket.socket.accept
    accepted: asyncio.Queue = asyncio.Queue()
    remove = add_accept_handler(listener, lambda sock, address: accepted.put_nowait((sock, address)))
    monkeypatch.setattr(socket.socket, "accept", lambda self: (original(self)[0], "an address"))
    with connected(listener):
        sock, address = await accepted.get()
        sock.close()
    remove()
    assert address == "an address"
