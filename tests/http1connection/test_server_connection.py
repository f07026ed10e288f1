"""The server side of a connection, on plain sockets and TLS, with asyncio and uvloop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from typing import Any

import pytest

from tests.support.agents import Wrapper
from tests.support.http1connection import unread
from tests.support.server import ExpectLog, serving
from tests.support.web import wrap_execute
from tornado import httputil, iostream, web
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPMessageDelegate, HTTPServerConnectionDelegate, ResponseStartLine


@pytest.fixture(params=["plain", "tls"])
def tls(request: Any, certificates: Any) -> Any:
    return certificates if request.param == "tls" else None


class Echo(web.RequestHandler):
    def get(self, *args: Any) -> None:
        self.write(f"{self.request.method} {self.request.uri}")

    head = get

    def post(self, *args: Any) -> None:
        self.write(self.request.body)


class Waiting(web.RequestHandler):
    """Responds after the event `release` of the application is set."""

    gone = 0
    application: Any

    async def get(self) -> None:
        self.application.started.set()
        await self.application.release.wait()
        self.write("late")

    def on_connection_close(self) -> None:
        type(self).gone += 1
        self.application.closed.set()


def application(**settings: Any) -> Any:
    app: Any = web.Application([("/wait", Waiting), ("/.*", Echo)], **settings)
    app.started, app.release, app.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    Waiting.gone = 0
    return app


async def test_connection_is_kept_alive_after_response(loop_kind: Any, tls: Any) -> None:
    async with serving(application(), tls=tls) as server:
        peer = await server.connect()
        for path in ("/a", "/b", "/c?d"):
            response = await peer.fetch(path)
            assert (response.code, response.body) == (200, f"GET {path}".encode())
            assert response.get("connection") is None


async def test_request_may_arrive_byte_by_byte(loop_kind: Any, tls: Any) -> None:
    async with serving(application(), tls=tls) as server:
        peer = await server.connect()
        for byte in b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello":
            peer.send(bytes([byte]))
            await peer.writer.drain()
            await asyncio.sleep(0)
        assert (await peer.response()).body == b"hello"


async def test_pipelined_requests_are_answered_in_order(loop_kind: Any, tls: Any) -> None:
    async with serving(application(), tls=tls) as server:
        peer = await server.connect()
        for number in range(200):
            peer.get(f"/{number}")
        for number in range(200):
            assert (await peer.response()).body == f"GET /{number}".encode()


async def test_a_pipelined_request_waits_for_the_handler_before_it(loop_kind: Any, tls: Any) -> None:
    app = application()
    async with serving(app, tls=tls) as server:
        peer = await server.connect()
        peer.get("/wait")
        peer.get("/after")
        await app.started.wait()
        app.release.set()
        assert (await peer.response()).body == b"late"
        assert (await peer.response()).body == b"GET /after"


async def test_pipelined_input_is_bounded_while_a_handler_runs(loop_kind: Any) -> None:
    app = application()
    async with serving(app) as server:
        peer = await server.connect()
        peer.get("/wait")
        await app.started.wait()
        request = b"GET /" + b"x" * 1000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        count = 20000
        peer.send(request * count)
        (connection,) = server.connections
        for _ in range(50):
            await asyncio.sleep(0)
        assert unread(connection) < 1_000_000
        app.release.set()
        assert (await peer.response()).body == b"late"
        for _ in range(count):
            assert (await peer.response()).code == 200


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 100_000, b"x" * 3_000_000])
async def test_body_is_read_completely(loop_kind: Any, tls: Any, body: Any) -> None:
    async with serving(application(), tls=tls) as server:
        peer = await server.connect()
        for _ in range(2):
            peer.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert (await peer.response()).body == body
            peer.send(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in range(0, len(body), 50_000):
                chunk = body[start : start + 50_000]
                peer.send(b"%x;extension=1\r\n%s\r\n" % (len(chunk), chunk))
            peer.send(b"0\r\nTrailer: 1\r\n\r\n")
            assert (await peer.response()).body == body


@pytest.mark.parametrize(
    ("fields", "closed"),
    [
        ("Connection: close", True),
        ("Connection: keep-alive, CLOSE", True),
        ("Connection: keep-alive\r\nConnection: x, Close", True),
        ("Connection: keep-alive", False),
    ],
)
async def test_close_in_any_connection_field_closes(loop_kind: Any, fields: Any, closed: Any) -> None:
    async with serving(application()) as server:
        peer = await server.connect()
        peer.get("/1", fields)
        peer.get("/2")
        first = await peer.response()
        if closed:
            assert first.get("connection") == "close"
            assert await peer.rest() == b""
        else:
            assert (await peer.response()).body == b"GET /2"


async def test_http_1_0_closes_unless_keep_alive_is_requested(loop_kind: Any) -> None:
    async with serving(application()) as server:
        peer = await server.connect()
        response = await peer.fetch("/", "Connection: keep-alive", version="HTTP/1.0")
        assert response.get("connection") == "Keep-Alive"
        response = await peer.fetch("/", version="HTTP/1.0")
        assert response.get("connection") is None
        assert await peer.rest() == b""


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 100, 413),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n186a00\r\n" + b"x" * 1_000_001,
            413,
        ),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
    ],
)
async def test_malformed_request_gets_error_and_closes(
    loop_kind: Any, tls: Any, request_bytes: Any, code: Any
) -> None:
    async with serving(application(), tls=tls, max_body_size=1_000_000) as server:
        peer = await server.connect()
        peer.send(request_bytes + b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
        response = await peer.response()
        assert response.code == code
        assert response.get("connection") == "close"
        assert response.get("content-length") is not None
        await peer.close()


async def test_request_before_malformed_one_is_answered(loop_kind: Any) -> None:
    async with serving(application()) as server:
        answer = await server.exchange(b"GET /good HTTP/1.1\r\nHost: a\r\n\r\nBAD\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"GET /good" + b"HTTP/1.1 400 Bad Request\r\n" in answer


async def test_expect_continue(loop_kind: Any) -> None:
    async with serving(application(), max_body_size=10) as server:
        peer = await server.connect()
        peer.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n")
        assert (await peer.response()).code == 100
        peer.send(b"hello")
        assert (await peer.response()).body == b"hello"
        peer.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
        assert (await peer.response()).code == 413


async def test_half_closed_client_gets_response(loop_kind: Any) -> None:
    app = application()
    async with serving(app) as server:
        peer = await server.connect()
        peer.get("/wait")
        await app.started.wait()
        peer.writer.write_eof()
        await app.closed.wait()
        app.release.set()
        response = await peer.response()
        assert response.body == b"late"
        assert Waiting.gone == 1
        assert await peer.rest() == b""


async def test_disconnect_calls_on_connection_close(loop_kind: Any, tls: Any) -> None:
    app = application()
    async with serving(app, tls=tls) as server:
        peer = await server.connect()
        peer.get("/wait")
        await app.started.wait()
        peer.writer.transport.abort()
        await app.closed.wait()
        app.release.set()
        while server.connections:
            await asyncio.sleep(0)
        assert Waiting.gone == 1


async def test_disconnect_of_idle_client_removes_connection(loop_kind: Any, tls: Any) -> None:
    async with serving(application(), tls=tls) as server:
        peer = await server.connect()
        await peer.fetch("/")
        await peer.close()
        while server.connections:
            await asyncio.sleep(0)


async def test_an_idle_connection_times_out(loop_kind: Any, tls: Any) -> None:
    async with serving(application(), tls=tls, idle_connection_timeout=0.05) as server:
        peer = await server.connect()
        await peer.fetch("/")
        assert await peer.rest() == b""


async def test_a_slow_body_times_out(loop_kind: Any) -> None:
    async with serving(application(), body_timeout=0.05) as server:
        assert await server.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab") == b""


async def test_each_request_runs_in_its_own_context(loop_kind: Any) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    seen = []

    class Handler(web.RequestHandler):
        def get(self) -> None:
            seen.append(variable.get())
            variable.set("leaked")

    async with serving(web.Application([("/", Handler)])) as server:
        peer = await server.connect()
        await peer.fetch("/")
        await peer.fetch("/")
    assert seen == ["unset", "unset"]


@pytest.mark.parametrize("unread", [b"", b"x", b"more bytes"])
async def test_detach_passes_on_every_unread_byte(loop_kind: Any, tls: Any, unread: Any) -> None:
    class Handler(web.RequestHandler):
        async def get(self) -> None:
            stream = self.detach()
            await stream.write(b"hello\n")
            line = await stream.read_until(b"\n")
            await stream.write(line.upper())
            stream.close()

    async with serving(web.Application([("/", Handler)]), tls=tls) as server:
        peer = await server.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + unread)
        assert await peer.reader.readline() == b"hello\n"
        peer.send(b" end\n")
        assert await peer.rest() == unread.upper() + b" END\n"


async def test_a_handler_cannot_write_into_a_later_response(loop_kind: Any) -> None:
    kept: list[Any] = []

    class Handler(web.RequestHandler):
        def get(self) -> None:
            kept.append(self.request.connection)
            self.write("mine")

    async with serving(web.Application([("/", Handler)])) as server:
        peer = await server.connect()
        await peer.fetch("/")
        with pytest.raises(iostream.StreamClosedError):
            await kept[0].write(b"stray")
        assert (await peer.fetch("/")).body == b"mine"


async def test_hooks_patched_at_run_time_are_called(loop_kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def wrap(cls: Any, name: Any) -> None:
        original = getattr(cls, name)

        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(cls, name, wrapper)

    async with serving(application()) as server:
        peer = await server.connect()
        await peer.fetch("/")
        assert calls == []
        wrap(web.RequestHandler, "write")
        wrap(web.RequestHandler, "flush")
        wrap(HTTP1Connection, "write_headers")
        wrap(HTTP1Connection, "finish")
        wrap(iostream.IOStream, "write")

        async def traced(execute: Any, self: Any, transforms: Any, *args: Any, **kwargs: Any) -> None:
            calls.append("_execute")
            await execute(self, transforms, *args, **kwargs)

        wrap_execute(monkeypatch, traced)
        assert (await peer.fetch("/")).body == b"GET /"
        assert {"_execute", "write", "flush", "write_headers", "finish"} <= set(calls)
        assert calls.count("write") == 2  # once on the handler and once on the stream


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (HTTP1Connection, "write_headers"),
        (HTTP1Connection, "finish"),
        (iostream.IOStream, "write"),
        (iostream.IOStream, "read_from_fd"),
        (iostream.IOStream, "write_to_fd"),
    ],
)
async def test_wrapper_that_proxies_attributes_is_called(
    loop_kind: Any, monkeypatch: pytest.MonkeyPatch, cls: Any, name: str, is_async: bool
) -> None:
    class Sync(web.RequestHandler):
        def get(self) -> None:
            self.write("mine")

    class Async(web.RequestHandler):
        async def get(self) -> None:
            self.write("mine")
            await self.flush()

    calls: list[str] = []
    monkeypatch.setattr(cls, name, Wrapper(getattr(cls, name), lambda: calls.append(name)))
    if name == "write_headers":
        # New Relic wraps finish() as well, which disables the fast path for the response.
        monkeypatch.setattr(cls, "finish", Wrapper(cls.finish, lambda: None))
    async with serving(web.Application([("/", Async if is_async else Sync)])) as server:
        peer = await server.connect()
        assert (await peer.fetch("/")).body.endswith(b"mine" if not is_async else b"")
    assert name in calls


class Delegates(HTTPServerConnectionDelegate):
    """A server without the web framework."""

    def __init__(self) -> None:
        self.closed = 0
        self.messages: list[Message] = []

    def start_request(self, server_conn: Any, request_conn: Any) -> Any:
        message = Message(request_conn)
        self.messages.append(message)
        return message

    def on_close(self, server_conn: Any) -> None:
        self.closed += 1


class Message(HTTPMessageDelegate):
    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.events: list[Any] = []

    def headers_received(self, start_line: Any, headers: Any) -> None:
        self.events.append(tuple(start_line))

    async def data_received(self, chunk: Any) -> None:
        self.events.append(chunk)
        await asyncio.sleep(0)
        self.events.append("resumed")

    def finish(self) -> None:
        self.events.append("finish")
        self.connection.write_headers(
            ResponseStartLine("HTTP/1.1", 200, "OK"), httputil.HTTPHeaders({"Content-Length": "2"}), b"ok"
        )
        self.connection.finish()

    def on_connection_close(self) -> None:
        self.events.append("closed")


async def test_delegates_are_called_in_order_and_awaited(loop_kind: Any, tls: Any) -> None:
    delegates = Delegates()
    async with serving(delegates, tls=tls, chunk_size=4) as server:
        peer = await server.connect()
        peer.send(
            b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef"
            b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        assert (await peer.response()).body == b"ok"
        assert (await peer.response()).body == b"ok"
        await peer.close()
        while not delegates.closed:
            await asyncio.sleep(0)
    first, second = delegates.messages
    assert first.events == [
        ("POST", "/a", "HTTP/1.1"), b"abcd", "resumed", b"ef", "resumed", "finish",
    ]  # fmt: skip
    assert second.events == [("GET", "/b", "HTTP/1.1"), "finish"]


async def test_callable_may_serve_requests(loop_kind: Any) -> None:
    def answer(request: Any) -> None:
        body = f"you said {request.body.decode()}".encode()
        request.connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        request.connection.finish()

    async with serving(answer) as server:
        peer = await server.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        assert (await peer.response()).body == b"you said hi"


async def test_streamed_response_is_chunked_and_sent_in_pieces(loop_kind: Any, tls: Any) -> None:
    class Handler(web.RequestHandler):
        async def get(self) -> None:
            for _ in range(100):
                self.write(b"x" * 50_000)
                await self.flush()

    async with serving(web.Application([("/", Handler)]), tls=tls) as server:
        peer = await server.connect()
        response = await peer.fetch("/")
        assert response.get("transfer-encoding") == "chunked"
        assert response.body == b"x" * 5_000_000
        assert (await peer.fetch("/", version="HTTP/1.0")).body == b"x" * 5_000_000


async def test_uncaught_exception_in_delegate_is_answered_with_500(
    loop_kind: Any, expect_log: ExpectLog
) -> None:
    class Broken(Delegates):
        def start_request(self, server_conn: Any, request_conn: Any) -> Any:
            raise ZeroDivisionError("a bug")

    async with serving(Broken()) as server:
        with expect_log("tornado.application", r"Uncaught exception while serving .*: GET /path\?q"):
            answer = await server.exchange(b"GET /path?q HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert b"Connection: close\r\n" in answer


async def test_handler_may_read_from_stream(loop_kind, tls):
    class Handler(web.RequestHandler):
        async def get(self):
            self.write(await self.request.connection.stream.read_until(b"\n"))

    async with serving(web.Application([("/.*", Handler)]), tls=tls) as server:
        peer = await server.connect()
        for _ in range(2):
            peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\none ")
            peer.send(b"line\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nsecond\n")
            assert (await peer.response()).body == b"one line\n"
            assert (await peer.response()).body == b"second\n"


async def test_disconnect_while_handler_reads_from_stream(loop_kind):
    raised = asyncio.Event()

    class Handler(web.RequestHandler):
        async def get(self):
            try:
                await self.request.connection.stream.read_until(b"\n")
            except iostream.StreamClosedError:
                raised.set()

    async with serving(web.Application([("/.*", Handler)])) as server:
        peer = await server.connect()
        peer.get("/")
        await asyncio.sleep(0)
        peer.writer.transport.abort()
        await raised.wait()
        while server.connections:
            await asyncio.sleep(0)


async def test_output_to_pipelining_client_that_does_not_read_is_limited(loop_kind, tls):
    class Big(web.RequestHandler):
        def get(self):
            self.write(b"x" * 100_000)

    async with serving(web.Application([("/", Big)]), tls=tls) as server:
        peer = await server.connect()
        for _ in range(2000):
            peer.get("/")
        (connection,) = server.connections
        for _ in range(200):
            await asyncio.sleep(0)
        assert connection.stream.pending_output < 2_000_000
        for _ in range(2000):
            assert len((await peer.response()).body) == 100_000


async def test_large_body_after_slow_request_is_read(loop_kind, tls):
    app = application()
    async with serving(app, tls=tls) as server:
        peer = await server.connect()
        peer.get("/wait")
        body = b"x" * 1_000_000
        peer.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await app.started.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        app.release.set()
        assert (await peer.response()).body == b"late"
        assert (await peer.response()).body == body


async def test_pipelined_requests_of_a_half_closed_client_are_all_answered(loop_kind):
    async with serving(application()) as server:
        peer = await server.connect()
        for number in range(500):
            peer.get(f"/{number}")
        peer.writer.write_eof()
        for number in range(500):
            assert (await peer.response()).body == f"GET /{number}".encode()
        assert await peer.rest() == b""


@pytest.mark.parametrize("size", [1000, 1_000_000])
async def test_detach_during_body_loses_no_bytes(loop_kind, tls, size):
    got = asyncio.get_running_loop().create_future()

    @web.stream_request_body
    class Handler(web.RequestHandler):
        async def prepare(self):
            for _ in range(20):  # event loop iterations in which the body arrives
                await asyncio.sleep(0)

        async def data_received(self, chunk):
            stream = self.detach()
            rest = await stream.read_bytes(size - len(chunk)) if size > len(chunk) else b""
            got.set_result(chunk + rest)
            stream.close()

        def post(self):
            raise AssertionError

    body = bytes(range(250)) * (size // 250)
    async with serving(web.Application([("/", Handler)]), tls=tls, chunk_size=100) as server:
        peer = await server.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + body)
        assert await got == body


async def test_response_before_end_of_body_closes_connection(loop_kind, tls):
    @web.stream_request_body
    class Handler(web.RequestHandler):
        def data_received(self, chunk):
            if not self._finished:
                self.finish("early")

        def post(self):
            raise AssertionError

    async with serving(web.Application([("/", Handler)]), tls=tls) as server:
        peer = await server.connect()
        peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000)
        response = await peer.response()
        assert response.body == b"early"
        assert await peer.rest() == b""


async def test_closing_stream_calls_on_connection_close(loop_kind):
    told = []

    class Handler(web.RequestHandler):
        def post(self):
            self.request.connection.stream.close()

        def on_connection_close(self):
            told.append("closed")

    async with serving(web.Application([("/", Handler)])) as server:
        assert await server.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx") == b""
    assert told == ["closed"]


async def test_connection_field_matches_behavior(loop_kind):
    class Handler(web.RequestHandler):
        def get(self):
            self.set_header("Connection", "keep-alive")

    async with serving(web.Application([("/", Handler)])) as server:
        assert (await server.fetch("/", "Connection: close")).get("connection") == "close"
        assert (await server.fetch("/")).get("connection") == "keep-alive"


async def test_request_with_body_leaves_no_reference_cycle(loop_kind):
    references = []

    class Handler(web.RequestHandler):
        def post(self):
            references.append(weakref.ref(self))

    async with serving(web.Application([("/", Handler)])) as server:
        peer = await server.connect()
        gc.disable()
        try:
            for _ in range(3):
                peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
                await peer.response()
            assert [reference() for reference in references[:2]] == [None, None]
        finally:
            gc.enable()


async def test_close_callback_of_stream_is_removed_after_request(loop_kind):
    called = []

    class Handler(web.RequestHandler):
        def get(self):
            if self.request.path == "/set":
                self.request.connection.stream.set_close_callback(lambda: called.append(1))

    async with serving(web.Application([("/.*", Handler)])) as server:
        peer = await server.connect()
        await peer.fetch("/set")
        await peer.fetch("/other")
        await peer.close()
        while server.connections:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert called == []


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00", b"\x00" * 100, b" GET"])
async def test_garbage_is_rejected_immediately(loop_kind, garbage):
    async with serving(application()) as server:
        peer = await server.connect()
        peer.send(garbage)
        assert (await peer.response()).code == 400
