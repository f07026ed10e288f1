"""The end of connections: close callbacks that raise, and responses without a body."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.http1connection import use_clock
from tests.support.server import ExpectLog, Server, serving
from tornado.http1connection import HTTP1Connection
from tornado.http1connection._states import ExchangeState
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    ResponseStartLine,
)
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart"


class Unusual(BaseException):
    """An exception derived from BaseException instead of Exception, like `asyncio.CancelledError`."""


FAULTS = pytest.mark.parametrize("fault", [ValueError, asyncio.CancelledError, Unusual])


def callback_raising(fault: type[BaseException]) -> Callable[..., Any]:
    """Return a callback that raises `fault`; CancelledError is raised by ``result()`` of a cancelled
    Future.
    """

    def callback(*args: Any) -> None:
        if fault is not asyncio.CancelledError:
            raise fault
        cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        cancelled.cancel()
        cancelled.result()

    return callback


@pytest.fixture
def timed(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the fake clock for the server's deadlines."""
    use_clock(monkeypatch, clock)


class Waiting(HTTPMessageDelegate):
    """A delegate that does not respond and whose `on_connection_close` raises."""

    def __init__(self, fault: type[BaseException]) -> None:
        self.on_connection_close = callback_raising(fault)  # type: ignore[method-assign]


class Closing(HTTPServerConnectionDelegate):
    """A server delegate that counts closed connections."""

    def __init__(self, make: Callable[[Any], HTTPMessageDelegate]) -> None:
        self.make = make
        self.closed = 0

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        return self.make(request_conn)

    def on_close(self, server_conn: object) -> None:
        self.closed += 1


async def connected(server: Server, count: int, data: bytes) -> None:
    """Open connections and wait until a request is being served on each."""
    for _ in range(count):
        (await server.connect()).send(data)
    while sum(each.exchange is not None for each in server.connections) < count:
        await asyncio.sleep(0)


@FAULTS
async def test_errors_in_close_callbacks_do_not_affect_other_deadlines(
    timed: None, tls: Any, fault: type[BaseException], expect_log: ExpectLog
) -> None:
    delegate = Closing(lambda connection: Waiting(fault))
    async with serving(delegate, tls=tls, body_timeout=10) as server:
        await connected(server, 8, POST)
        with expect_log("tornado.application", "Uncaught exception in a close callback") as expected:
            await asyncio.sleep(12)
            while server.connections:
                await asyncio.sleep(0)
        assert len(expected.records) == 8
        assert delegate.closed == 8
        assert not server.connections


@FAULTS
async def test_close_all_connections_closes_all_of_them(
    loop_kind: str, fault: type[BaseException], expect_log: ExpectLog
) -> None:
    delegate = Closing(lambda connection: Waiting(fault))
    async with serving(delegate) as server:
        await connected(server, 3, POST)
        with expect_log("tornado.application", "Uncaught exception in a close callback"):
            await server.server.close_all_connections()
        assert delegate.closed == 3
        assert not server.connections


@FAULTS
async def test_an_error_in_on_close_does_not_stop_close_all_connections(
    fault: type[BaseException], expect_log: ExpectLog
) -> None:
    delegate = Closing(lambda connection: HTTPMessageDelegate())
    delegate.on_close = callback_raising(fault)  # type: ignore[method-assign]
    async with serving(delegate) as server:
        await connected(server, 3, POST)
        with expect_log("tornado.application", "Uncaught exception in a close callback") as expected:
            await server.server.close_all_connections()
        assert len(expected.records) == 3


@FAULTS
async def test_error_in_on_connection_close_of_handler_is_logged(
    loop_kind: str, tls: Any, fault: type[BaseException], expect_log: ExpectLog
) -> None:
    class Handler(RequestHandler):
        async def get(self) -> None:
            await asyncio.Event().wait()

        on_connection_close = callback_raising(fault)

    application = Application([("/", Handler)], cancel_on_disconnect=True)
    async with serving(application, tls=tls) as server:
        await connected(server, 1, REQUEST)
        with expect_log("tornado.application", "Uncaught exception in a close callback"):
            await server._peers[0].close()
            while server.connections:
                await asyncio.sleep(0)


@FAULTS
async def test_error_in_on_connection_close_after_early_response_is_logged(
    fault: type[BaseException], expect_log: ExpectLog
) -> None:
    class Answering(Waiting):
        def __init__(self, connection: HTTP1Connection) -> None:
            super().__init__(fault)
            self.connection = connection

        def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
            line = ResponseStartLine("HTTP/1.1", 200, "OK")
            _ = self.connection.write_headers(line, HTTPHeaders({"Content-Length": "2"}), b"ok")
            self.connection.finish()

    async with serving(Closing(Answering)) as server:
        peer = await server.connect()
        with expect_log("tornado.application", "Uncaught exception in a close callback"):
            peer.send(POST)
            response = await peer.response()
        assert response.body == b"ok"
        peer.writer.write_eof()
        assert await peer.rest() == b""


