"""One exchange: fair sharing of writes, the Connection field, and CONNECT."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from tests.support.server import serving
from tornado import web
from tornado._loop import time_sliced_queue as _time_sliced_queue
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters, _exchange
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine

CLIENTS, PIECES = 30, 10


class Long(web.RequestHandler):
    """Writes several pieces and records in which event loop iteration it was resumed after each."""

    def initialize(self, iterations: list[int], resumed: list[int], barrier: asyncio.Barrier) -> None:
        self.iterations, self.resumed, self.barrier = iterations, resumed, barrier

    async def get(self) -> None:
        await self.barrier.wait()
        for _ in range(PIECES):
            self.write(bytes(100))
            await self.flush()
            self.resumed.append(self.iterations[0])


@pytest.mark.parametrize(("seconds", "max_resumed"), [(0.0, CLIENTS), (1.0, 1)])
async def test_writers_are_resumed_in_batches(
    monkeypatch: pytest.MonkeyPatch, seconds: float, max_resumed: int
) -> None:
    """An iteration resumes at least one writer, and more only until its time is used up."""
    monkeypatch.setattr(_exchange, "FAIR_SHARE", 50)
    monkeypatch.setattr(_exchange, "_MIN_SHARE", 50)
    clock = itertools.count(0.0, seconds)
    monkeypatch.setattr(_time_sliced_queue, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    iterations: list[int] = [0]
    resumed: list[int] = []
    settings: dict[str, Any] = {
        "iterations": iterations,
        "resumed": resumed,
        "barrier": asyncio.Barrier(CLIENTS),
    }
    loop = asyncio.get_running_loop()

    def count() -> None:
        iterations[0] += 1
        handle[0] = loop.call_soon(count)

    handle = [loop.call_soon(count)]
    async with serving(web.Application([("/", Long, settings)])) as server:
        peers = [await server.connect() for _ in range(CLIENTS)]
        for peer in peers:
            peer.get("/")
        answers = await asyncio.gather(*(peer.response() for peer in peers))
    handle[0].cancel()
    assert all(answer.body == bytes(100 * PIECES) for answer in answers)
    per_iteration = [resumed.count(iteration) for iteration in sorted(set(resumed))]
    assert sum(per_iteration) == CLIENTS * PIECES
    # If iterations are fast, the batches grow. If they are slow, the first batches are still large.
    assert max(per_iteration[5:]) <= max_resumed
    assert (max(per_iteration) > 8) == (max_resumed > 8)


# -- the Connection field --


class WithConnectionHeader(web.RequestHandler):
    """Sets the Connection field and finishes its response before the body arrives."""

    def prepare(self) -> None:
        self.set_header("Connection", self.get_query_argument("value", "keep-alive"))
        self.set_header("Content-Length", "2")
        self.finish("ok")


async def test_keep_alive_of_program_is_replaced_if_connection_closes() -> None:
    """The connection is closed if the response is complete before the request (RFC 9112 section 9.6)."""
    streaming = web.stream_request_body(WithConnectionHeader)
    async with serving(web.Application([("/", streaming)])) as server:
        peer = await server.connect()
        peer.get("/")
        assert (await peer.response()).get_all("connection") == ["keep-alive"]
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        assert (await peer.response()).get_all("connection") == ["close"]
        assert await peer.rest() == b""


@pytest.mark.parametrize(
    ("version", "value", "said", "closed"),
    [
        ("1.1", "keep-alive", ["keep-alive"], False),
        ("1.1", "x, Close", ["x, Close"], True),
        ("1.0", "keep-alive", ["close"], True),
        ("1.1", "x-close", ["x-close"], False),
    ],
)
async def test_connection_field_set_by_program(
    version: str, value: str, said: list[str], closed: bool
) -> None:
    async with serving(web.Application([("/", WithConnectionHeader)])) as server:
        peer = await server.connect()
        answer = await peer.fetch(f"/?value={value.replace(' ', '%20')}", version=f"HTTP/{version}")
        assert answer.get_all("connection") == said
        if closed:
            assert await peer.rest() == b""
        else:
            assert (await peer.fetch("/")).code == 200


# -- CONNECT (RFC 9110 section 9.3.6) --


class Proxy(web.RequestHandler):
    """Responds to CONNECT with the requested status code."""

    SUPPORTED_METHODS = (*web.RequestHandler.SUPPORTED_METHODS, "CONNECT")

    def connect(self) -> None:
        self.set_status(int(self.request.headers["Code"]))
        self.write("through")


class Framed(Proxy):
    """Like `Proxy`, with framing and connection fields."""

    def connect(self) -> None:
        self.set_header("Content-Length", "7")
        self.set_header("Connection", "keep-alive")
        super().connect()


class Flushing(Proxy):
    """Like `Proxy`, but flushes the response in pieces."""

    async def connect(self) -> None:
        self.set_status(int(self.request.headers["Code"]))
        for piece in ("thr", "ough"):
            self.write(piece)
            await self.flush()


def connecting(request: HTTPServerRequest) -> None:
    """Respond like `Proxy`, as a callable without the web framework."""
    connection: Any = request.connection
    line = ResponseStartLine("HTTP/1.1", int(request.headers["Code"]), "Yes")
    connection.write_headers(line, HTTPHeaders({"Transfer-Encoding": "chunked"}), b"thr")
    connection.write(b"ough")
    connection.finish()


def tunnels(handler: Any) -> Any:
    return web.Application([(".*", handler)])


@pytest.mark.parametrize("code", [200, 299])
@pytest.mark.parametrize("program", [tunnels(Proxy), tunnels(Framed), tunnels(Flushing), connecting])
async def test_successful_connect_has_no_framing_and_closes(program: Any, code: int) -> None:
    async with serving(program) as server:
        peer = await server.connect()
        peer.send(f"CONNECT b:99 HTTP/1.1\r\nHost: b:99\r\nCode: {code}\r\n\r\n")
        head, _, tunnel = (await peer.rest()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % code)
        assert b"content-length" not in head.lower()
        assert b"transfer-encoding" not in head.lower()
        assert tunnel == b"through"


async def test_rejected_connect_keeps_connection() -> None:
    async with serving(tunnels(Proxy)) as server:
        peer = await server.connect()
        for code in (407, 302):
            peer.send(f"CONNECT b:99 HTTP/1.1\r\nHost: b:99\r\nCode: {code}\r\n\r\n")
            answer = await peer.response()
            assert (answer.code, answer.body, answer.get("connection")) == (code, b"through", None)


def test_server_side_exchange_without_a_server_can_be_finished():
    stream: Any = SimpleNamespace(closed=lambda: False)
    exchange = _exchange.HTTP1Connection(stream, False)
    exchange.finish()
    exchange.finish()
    assert exchange.write_done


def test_limits_are_shown_under_the_names_of_tornado() -> None:
    params = HTTP1ConnectionParameters(max_body_size=5)
    connection: Any = HTTP1Connection(mock.Mock(), False, params)
    assert (connection._max_body_size, connection._body_timeout) == (5, None)
    connection.set_max_body_size(7)
    connection.set_body_timeout(2.5)
    assert (connection._max_body_size, connection._body_timeout) == (7, 2.5)
    connection._max_body_size, connection._body_timeout = 8, None
    assert (connection.max_body_size, connection.body_timeout) == (8, None)
