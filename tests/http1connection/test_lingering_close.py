"""Lingering close: how much input is read from a client that is still sending after its response."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.http1connection import MAX_LINGERING_PAUSE, MAX_LINGERING_SECONDS, lingering_deadline
from tests.support.server import Server, handler_of, serving
from tests.support.streams import is_paused
from tornado import web
from tornado.http1connection import _lingering_close, _server_connection
from tornado.http1connection._states import ConnectionState

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
PIECE = bytes(65536)


def application() -> web.Application:
    return web.Application([("/", handler_of())])


def send(server: Server, pieces: int) -> bytes:
    """Send the head and `pieces` pieces of the body; return the response, or nothing after a reset."""
    with server.dial() as sock:
        try:
            sock.sendall(HEAD)
            for _ in range(pieces):
                sock.sendall(PIECE)
            return sock.recv(65536)
        except OSError:
            return b""


async def test_lingering_close_discards_megabytes(tls):
    async with serving(application(), tls=tls, max_body_size=10) as server:
        answer = await asyncio.to_thread(send, server, 100)
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_lingering_close_resets_after_maximum(monkeypatch):
    monkeypatch.setattr(_lingering_close, "_MAX_BYTES", 1_000_000)
    async with serving(application(), max_body_size=10) as server:
        assert await asyncio.to_thread(send, server, 1000) == b""


@pytest.mark.parametrize(
    ("elapsed", "deadline"),
    [
        (0.0, MAX_LINGERING_PAUSE),
        (MAX_LINGERING_SECONDS - 0.5, MAX_LINGERING_SECONDS),
    ],
)
async def test_input_extends_lingering_deadline_up_to_maximum(monkeypatch, elapsed, deadline):
    seen: list[Any] = []
    receive = _server_connection.HTTP1ServerConnection.data_received

    def watched(self: Any, data: bytes) -> None:
        receive(self, data)
        end = lingering_deadline(self)
        if end is not None and data == b"later":
            seen.append(self.deadline - end + MAX_LINGERING_SECONDS)

    monkeypatch.setattr(_server_connection.HTTP1ServerConnection, "data_received", watched)
    async with serving(application(), max_body_size=10) as server:
        monkeypatch.setattr(_lingering_close, "monotonic", lambda: 1000.0)
        peer = await server.connect()
        peer.send(HEAD)
        assert (await peer.response()).code == 413
        monkeypatch.setattr(_lingering_close, "monotonic", lambda: 1000.0 + elapsed)
        peer.send(b"later")
        while not seen:
            await asyncio.sleep(0)
        assert seen == [deadline]


class Early(web.RequestHandler):
    """Sends a long response before the body arrives."""

    _stream_request_body = True

    def prepare(self) -> None:
        self.finish(bytes(20_000_000))


async def closing(server: Server, peer: Any) -> Any:
    """Return the server's connection when it has paused reading while the response is pending."""
    while True:
        for connection in server.connections:
            if connection.state is ConnectionState.CLOSING and is_paused(connection.stream):
                return connection
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        ("Content-Length: 10000000000", 3_000_000),
        ("Transfer-Encoding: chunked", 3_000_000),
        ("Content-Length: 100000", 3_000_000),
        ("Content-Length: 5", 5),
    ],
)
async def test_input_is_limited_while_response_is_pending(monkeypatch, framing, sent):
    monkeypatch.setattr(_lingering_close, "_MAX_BYTES", 1_000_000)
    taken = 0
    receive = _server_connection.HTTP1ServerConnection.data_received

    def counted(self: Any, data: bytes) -> None:
        nonlocal taken
        taken += len(data)
        receive(self, data)

    monkeypatch.setattr(_server_connection.HTTP1ServerConnection, "data_received", counted)
    async with serving(web.Application([("/", Early)])) as server:
        peer = await server.connect()
        peer.get("/", framing, method="POST")
        while not taken:
            await asyncio.sleep(0)
        head, taken = taken, 0
        peer.send(bytes(sent))
        connection = await closing(server, peer)
        announced = int(framing.partition("h: ")[2] or 10**9) if "Length" in framing else 10**9
        assert taken <= min(1_000_000, announced) + len(PIECE)
        assert connection.stream.pending_output
        assert head
        if announced == sent:
            assert len((await peer.response()).body) == 20_000_000


@pytest.mark.parametrize("size", [20, 200_000])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_end_of_rejected_chunked_body_closes_connection(monkeypatch, tls, size, apart, streamed):
    """The last chunk ends the lingering close, so the connection is closed before the timeout."""
    monkeypatch.setattr(_lingering_close, "_MAX_PAUSE", 1000.0)
    monkeypatch.setattr(_lingering_close, "_MAX_SECONDS", 1000.0)

    def refuse(self: Any) -> None:
        raise web.HTTPError(413)

    members = {"_stream_request_body": True, "prepare": refuse} if streamed else {}
    max_body_size = None if streamed else 10
    async with serving(
        web.Application([("/", handler_of(**members))]), tls=tls, max_body_size=max_body_size
    ) as server:
        peer = await server.connect()
        peer.get("/", "Transfer-Encoding: chunked", method="POST")
        peer.send(b"%x\r\n%b\r\n" % (size, bytes(size)))
        if apart:
            response = await peer.response()
            peer.send(b"0\r\n\r\n")
        else:
            peer.send(b"0\r\n\r\n")
            response = await peer.response()
        assert response.code == 413
        assert await peer.rest() == b""


async def test_no_lingering_after_half_close_by_client(monkeypatch):
    """The client half-closed while the response was being sent, so no more input can follow."""
    async with serving(web.Application([("/", Early)])) as server:
        peer = await server.connect()
        peer.get("/", "Content-Length: 10000000", method="POST")
        peer.send(PIECE)
        while not server.connections:
            await asyncio.sleep(0)
        (connection,) = server.connections
        while connection.state is not ConnectionState.CLOSING:
            await asyncio.sleep(0)
        peer.writer.write_eof()
        while not connection.has_eof:
            await asyncio.sleep(0)
        assert len((await peer.response()).body) == 20_000_000
        while connection.state is ConnectionState.CLOSING:
            await asyncio.sleep(0)
        assert connection.state is ConnectionState.CLOSED
