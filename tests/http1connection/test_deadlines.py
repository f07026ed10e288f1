"""Deadlines of a server's connections, tested with a fake clock shortly before and after they pass."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.http1connection import reset_log_limit, use_clock, waits_for_output
from tests.support.server import Peer, Server, serving
from tornado import web
from tornado.iostream._file_segment import FileSegment

POST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
RATES = {"min_body_rate": 100, "min_send_rate": 100, "rate_window": 10}


@pytest.fixture(autouse=True)
def timed(clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Use the fake clock for all of the server's deadlines, and capture its log lines."""
    use_clock(monkeypatch, clock)
    reset_log_limit(monkeypatch)
    caplog.set_level(logging.INFO, "tornado.general")


class Echo(web.RequestHandler):
    """Responds with the size of the request body."""

    def get(self) -> None:
        self.write("ok")

    def post(self) -> None:
        self.write(str(len(self.request.body)))


@web.stream_request_body
class Slow(web.RequestHandler):
    """Reads its streamed body after the gate is open."""

    gate: asyncio.Event

    async def data_received(self, chunk: bytes) -> None:
        await self.gate.wait()

    def post(self) -> None:
        self.write("taken")


class Waits(web.RequestHandler):
    """Responds after the gate is open."""

    gate: asyncio.Event

    async def get(self) -> None:
        await self.gate.wait()


class Once(web.RequestHandler):
    """Writes a response that exceeds the kernel's buffers without waiting, and finishes after an await."""

    async def get(self, size: str) -> None:
        self.set_header("Content-Length", size)
        self.write(bytes(int(size)))
        _ = self.flush()
        await asyncio.sleep(0)


class OnceSync(web.RequestHandler):
    """Like `Once`, but without an await."""

    def get(self, size: str) -> None:
        self.set_header("Content-Length", size)
        self.write(bytes(int(size)))
        _ = self.flush()


class Large(web.RequestHandler):
    """Sends more data than fits in the kernel's buffers."""

    async def get(self) -> None:
        for _ in range(400):
            self.write(bytes(100_000))
            try:
                await self.flush()
            except web.iostream.StreamClosedError:
                self._finished = True
                return


def application() -> web.Application:
    gate = asyncio.Event()
    slow = type("Slow", (Slow,), {"gate": gate})
    waits = type("Waits", (Waits,), {"gate": gate})
    routes: list[Any] = [("/slow", slow), ("/large", Large), ("/", Echo), ("/wait", waits)]
    app = web.Application([*routes, ("/once/([0-9]+)", Once), ("/atonce/([0-9]+)", OnceSync)])
    app.gate = gate  # type: ignore[attr-defined]
    return app


async def arrived() -> None:
    """Let the server process what was sent, without advancing the clock."""
    for _ in range(20):
        await asyncio.sleep(0)


def is_open(server: Server) -> bool:
    return bool(server.connections)