@FAULTS
async def test_error_in_pipelined_request_closes_connection(
    loop_kind: str, fault: type[BaseException], expect_log: ExpectLog
) -> None:
    """A pipelined request begins in an event loop callback, where nothing else would handle the exception."""
    first = asyncio.Event()

    class Pipelined(HTTPMessageDelegate):
        def __init__(self, connection: HTTP1Connection) -> None:
            self.connection = connection
            if delegate.requests:
                callback_raising(fault)()
            delegate.requests += 1

        def finish(self) -> Any:
            return self.answer()

        async def answer(self) -> None:
            await first.wait()
            line = ResponseStartLine("HTTP/1.1", 200, "OK")
            _ = self.connection.write_headers(line, HTTPHeaders({"Content-Length": "2"}), b"ok")
            self.connection.finish()

    delegate: Any = Closing(Pipelined)
    delegate.requests = 0
    async with serving(delegate) as server:
        peer = await server.connect()
        peer.send(REQUEST * 2)
        while not delegate.requests:
            await asyncio.sleep(0)
        first.set()
        if fault is asyncio.CancelledError:  # a cancellation is not an error
            assert (await peer.rest()).endswith(b"ok")
        else:
            with expect_log("tornado.application", "Uncaught exception"):
                received = await peer.rest()
            assert received.count(b"HTTP/1.1 500") == (fault is ValueError)
        await peer.close()
        while not delegate.closed:
            await asyncio.sleep(0)


async def test_reset_of_a_client_that_waits_for_100_continue_is_not_logged(loop_kind: str, tls: Any) -> None:
    """Sending 100 Continue fails because of the reset; neither an error nor a traceback is logged."""

    class Handler(RequestHandler):
        def post(self) -> None:
            raise AssertionError("its body is never received")

    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    async with serving(Application([("/", Handler)]), tls=tls) as server:
        client = await asyncio.to_thread(server.dial)
        while len(server.connections) < 1:
            await asyncio.sleep(0)
        [connection] = server.connections
        stream: Any = connection.stream
        while getattr(stream, "_handshaking", False):
            await asyncio.sleep(0)
        sent = stream.socket.send

        class Broken:
            def __getattr__(self, name: str) -> Any:
                return getattr(inner, name)

            def send(self, data: bytes) -> int:
                if data.startswith(b"HTTP/1.1 100"):
                    raise ConnectionResetError(104, "Connection reset by peer")
                return int(sent(data))

        inner, stream.socket = stream.socket, Broken()
        client.sendall(head)
        while server.connections:
            await asyncio.sleep(0)
        client.close()


# -- responses without a body --


def answer(request: HTTPServerRequest, code: int, length: bool, chunk: bytes | None, late: bytes) -> None:
    """Write a response with the methods of the connection."""
    headers = HTTPHeaders({"Content-Length": "6"} if length else {})
    connection: Any = request.connection
    _ = connection.write_headers(ResponseStartLine("HTTP/1.1", code, "Some"), headers, chunk)
    if late:
        _ = connection.write(late)
    connection.finish()


def plain_answer(request: HTTPServerRequest) -> None:
    answer(request, 200, True, b"second", b"")


@pytest.mark.parametrize("length", [False, True])
@pytest.mark.parametrize("moment", ["with the head", "later"])
async def test_body_of_a_204_response_is_discarded(
    loop_kind: str, tls: Any, length: bool, moment: str, expect_log: ExpectLog
) -> None:
    def application(request: HTTPServerRequest) -> None:
        if request.path == "/second":
            plain_answer(request)
        elif moment == "later":
            answer(request, 204, length, None, b"unwanted")
        else:
            answer(request, 204, length, b"unwanted", b"")

    async with serving(application, tls=tls) as server:
        peer = await server.connect()
        with expect_log("tornado.application", r"Discarded 8 bytes written after a 204 response"):
            first = await peer.fetch("/")
        assert first.code == 204
        assert first.get("Content-Length") is None
        assert (await peer.fetch("/second")).body == b"second"


@pytest.mark.parametrize("steps", ["write flush", "flush write", "write flush write flush"])
async def test_body_of_handler_with_status_204_is_discarded(steps: str, expect_log: ExpectLog) -> None:
    class Handler(RequestHandler):
        async def get(self, path: str) -> None:
            if path:
                self.write("second")
                return
            self.set_status(204)
            for step in steps.split():
                if step == "write":
                    self.write("HTTP/1.1 200 reflected\r\n\r\n")
                else:
                    await self.flush()

    async with serving(Application([("/(.*)", Handler)])) as server:
        peer = await server.connect()
        with expect_log("tornado.application", "Discarded"):
            peer.get("/")
            peer.get("/second")
            assert (await peer.response()).code == 204
            assert (await peer.response()).body == b"second"


