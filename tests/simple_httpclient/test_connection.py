"""`ClientConnection`: its tables of states, and the delivery of a response to a receiver that pauses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.simple_httpclient import delivery_of
from tests.support.states import check_transitions
from tornado._wire.limits import DEFAULT
from tornado.iostream import IOStream
from tornado.simple_httpclient._connection import (
    DELIVERY_TRANSITIONS,
    TRANSITIONS,
    ClientConnection,
    ClientConnectionState,
    Delivery,
)
from tornado.simple_httpclient._connection_key import ConnectionKey

KEY = ConnectionKey("http", "x", 80, None, None, socket.AF_UNSPEC, None, None, False, None, None)
REQUEST = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"


async def until(condition: Callable[[], object]) -> None:
    """Run the event loop until `condition` is true."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


class Receiver:
    """A receiver that records the parts of a response, and calls a function for each part of the body."""

    def __init__(self, on_body: Callable[[], object] = lambda: None) -> None:
        self.parts: list[Any] = []
        self._on_body = on_body

    def head_received(self, head: Any) -> None:
        self.parts.append(head.code)

    def body_received(self, data: bytes) -> None:
        self.parts.append(data)
        self._on_body()

    def response_complete(self, reusable: bool) -> None:
        self.parts.append(("complete", reusable))

    def exchange_failed(self, error: BaseException, started: bool) -> None:
        self.parts.append((type(error).__name__, started))

    def source_failed(self, error: BaseException) -> None:
        self.parts.append(error)


class Pair:
    """A connection, and the socket of its server."""

    def __init__(self) -> None:
        ours, self.peer = socket.socketpair()
        self.connection = ClientConnection(IOStream(ours), KEY, DEFAULT)

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()
        self.peer.close()


def test_only_transitions_in_the_tables_are_allowed() -> None:
    check_transitions(TRANSITIONS, ClientConnectionState)
    check_transitions(DELIVERY_TRANSITIONS, Delivery)


async def test_repr_tells_the_state(loop_kind: str) -> None:
    with Pair() as pair:
        connection = pair.connection
        assert repr(connection) == "<ClientConnection x:80 idle, 0 requests>"
        connection.start(Receiver(), "GET", REQUEST)
        assert repr(connection) == "<ClientConnection x:80 waiting for the response, 1 requests>"
        connection.pause()
        assert repr(connection) == "<ClientConnection x:80 waiting for the response, paused, 1 requests>"
        connection.close()
        assert "closed" in repr(connection)


async def test_connection_is_reused(loop_kind: str) -> None:
    with Pair() as pair:
        receiver = Receiver()
        for count in (1, 2):
            pair.connection.start(receiver, "GET", REQUEST)
            pair.peer.sendall(RESPONSE)
            await until(lambda: pair.connection.state is ClientConnectionState.IDLE)
            assert receiver.parts == [200, b"body", ("complete", True)] * count


async def test_paused_connection_delivers_nothing(loop_kind: str) -> None:
    with Pair() as pair:
        receiver = Receiver()
        pair.connection.start(receiver, "GET", REQUEST)
        pair.connection.pause()
        pair.connection.pause()  # no effect
        pair.peer.sendall(RESPONSE)
        for _ in range(5):
            await asyncio.sleep(0)
        assert receiver.parts == []
        pair.connection.resume()
        await until(lambda: pair.connection.state is ClientConnectionState.IDLE)
        assert receiver.parts == [200, b"body", ("complete", True)]
        pair.connection.resume()  # no effect


async def test_receiver_that_pauses_for_each_part(loop_kind: str) -> None:
    """The receiver resumes after the callback, in a later iteration of the event loop."""
    with Pair() as pair:

        def on_body() -> None:
            pair.connection.pause()
            asyncio.get_running_loop().call_soon(pair.connection.resume)

        receiver = Receiver(on_body)
        pair.connection.start(receiver, "GET", REQUEST)
        for count, piece in enumerate([CHUNKED[:-17], CHUNKED[-17:-11], CHUNKED[-11:]], 2):
            pair.peer.sendall(piece)
            await until(lambda: len(receiver.parts) >= count)  # noqa: B023 - called in this iteration
        await until(lambda: pair.connection.state is ClientConnectionState.IDLE)
        assert receiver.parts == [200, b"a", b"b", b"c", ("complete", True)]


async def test_receiver_that_pauses_and_resumes_in_its_callback(loop_kind: str) -> None:
    """Data that the resumed stream passes on at once is delivered after the callback, in order."""
    with Pair() as pair:

        def on_body() -> None:
            pair.connection.pause()
            assert delivery_of(pair.connection) is Delivery.HOLDING
            pair.connection.data_received(pieces.pop(0) if pieces else b"")
            pair.connection.resume()

        pieces = [CHUNKED[-17:-11], CHUNKED[-11:]]
        receiver = Receiver(on_body)
        pair.connection.start(receiver, "GET", REQUEST)
        pair.peer.sendall(CHUNKED[:-17])
        await until(lambda: pair.connection.state is ClientConnectionState.IDLE)
        assert receiver.parts == [200, b"a", b"b", b"c", ("complete", True)]


async def test_receiver_that_starts_the_next_exchange_at_the_end(loop_kind: str) -> None:
    with Pair() as pair:
        following = Receiver()

        class First(Receiver):
            def response_complete(self, reusable: bool) -> None:
                super().response_complete(reusable)
                pair.connection.start(following, "GET", REQUEST)

        first = First()
        pair.connection.start(first, "GET", REQUEST)
        pair.peer.sendall(RESPONSE)
        await until(lambda: bool(first.parts) and pair.connection.state is ClientConnectionState.WAITING)
        pair.peer.sendall(RESPONSE)
        await until(lambda: pair.connection.state is ClientConnectionState.IDLE)
        assert following.parts == first.parts == [200, b"body", ("complete", True)]


@pytest.mark.parametrize(("sent", "started"), [(b"", False), (b"HTTP/1.1 200", True)])
async def test_end_of_input_before_the_response_is_complete(
    loop_kind: str, sent: bytes, started: bool
) -> None:
    with Pair() as pair:
        receiver = Receiver()
        pair.connection.start(receiver, "GET", REQUEST)
        pair.peer.sendall(sent)
        pair.peer.shutdown(socket.SHUT_WR)
        await until(lambda: pair.connection.state is ClientConnectionState.CLOSED)
        assert receiver.parts == [("ConnectionEndedError", started)]


async def test_idle_connection_closes_on_any_input(loop_kind: str) -> None:
    with Pair() as pair:
        ended: list[ClientConnection] = []
        pair.connection.on_idle_end = ended.append
        pair.peer.sendall(b"x")
        await until(lambda: pair.connection.state is ClientConnectionState.CLOSED)
        assert ended == [pair.connection]