async def small_peer(server: Server) -> Peer:
    """Connect a client with a small receive buffer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, server.address)
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    peer = Peer(reader, writer)
    server._peers.append(peer)
    return peer


async def stalled_output_expires(server: Server, seconds: float) -> None:
    """Wait until the connection, whose client does not read, is closed.

    :param seconds: the time until then, if the kernel accepts no more output. On a busy machine it may accept
        some later, because it moves data between sockets in real time, and the deadline is postponed.
    """
    for _ in range(4):
        await asyncio.sleep(seconds)
        if not is_open(server):
            return
    raise AssertionError(f"the connection is open after {4 * seconds} s")


# -- silence --


@pytest.mark.parametrize("after", ["", "GET", "POST"])
async def test_idle_connection_is_closed_after_idle_timeout(
    clock: FakeClock, tls: Any, after: str, caplog: Any
) -> None:
    async with serving(application(), tls=tls, idle_connection_timeout=100) as server:
        peer = await server.connect()
        if after:
            await peer.fetch("/", method=after, body=b"x" if after == "POST" else None)
        await arrived()
        await asyncio.sleep(99)
        assert is_open(server)
        await asyncio.sleep(2)
        assert not is_open(server)
    assert caplog.messages == []


async def test_incomplete_tls_handshake_is_closed_after_timeout(
    clock: FakeClock, certificates: Any, caplog: Any
) -> None:
    async with serving(application(), tls=certificates, tls_handshake_timeout=10) as server:
        with socket.create_connection(server.address) as sock:
            while not is_open(server):
                await asyncio.sleep(0)
            sock.send(b"\x16\x03\x01")
            await asyncio.sleep(9.9)
            assert is_open(server)
            await asyncio.sleep(0.2)
            assert not is_open(server)
    assert "tls_handshake_timeout (10 s)" in caplog.text


async def test_idle_timeout_applies_after_tls_handshake(clock: FakeClock, certificates: Any) -> None:
    async with serving(application(), tls=certificates, tls_handshake_timeout=10) as server:
        peer = await server.connect()
        await asyncio.sleep(3590)
        assert (await peer.fetch("/")).code == 200
        await asyncio.sleep(3590)
        assert (await peer.fetch("/")).code == 200
        await asyncio.sleep(3700)
        assert not is_open(server)


async def test_head_begun_before_handshake_deadline_has_header_timeout(
    clock: FakeClock, certificates: Any, caplog: Any
) -> None:
    options = {"tls_handshake_timeout": 10, "header_timeout": 20}
    async with serving(application(), tls=certificates, **options) as server:
        peer = await server.connect()
        peer.send("GET /")
        await arrived()
        await asyncio.sleep(19)
        assert is_open(server)
        await asyncio.sleep(3)
        assert not is_open(server)
    assert "header_timeout (20 s)" in caplog.text


# -- heads --


async def test_slow_head_is_closed_after_header_timeout(clock: FakeClock, tls: Any, caplog: Any) -> None:
    async with serving(application(), tls=tls, header_timeout=10) as server:
        peer = await server.connect()
        peer.send("GET / HTTP/1.1\r\n")
        await arrived()
        for _ in range(9):
            await asyncio.sleep(1)
            peer.send("A: b\r\n")
        await arrived()
        assert is_open(server)
        await asyncio.sleep(2)
        assert not is_open(server)
    (line,) = caplog.messages
    assert line == "Timeout reading head from 127.0.0.1: not complete within header_timeout (10 s)"


async def test_head_within_header_timeout_is_answered(clock: FakeClock, tls: Any) -> None:
    async with serving(application(), tls=tls, header_timeout=10) as server:
        peer = await server.connect()
        for _ in range(3):
            peer.send("GET / HTTP/1.1\r\nHost: x\r\n")
            await arrived()
            await asyncio.sleep(9)
            peer.send("\r\n")
            await arrived()
            assert (await peer.response()).code == 200


async def test_header_timeout_applies_by_default(clock: FakeClock) -> None:
    async with serving(application()) as server:
        peer = await server.connect()
        peer.send("GET /")
        await arrived()
        await asyncio.sleep(55)
        assert is_open(server)
        await asyncio.sleep(10)
        assert not is_open(server)


# -- bodies --


async def test_body_above_minimum_rate_is_accepted(clock: FakeClock, tls: Any) -> None:
    async with serving(application(), tls=tls, **RATES) as server:
        peer = await server.connect()
        peer.send(POST)
        await arrived()
        for _ in range(100):
            peer.send(bytes(1000))
            await arrived()
            await asyncio.sleep(9.5)
        assert (await peer.response()).body == b"100000"
        await asyncio.sleep(60)
        assert is_open(server)


async def test_body_below_minimum_rate_closes_connection(clock: FakeClock, tls: Any, caplog: Any) -> None:
    async with serving(application(), tls=tls, **RATES) as server:
        peer = await server.connect()
        peer.send(POST)
        await arrived()
        peer.send(bytes(5000))
        for _ in range(9):
            await arrived()
            await asyncio.sleep(1)
        assert is_open(server)
        for _ in range(12):
            peer.send(bytes(98))
            await arrived()
            await asyncio.sleep(1)
        assert not is_open(server)
    assert "slower than min_body_rate (100 bytes/s over 10 s)" in caplog.text


async def test_stalled_body_closes_connection(clock: FakeClock) -> None:
    async with serving(application(), protection="public") as server:
        peer = await server.connect()
        peer.send(POST)
        await arrived()
        await asyncio.sleep(18)
        assert is_open(server)
        await asyncio.sleep(4)
        assert not is_open(server)


async def test_time_paused_by_handler_does_not_count(clock: FakeClock) -> None:
    app = application()
    async with serving(app, **RATES) as server:
        peer = await server.connect()
        peer.send(POST.replace("/ ", "/slow ") + "x" * 1000)
        await arrived()
        await asyncio.sleep(1000)
        assert is_open(server)
        app.gate.set()  # type: ignore[attr-defined]
        await arrived()
        peer.send(bytes(99_000))
        assert (await peer.response()).body == b"taken"


async def test_body_timeout_applies_in_addition_to_rate(clock: FakeClock, caplog: Any) -> None:
    async with serving(application(), body_timeout=25, **RATES) as server:
        peer = await server.connect()
        peer.send(POST)
        await arrived()
        for _ in range(24):
            peer.send(bytes(1000))
            await arrived()
            await asyncio.sleep(1)
        assert is_open(server)
        await asyncio.sleep(2)
        assert not is_open(server)
    assert "not complete within body_timeout" in caplog.text


async def test_idle_timeout_applies_after_request_with_body(clock: FakeClock) -> None:
    async with serving(application(), idle_connection_timeout=30, **RATES) as server:
        peer = await server.connect()
        peer.send(POST)
        await arrived()
        peer.send(bytes(100_000))
        assert (await peer.response()).code == 200
        await asyncio.sleep(28)
        assert is_open(server)
        await asyncio.sleep(6)
        assert not is_open(server)


# -- responses --


async def test_client_that_does_not_read_is_reset(clock: FakeClock, caplog: Any) -> None:
    async with serving(application(), **RATES) as server:
        peer = await small_peer(server)
        peer.get("/large")
        await arrived()
        await asyncio.sleep(9)
        assert is_open(server)
        await stalled_output_expires(server, 12)
        with pytest.raises(ConnectionResetError):
            while await peer.reader.read(65536):
                pass
    assert "Timeout writing to 127.0.0.1: slower than min_send_rate" in caplog.text


async def test_client_above_minimum_send_rate_stays_connected(clock: FakeClock) -> None:
    async with serving(application(), **RATES) as server:
        peer = await small_peer(server)
        peer.get("/large")
        await arrived()
        for _ in range(20):
            for _ in range(100):
                await peer.reader.read(10_000)
            await arrived()
            await asyncio.sleep(9)
        assert is_open(server)


async def test_running_handler_has_no_send_timeout_without_rate(clock: FakeClock) -> None:
    async with serving(application()) as server:
        peer = await small_peer(server)
        peer.get("/large")
        await arrived()
        await asyncio.sleep(10_000)
        assert is_open(server)


async def test_finished_response_that_is_not_read_times_out(clock: FakeClock) -> None:
    """The deadline is the idle timeout, or the end of the rate window if a minimum rate is set."""

    class Whole(web.RequestHandler):
        def get(self) -> None:
            self.write(bytes(40_000_000))

    app = web.Application([("/", Whole)])
    for options, seconds in (({"idle_connection_timeout": 100}, 100), (RATES, 10)):
        async with serving(app, **options) as server:  # type: ignore[arg-type]
            peer = await small_peer(server)
            peer.get("/")
            await arrived()
            await asyncio.sleep(seconds * 0.9)
            assert is_open(server)
            await stalled_output_expires(server, seconds * 1.2)


async def test_output_deadline_applies_while_body_without_timeout_is_unread(clock: FakeClock) -> None:
    @web.stream_request_body
    class Responds(web.RequestHandler):
        async def prepare(self) -> None:
            connection: Any = self.request.connection
            self.write(bytes(40_000_000))
            connection.driver.await_output()  # as for a file
            await self.flush()

        def data_received(self, chunk: bytes) -> None:
            raise AssertionError("the body is not read before the response has been received")

    async with serving(web.Application([("/", Responds)]), idle_connection_timeout=100) as server:
        peer = await small_peer(server)
        peer.send(POST)
        await arrived()
        await asyncio.sleep(90)
        assert is_open(server)
        await asyncio.sleep(150)
        assert not is_open(server)


@web.stream_request_body
class SendsFile(web.RequestHandler):
    """Sends a file that exceeds the kernel's buffers before, or while, the request's body is received."""

    path: str
    waits: bool

    async def prepare(self) -> None:
        connection: Any = self.request.connection
        self.set_header("Content-Length", os.path.getsize(self.path))
        await self.flush()
        segment = FileSegment(os.open(self.path, os.O_RDONLY), 0, os.path.getsize(self.path))
        self.sent = connection.write_file(segment)
        if self.waits:
            await asyncio.wait([self.sent])

    def data_received(self, chunk: bytes) -> None:
        pass

    async def post(self) -> None:
        await asyncio.wait([self.sent])
        self._finished = True


@pytest.fixture
def sends_file(tmp_path: Any) -> Callable[[bool], web.Application]:
    """Return a function that creates an application whose handler sends a file.

    Its argument is whether the handler waits until the file has been sent before it receives the body.
    """
    file = tmp_path / "file"
    with open(file, "wb") as output:
        output.truncate(40_000_000)

    def make(waits: bool) -> web.Application:
        return web.Application([("/", type("Sends", (SendsFile,), {"path": str(file), "waits": waits}))])

    return make


async def receive(server: Server, peer: Peer, position: int) -> int:
    """Read from the peer until the server can send more; return the new position of the server's stream."""
    (connection,) = server.connections
    while connection.stream.output_position == position:
        await peer.reader.readexactly(10_000)
        await asyncio.sleep(0)
    return int(connection.stream.output_position)