@pytest.mark.parametrize("code", [100, 102, 103])
async def test_an_informational_response_without_a_final_one_ends_the_connection(
    code: int, expect_log: ExpectLog
) -> None:
    async with serving(lambda request: answer(request, code, False, b"unwanted", b"")) as server:
        with expect_log("tornado.application", "Discarded"):
            received = await server.exchange(REQUEST * 2)
        assert received.count(b"HTTP/1.1") == 1
        assert received.endswith(b"\r\n\r\n")


async def test_a_final_response_follows_an_informational_one() -> None:
    def application(request: HTTPServerRequest) -> None:
        connection: Any = request.connection
        hints = HTTPHeaders({"Link": "</style.css>; rel=preload; as=style"})
        _ = connection.write_headers(ResponseStartLine("HTTP/1.1", 103, "Early Hints"), hints)
        if request.path == "/chunked":
            _ = connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders(), b"second")
            connection.finish()
        else:
            plain_answer(request)

    async with serving(application) as server:
        peer = await server.connect()
        for path in ("/", "/chunked", "/"):
            assert (await peer.fetch(path)).code == 103
            final = await peer.response()
            assert (final.code, final.body) == (200, b"second")


async def test_101_without_an_upgrade_ends_the_connection() -> None:
    async with serving(lambda request: answer(request, 101, False, None, b"other protocol")) as server:
        received = await server.exchange(REQUEST * 2)
        assert received.count(b"HTTP/1.1") == 1
        assert received.endswith(b"\r\n\r\nother protocol")


@pytest.mark.parametrize("way", ["send_response", "write_headers", "write"])
async def test_nothing_is_sent_after_a_finished_101_response(way: str) -> None:
    states: list[ExchangeState] = []

    def application(request: HTTPServerRequest) -> None:
        answer(request, 101, False, None, b"")
        connection: Any = request.connection
        states.append(connection.state)
        if way == "send_response":
            connection.send_response(200, "OK", b"", b"Content-Length: 6\r\n\r\n", b"second")
        elif way == "write_headers":
            connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders(), b"second")
        else:
            connection.write(b"second")

    async with serving(application) as server:
        received = await server.exchange(REQUEST * 2)
    assert received.count(b"HTTP/1.1") == 1
    assert b"second" not in received
    assert states == [ExchangeState.SWITCHING]


async def test_detach_after_finishing_a_101_response(loop_kind: str, tls: Any) -> None:
    class Handler(RequestHandler):
        async def get(self) -> None:
            self.set_status(101)
            self.set_header("Upgrade", "other")
            _ = self.finish()
            connection: Any = self.request.connection
            stream = connection.detach()
            await stream.write(await stream.read_bytes(5))
            stream.close()

    async with serving(Application([("/", Handler)]), tls=tls) as server:
        assert (await server.exchange(REQUEST + b"hello")).endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize("code", [200, 304])
async def test_body_of_head_or_304_response_closes_connection(code: int, expect_log: ExpectLog) -> None:
    def application(request: HTTPServerRequest) -> None:
        answer(request, code, False, None, b"unwanted")

    method = b"HEAD" if code == 200 else b"GET"
    async with serving(application) as server:
        with expect_log("tornado.application", "Uncaught exception"):
            received = await server.exchange(REQUEST.replace(b"GET", method) * 2)
        assert received.count(b"HTTP/1.1") == 1
        assert b"unwanted" not in received


async def test_connection_closes_after_direct_writes_to_the_stream(loop_kind: str, tls: Any) -> None:
    """Data that a program writes to the stream directly is sent before the connection is closed."""
    size = 20_000_000

    def application(request: HTTPServerRequest) -> None:
        connection: Any = request.connection
        headers = HTTPHeaders({"Connection": "close", "Content-Length": "0"})
        _ = connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers)
        _ = connection.stream.write(b"x" * size)
        connection.finish()

    async with serving(application, tls=tls) as server:
        received = await server.exchange(REQUEST)
        assert received.endswith(b"\r\n\r\n" + b"x" * size)


async def test_direct_writes_to_the_stream_do_not_stop_pipelining(tls: Any) -> None:
    size = 20_000_000

    def application(request: HTTPServerRequest) -> None:
        connection: Any = request.connection
        length = size if request.path == "/direct" else 0
        headers = HTTPHeaders({"Content-Length": str(length)})
        if length:
            _ = connection.stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            _ = connection.stream.write(b"x" * size)
        else:
            _ = connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers)
        connection.finish()

    async with serving(application, tls=tls) as server:
        peer = await server.connect()
        peer.get("/direct")
        peer.get("/")
        assert len((await peer.response()).body) == size
        assert (await peer.response()).body == b""


