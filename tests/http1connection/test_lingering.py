"""A client that is still sending when its answer has been written: how long it is listened to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.server import Server, handler_of, serving
from tornado import web
from tornado.http1connection import _server

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
PIECE = bytes(65536)


def application() -> web.Application:
    return web.Application([("/", handler_of(max_body_size=10))])


def send(server: Server, pieces: int) -> bytes:
    """Send the head and so many pieces of the body, then read; the answer, or nothing after a reset."""
    with server.dial() as sock:
        try:
            sock.sendall(HEAD)
            for _ in range(pieces):
                sock.sendall(PIECE)
            return sock.recv(65536)
        except OSError:
            return b""


async def test_many_megabytes_are_thrown_away(tls):
    async with serving(application(), tls=tls) as server:
        answer = await asyncio.to_thread(send, server, 100)
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_not_without_end(monkeypatch):
    monkeypatch.setattr(_server, "_LINGER_BYTES", 1_000_000)
    async with serving(application()) as server:
        assert await asyncio.to_thread(send, server, 1000) == b""


@pytest.mark.parametrize(
    ("elapsed", "deadline"),
    [(0.0, _server._LINGER_PAUSE), (_server._LINGER_SECONDS - 0.5, _server._LINGER_SECONDS)],
)
async def test_each_piece_moves_the_deadline_up_to_the_last(monkeypatch, elapsed, deadline):
    seen: list[Any] = []
    receive = _server.HTTP1ServerConnection.data_received

    def watched(self: Any, data: bytes) -> None:
        receive(self, data)
        if self._state is _server._State.LINGERING and data == b"later":
            seen.append(self._deadline - self._linger_end + _server._LINGER_SECONDS)

    monkeypatch.setattr(_server.HTTP1ServerConnection, "data_received", watched)
    async with serving(application()) as server:
        monkeypatch.setattr(_server, "monotonic", lambda: 1000.0)
        peer = await server.connect()
        peer.send(HEAD)
        assert (await peer.response()).code == 413
        monkeypatch.setattr(_server, "monotonic", lambda: 1000.0 + elapsed)
        peer.send(b"later")
        while not seen:
            await asyncio.sleep(0)
        assert seen == [deadline]