async def test_file_that_makes_progress_is_not_cut_off_by_body_timeout_of_unread_body(
    clock: FakeClock, sends_file: Any, caplog: Any
) -> None:
    limits = {"idle_connection_timeout": 100, "body_timeout": 1000}
    async with serving(sends_file(True), **limits) as server:
        peer = await small_peer(server)
        peer.send(POST)
        await arrived()
        position = 0
        for _ in range(6):
            await asyncio.sleep(60)
            position = await receive(server, peer, position)
        assert is_open(server)
        await stalled_output_expires(server, 230)
    assert "body_timeout" not in caplog.text


async def test_body_timeout_applies_while_file_is_sent(
    clock: FakeClock, sends_file: Any, caplog: Any
) -> None:
    async with serving(sends_file(False), idle_connection_timeout=100, body_timeout=50) as server:
        peer = await small_peer(server)
        peer.send(POST)
        await arrived()
        await asyncio.sleep(45)
        assert is_open(server)
        await asyncio.sleep(15)
        assert not is_open(server)
    assert "not complete within body_timeout (50 s)" in caplog.text


@pytest.mark.parametrize("body_timeout", [50, 500, None])
async def test_stalled_file_times_out_although_body_is_complete(
    clock: FakeClock, sends_file: Any, caplog: Any, body_timeout: float | None
) -> None:
    limits = {"idle_connection_timeout": 100, "body_timeout": body_timeout}
    async with serving(sends_file(False), **limits) as server:
        peer = await small_peer(server)
        peer.send(POST)
        await arrived()
        await asyncio.sleep(40)
        peer.send(bytes(100_000))
        await arrived()
        await asyncio.sleep(50)
        assert is_open(server)
        await stalled_output_expires(server, 230)
    assert "body_timeout" not in caplog.text