def test_interrupted_close_callback_still_ends_connection() -> None:
    """The server removes the connection, because a program may run the loop again after KeyboardInterrupt."""
    requested: list[HTTPServerRequest] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    def application(request: HTTPServerRequest) -> None:
        requested.append(request)
        request.connection.set_close_callback(interrupt)  # type: ignore[union-attr]

    ended: list[Any] = []

    class Counting(HTTPServer):
        def on_close(self, server_conn: object) -> None:
            ended.append(server_conn)

    async def begin(client: socket.socket) -> HTTPServer:
        (listener,) = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
        server = Counting(application)
        server.add_sockets([listener])
        client.connect(listener.getsockname())
        client.sendall(REQUEST)
        while not requested:
            await asyncio.sleep(0)
        return server

    async def end() -> None:
        requested[0].connection.stream.close()  # type: ignore[union-attr]

    async def stop(server: HTTPServer) -> None:
        server.stop()
        await ended[0].close()

    with socket.socket() as client, asyncio.Runner() as runner:
        server = runner.run(begin(client))
        with pytest.raises(KeyboardInterrupt):
            runner.run(end())
        assert len(ended) == 1
        runner.run(stop(server))


class Failing(HTTPMessageDelegate):
    """A delegate that calls `act` when it receives the head, and then raises."""

    def __init__(self, act: Callable[[], object], fault: type[Exception]) -> None:
        self._act = act
        self._fault = fault

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self._act()
        raise self._fault("after that")


@pytest.mark.parametrize("fault", [ValueError, HTTPInputError])
@pytest.mark.parametrize("body", [b"", b"abc"])
async def test_failure_after_detach_leaves_the_stream_alone(
    fault: type[Exception], body: bytes, tls: Any, expect_log: ExpectLog
) -> None:
    detached: list[Any] = []

    class Delegate(HTTPServerConnectionDelegate):
        def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
            return Failing(lambda: detached.append(request_conn.detach()), fault)

    async with serving(Delegate(), tls=tls) as server:  # type: ignore[arg-type]
        peer = await server.connect()
        with expect_log("tornado.application", "Uncaught exception while serving"):
            peer.get("/", method="POST", body=body)
            while not detached:
                await asyncio.sleep(0)
        (stream,) = detached
        await stream.write(b"for the new owner")
        stream.close()
        assert await peer.rest() == b"for the new owner"


@pytest.mark.parametrize("fault", [ValueError, HTTPInputError])
async def test_failure_after_close_leaves_the_connection_closed(
    fault: type[Exception], expect_log: ExpectLog
) -> None:
    connections: list[Any] = []

    class Delegate(HTTPServerConnectionDelegate):
        def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
            connections.append(server_conn)
            return Failing(request_conn.close, fault)

    async with serving(Delegate()) as server:  # type: ignore[arg-type]
        with expect_log("tornado.application", "Uncaught exception while serving"):
            assert await server.exchange(REQUEST) == b""
        await connections[0].close()  # returns immediately, because the connection has ended


async def test_malformed_form_after_response_sends_no_second_response(expect_log: ExpectLog) -> None:
    def application(request: HTTPServerRequest) -> None:
        plain_answer(request)
        raise HTTPInputError("noticed late")

    async with serving(application) as server:
        with expect_log("tornado.application", "Uncaught exception while serving"):
            received = await server.exchange(REQUEST)
        assert received.count(b"HTTP/1.1") == 1


async def test_detach_after_response_releases_stream(loop_kind: str, tls: Any) -> None:
    class Handler(RequestHandler):
        async def get(self) -> None:
            _ = self.finish("page")
            stream = self.request.connection.detach()  # type: ignore[union-attr]
            await stream.write(await stream.read_bytes(len(REQUEST)))
            stream.close()

    async with serving(Application([("/", Handler)]), tls=tls) as server:
        peer = await server.connect()
        peer.send(REQUEST)
        assert (await peer.response()).body == b"page"
        peer.send(REQUEST)
        assert await peer.rest() == REQUEST


async def test_detach_is_refused_while_the_next_request_is_served() -> None:
    exchanges: list[Any] = []

    def application(request: HTTPServerRequest) -> None:
        exchanges.append(request.connection)
        if len(exchanges) == 1:
            plain_answer(request)

    async with serving(application) as server:
        peer = await server.connect()
        peer.get("/")
        await peer.response()
        peer.get("/")
        while len(exchanges) < 2:
            await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="next request"):
            exchanges[0].detach()
        exchanges[1].close()