@pytest.mark.parametrize("path", ["/once", "/atonce"])
async def test_minimum_send_rate_applies_after_handler_finished(
    clock: FakeClock, path: str, caplog: Any
) -> None:
    async with serving(application(), **RATES) as server:
        peer = await small_peer(server)
        peer.get(f"{path}/20000000")
        await arrived()
        (connection,) = server.connections
        assert connection.exchange is None
        await stalled_output_expires(server, 25)
        assert "slower than min_send_rate (100 bytes/s over 10 s)" in caplog.text


# -- a head that begins while output is pending --


async def half_sent(server: Server, peer: Peer, size: int) -> Any:
    """Request `size` bytes, which exceed the buffers, and begin another request."""
    assert (await peer.fetch("/")).code == 200
    (connection,) = server.connections
    connection.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    peer.get(f"/once/{size}")
    await arrived()
    assert connection.stream.pending_output
    peer.send("G")
    await arrived()
    return connection


@pytest.mark.parametrize("rates", [RATES, {}])
async def test_header_timeout_applies_to_head_begun_during_previous_response(
    clock: FakeClock, rates: Any, caplog: Any
) -> None:
    async with serving(application(), header_timeout=60, **rates) as server:
        peer = await small_peer(server)
        connection = await half_sent(server, peer, 150_000)
        assert len((await peer.response()).body) == 150_000
        await arrived()
        assert not connection.stream.pending_output
        await asyncio.sleep(50)
        assert is_open(server)
        await asyncio.sleep(20)
        assert not is_open(server)
        assert "not complete within header_timeout (60 s)" in caplog.text


@pytest.mark.parametrize("rates", [{**RATES, "min_send_rate": 1}, {}])
async def test_header_timeout_applies_while_previous_response_is_read(
    clock: FakeClock, rates: Any, caplog: Any
) -> None:
    """Reading the previous response slowly does not extend the time for the next head."""
    async with serving(application(), header_timeout=30, idle_connection_timeout=20, **rates) as server:
        peer = await small_peer(server)
        connection = await half_sent(server, peer, 150_000)
        for _ in range(5):
            await asyncio.sleep(5)
            assert is_open(server)
            await peer.reader.read(5000)
        assert connection.stream.pending_output
        await asyncio.sleep(8)
        assert not is_open(server)
        assert "not complete within header_timeout (30 s)" in caplog.text


async def test_header_timeout_applies_to_head_after_empty_line(clock: FakeClock, caplog: Any) -> None:
    async with serving(application(), header_timeout=10, idle_connection_timeout=1000) as server:
        peer = await server.connect()
        for piece in ("\r", "\n", "G"):
            peer.send(piece)
            await arrived()
        await asyncio.sleep(12)
        assert not is_open(server)
        assert "not complete within header_timeout (10 s)" in caplog.text


# -- pipelines --

GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(("count", "answers"), [(11, 11), (12, 11), (500, 11)])
async def test_connection_closes_after_max_pipelined_requests(
    clock: FakeClock, tls: Any, count: int, answers: int, caplog: Any
) -> None:
    async with serving(application(), tls=tls, max_pipelined_requests=10) as server:
        peer = await server.connect()
        peer.send(GET * count)
        for _ in range(answers):
            assert (await peer.response()).code == 200
        if count > answers:
            assert await peer.rest() == b""
            assert "more than max_pipelined_requests (10)" in caplog.text
        else:
            assert (await peer.fetch("/")).code == 200


@pytest.mark.parametrize("size", [4, 5000])
async def test_last_response_at_pipelining_limit_has_connection_close(clock: FakeClock, size: int) -> None:
    async with serving(application(), max_pipelined_requests=3) as server:
        peer = await server.connect()
        peer.send(GET * size)
        said = [(await peer.response()).get("connection") for _ in range(4)]
        assert said == [None, None, None, "close"] if size > 4 else [None] * 4


async def test_request_pipelined_during_last_allowed_one_is_answered_with_close(clock: FakeClock) -> None:
    """The last allowed request began before the next one arrived."""
    app = application()
    async with serving(app, max_pipelined_requests=1) as server:
        peer = await server.connect()
        peer.send(GET + "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await peer.response()).get("connection") is None
        peer.send(GET * 2)
        await arrived()
        app.gate.set()  # type: ignore[attr-defined]
        assert [(await peer.response()).get("connection") for _ in range(2)] == [None, "close"]
        assert await peer.rest() == b""


async def test_pipelining_count_restarts_when_no_request_waits(clock: FakeClock) -> None:
    async with serving(application(), max_pipelined_requests=2) as server:
        peer = await server.connect()
        for _ in range(20):
            peer.send(GET * 2)
            for _ in range(2):
                assert (await peer.response()).get("connection") is None
        for _ in range(20):  # also if one of the requests has a body
            peer.send(GET + "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
            for _ in range(2):
                assert (await peer.response()).get("connection") is None


async def test_sequential_requests_are_not_counted_as_pipelined(clock: FakeClock) -> None:
    async with serving(application(), max_pipelined_requests=1) as server:
        peer = await server.connect()
        for _ in range(20):
            assert (await peer.fetch("/")).code == 200
            assert (await peer.fetch("/", method="POST", body=b"x")).code == 200


async def test_pipelining_client_that_does_not_read_times_out(clock: FakeClock) -> None:
    async with serving(application(), idle_connection_timeout=100) as server:
        peer = await small_peer(server)
        peer.writer.transport.set_write_buffer_limits(0)  # type: ignore[union-attr]
        for _ in range(400):
            peer.send(GET * 100)
            await asyncio.sleep(0)
        await arrived()
        while not waits_for_output(next(iter(server.connections))):
            peer.send(GET * 1000)
            await asyncio.sleep(0)
        await asyncio.sleep(220)
        assert not is_open(server)


async def test_default_header_and_idle_timeouts(clock: FakeClock) -> None:
    """By default, a head must arrive within a minute of its first byte, and a connection may be idle for an
    hour.
    """
    async with serving(application()) as server:
        peer = await server.connect()
        peer.send("GET / HTTP/1.1\r\n")
        for _ in range(11):
            await arrived()
            await asyncio.sleep(5)
            peer.send("A: b\r\n")
        await arrived()
        assert is_open(server)
        await asyncio.sleep(12)
        assert not is_open(server)
        await server.connect()
        await arrived()
        await asyncio.sleep(3590)
        assert is_open(server)
        await asyncio.sleep(400)
        assert not is_open(server)
