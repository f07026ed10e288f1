"""`HTTPServer`: settings, hooks, kinds of application, addresses from proxies, and connection limits."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import functools
import gzip
import os
import socket
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.clock import FakeClock
from tests.support.configuration import restored_configuration
from tests.support.http1connection import use_clock
from tests.support.httpserver import (
    address_of_socket,
    connections,
    max_header_count,
    reset_log_limits,
    timeouts,
)
from tests.support.references import gc_disabled
from tests.support.server import serving
from tests.support.streams import run_loop_iterations
from tests.support.tcpserver import connection_limits, listening_sockets
from tornado import httpserver, web
from tornado.escape import json_decode
from tornado.http1connection import HTTP1ServerConnection
from tornado.http1connection._protection import DEFAULT
from tornado.httpserver import PUBLIC, HTTPServer
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    ResponseStartLine,
)
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import Application, RequestHandler, stream_request_body

FIRST = ("X-Real-Ip: 10.0.0.1", "X-Scheme: https")
SECOND = ("X-Real-Ip: 10.0.0.2",)


class Late(RequestHandler):
    """Records its requests."""

    seen: list[HTTPServerRequest]

    async def get(self) -> None:
        self.seen.append(self.request)
        self.write("ok")

    post = get


class Overridden(HTTPServer):
    """A server that does not use the fast path to the application."""

    def start_request(self, *args: Any) -> Any:
        return super().start_request(*args)


@pytest.mark.parametrize("server_class", [HTTPServer, Overridden])
@pytest.mark.parametrize("body", [None, b"x"])
async def test_each_request_keeps_its_own_address(server_class: type[HTTPServer], body: bytes | None) -> None:
    seen: list[HTTPServerRequest] = []
    application = Application([("/", type("Handler", (Late,), {"seen": seen}))])
    method = "GET" if body is None else "POST"
    async with serving(application, server_class=server_class, xheaders=True) as server:
        peer = await server.connect()
        for fields in (FIRST, SECOND, ()):
            assert (await peer.fetch("/", *fields, method=method, body=body)).body == b"ok"
        # The attributes are first read here.
        assert [(r.remote_ip, r.protocol) for r in seen] == [
            ("10.0.0.1", "https"),
            ("10.0.0.2", "http"),
            ("127.0.0.1", "http"),
        ]
        contexts: list[Any] = [request.connection.context for request in seen]  # type: ignore[union-attr]
        assert {address_of_socket(context) for context in contexts} == {"127.0.0.1"}
        (connection,) = connections(server.server)
        assert str(connection.context) == connection.context.remote_ip == "127.0.0.1"


async def test_request_of_callable_keeps_its_own_address() -> None:
    seen: list[HTTPServerRequest] = []

    def answer(request: HTTPServerRequest) -> None:
        seen.append(request)
        connection: Any = request.connection
        connection.write_headers(ResponseStartLine("HTTP/1.1", 204, "No Content"), type(request.headers)())
        connection.finish()

    async with serving(answer, xheaders=True) as server:
        peer = await server.connect()
        for fields in (FIRST, SECOND):
            assert (await peer.fetch("/", *fields)).code == 204
        assert [request.remote_ip for request in seen] == ["10.0.0.1", "10.0.0.2"]


async def test_proxy_fields_are_ignored_without_xheaders() -> None:
    seen: list[HTTPServerRequest] = []
    application = Application([("/", type("Handler", (Late,), {"seen": seen}))])
    async with serving(application) as server:
        await asyncio.gather(server.fetch("/", *FIRST), server.fetch("/", *SECOND))
    assert {(request.remote_ip, request.protocol) for request in seen} == {("127.0.0.1", "http")}


# -- the kinds of application, on all four variants --


@pytest.fixture
def serve(loop_kind, tls):
    """`serving` for the variant under test: plain or TLS, on asyncio or uvloop."""
    return functools.partial(serving, tls=tls)


class Echo(RequestHandler):
    def get(self, *args):
        self.write(f"{self.request.method} {self.request.uri}")

    def post(self, *args):
        self.write(self.request.body)


class Origin(RequestHandler):
    """Responds with the address and protocol of the client."""

    def get(self):
        self.write(f"{self.request.remote_ip} {self.request.protocol}")

    post = get


@stream_request_body
class Streamed(RequestHandler):
    """Responds with the sizes of the chunks in which the body was received."""

    def prepare(self):
        self.sizes = []

    async def data_received(self, chunk):
        self.sizes.append(len(chunk))
        await asyncio.sleep(0)

    def post(self):
        self.write({"sizes": self.sizes})


ECHO = Application([("/streamed", Streamed), ("/.*", Echo)])
ORIGIN = Application([("/.*", Origin)])


def waiting():
    """Return an application whose ``/wait`` waits for the event `release`, and the events of that handler."""
    events = {name: asyncio.Event() for name in ("started", "release", "gone")}

    class Waiting(RequestHandler):
        async def get(self):
            events["started"].set()
            await events["release"].wait()
            self.write("late")

        def on_connection_close(self):
            events["gone"].set()

    return Application([("/wait", Waiting), ("/.*", Echo)]), events


def answer(connection, body):
    """Send a complete response from a delegate."""
    headers = HTTPHeaders({"Content-Length": str(len(body))})
    _ = connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers, body)
    connection.finish()


class Delegates(HTTPServerConnectionDelegate):
    """An application without the web framework, which responds with the parts of the request."""

    def __init__(self):
        self.servers = set()
        self.closed = asyncio.Event()

    def start_request(self, server_conn, request_conn):
        self.servers.add(server_conn)
        return Message(request_conn)

    def on_close(self, server_conn):
        self.servers.discard(server_conn)
        self.closed.set()


class Message(HTTPMessageDelegate):
    def __init__(self, connection):
        self.connection = connection
        self.body = b""

    def headers_received(self, start_line, headers):
        context = self.connection.context
        self.line = f"{start_line.method} {start_line.path} {context.remote_ip} {context.protocol} "

    def data_received(self, chunk):
        self.body += chunk

    def finish(self):
        answer(self.connection, self.line.encode() + self.body)


def called(request):
    """Respond like `Delegates`, as a function."""
    line = f"{request.method} {request.path} {request.remote_ip} {request.protocol} "
    answer(request.connection, line.encode() + request.body)


async def test_delegates_and_plain_callables_are_applications(serve, tls):
    protocol = b"https " if tls else b"http "
    delegates = Delegates()
    for application in (delegates, called):
        async with serve(application) as server:
            peer = await server.connect()
            assert (await peer.fetch("/a")).body == b"GET /a 127.0.0.1 " + protocol
            body = b"b" * 200_000
            response = await peer.fetch("/c", method="POST", body=body)
            assert response.body == b"POST /c 127.0.0.1 " + protocol + body
            assert len(delegates.servers) == (application is delegates)
            await peer.close()
            if application is delegates:
                await delegates.closed.wait()
                assert delegates.servers == set()


async def test_callable_gets_parsed_form(serve):
    def form(request):
        answer(request.connection, b",".join(request.arguments["name"]))

    async with serve(form) as server:
        fields = "Content-Type: application/x-www-form-urlencoded"
        response = await server.fetch("/?name=1", fields, method="POST", body=b"name=2&name=3")
        assert response.body == b"1,2,3"


async def test_the_application_may_be_replaced_at_run_time(serve):
    async with serve(ECHO) as server:
        peer = await server.connect()
        for application, start in (
            (ECHO, b"GET /x"),
            (called, b"GET /x 127"),
            (ORIGIN, b"127"),
            (ECHO, b"GET"),
        ):
            server.server.request_callback = application
            assert (await peer.fetch("/x")).body.startswith(start)
        assert (await peer.fetch("/x", method="POST", body=b"five")).body == b"five"


# -- hooks --


class Counting(HTTPServer):
    """A server with an overridden `start_request`."""

    def initialize(self, *args, **kwargs):
        super().initialize(*args, **kwargs)
        self.seen = []

    def start_request(self, server_conn, request_conn):
        self.seen.append(request_conn)
        return super().start_request(server_conn, request_conn)


@pytest.mark.parametrize("application", [ECHO, called])
async def test_an_overridden_start_request_sees_each_request(serve, application):
    async with serve(application, server_class=Counting) as server:
        peer = await server.connect()
        for _ in range(3):
            assert (await peer.fetch("/")).code == 200
        assert (await peer.fetch("/", method="POST", body=b"x" * 100_000)).code == 200
        for _ in range(5):
            peer.get("/pipelined")
        for _ in range(5):
            assert (await peer.response()).code == 200
        assert len(set(map(id, server.server.seen))) == len(server.server.seen) == 9


async def test_start_request_patched_on_class_is_used_immediately(serve, monkeypatch):
    seen = []
    original = HTTPServer.start_request

    def start_request(self, server_conn, request_conn):
        seen.append(request_conn)
        return original(self, server_conn, request_conn)

    async with serve(ECHO) as server:
        peer = await server.connect()
        await peer.fetch("/1")
        monkeypatch.setattr(HTTPServer, "start_request", start_request)
        await peer.fetch("/2")
        await peer.fetch("/3", method="POST", body=b"x")
        monkeypatch.undo()
        await peer.fetch("/4")
        assert len(seen) == 2


async def test_handle_stream_may_be_set_on_the_server(serve):
    async with serve(ECHO) as server:
        addresses = []
        original = server.server.handle_stream

        def handle_stream(stream, address):
            addresses.append(address)
            original(stream, address)

        server.server.handle_stream = handle_stream
        peer = await server.connect()
        await peer.fetch("/1")
        await peer.fetch("/2")
        assert addresses == [peer.writer.get_extra_info("sockname")]


async def test_another_class_may_be_configured(serve):
    with restored_configuration(HTTPServer):
        HTTPServer.configure(Counting, xheaders=True)
        async with serve(ORIGIN) as server:
            assert isinstance(server.server, Counting)
            assert (await server.fetch("/", "X-Real-Ip: 4.4.4.4")).body.startswith(b"4.4.4.4 ")
            assert len(server.server.seen) == 1


# -- address and protocol from a proxy --


@pytest.mark.parametrize("kind", ["web", "callable", "delegate"])
async def test_each_request_has_address_and_protocol_from_its_proxy(serve, tls, kind):
    own, other = ("https", "http") if tls else ("http", "https")
    seen = "127.0.0.1"
    cases = [
        (["X-Real-Ip: 4.4.4.4"], "4.4.4.4", own),
        ([], seen, own),
        (["X-Real-Ip: 2620:0:1cfe:face:b00c::3"], "2620:0:1cfe:face:b00c::3", own),
        (["X-Forwarded-For: 127.0.0.1,  5.5.5.5 "], "5.5.5.5", own),
        (["X-Forwarded-For: 5.5.5.5, 4.4.4.4, 3.3.3.3, 2.2.2.2"], "4.4.4.4", own),
        (["X-Forwarded-For: 5.5.5.5", "X-Forwarded-For: 4.4.4.4, 3.3.3.3"], "4.4.4.4", own),
        (["X-Real-Ip: 6.6.6.6", "X-Forwarded-For: 4.4.4.4"], "6.6.6.6", own),
        ([f"X-Scheme: {other}"], seen, other),
        ([f"X-Forwarded-Proto: {own} , {other}"], seen, other),
        ([f"X-Scheme: {own}", f"X-Forwarded-Proto: {other}"], seen, own),
        ([f"X-Forwarded-Proto: {other.upper()}"], seen, other),
        ([f"X-Forwarded-Proto: {other}", "X-Real-Ip: 4.4.4.4"], "4.4.4.4", other),
        ([], seen, own),
    ]
    application = {"web": ORIGIN, "callable": called, "delegate": Delegates()}[kind]
    async with serve(application, xheaders=True, trusted_downstream=["2.2.2.2", "3.3.3.3"]) as server:
        peer = await server.connect()
        for method, body in (("GET", None), ("POST", b"body")):
            for fields, ip, scheme in cases:
                response = await peer.fetch("/", *fields, method=method, body=body)
                assert f"{ip} {scheme}" in response.body.decode(), fields


async def test_invalid_address_or_protocol_from_proxy_is_ignored(serve, tls):
    addresses = ["unknown", "4.4.4.4<script>", "4.4.4.256", "", ",", "4.4.4.4, host.example", "[::1]:port"]
    protocols = ["ftp", "HTTPSX", "", "https, unknown", "<script>"]
    fields = [f"{name}: {value}" for name in ("X-Real-Ip", "X-Forwarded-For") for value in addresses]
    fields += [f"{name}: {value}" for name in ("X-Scheme", "X-Forwarded-Proto") for value in protocols]
    fields.remove("X-Real-Ip: 4.4.4.4, host.example")
    async with serve(ORIGIN, xheaders=True) as server:
        peer = await server.connect()
        for field in fields:
            response = await peer.fetch("/", field)
            assert response.body == (b"127.0.0.1 https" if tls else b"127.0.0.1 http"), field


async def test_protocol_argument_is_used(serve):
    async with serve(ORIGIN, protocol="https") as server:
        assert (await server.fetch("/")).body == b"127.0.0.1 https"


# -- compressed bodies --

TEXT = b"a body to be squeezed " * 5000
ZIPPED = gzip.compress(TEXT)


async def test_compressed_bodies_are_decompressed(serve):
    async with serve(ECHO, decompress_request=True) as server:
        peer = await server.connect()
        for data in (ZIPPED, gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:])):
            response = await peer.fetch("/", "Content-Encoding: GZip", method="POST", body=data)
            assert response.body == TEXT
        peer.get("/", "Content-Encoding: gzip", "Transfer-Encoding: chunked", method="POST")
        for start in range(0, len(ZIPPED), 7):
            piece = ZIPPED[start : start + 7]
            peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        peer.send(b"0\r\n\r\n")
        assert (await peer.response()).body == TEXT
        assert (await peer.fetch("/", method="POST", body=b"plain")).body == b"plain"
    async with serve(ECHO) as server:
        response = await server.fetch("/", "Content-Encoding: gzip", method="POST", body=ZIPPED)
        assert response.body == ZIPPED


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/", b"this is not gzip"),
        ("/", ZIPPED[:-9]),
        ("/", ZIPPED[:-1]),
        ("/", ZIPPED + b"trailing garbage"),
        ("/streamed", b"this is not gzip"),
        ("/streamed", ZIPPED + b"trailing garbage"),
        ("/streamed", ZIPPED[:-9]),
        ("/streamed", ZIPPED[:-1]),
    ],
)
async def test_an_invalid_compressed_body_is_a_bad_request(serve, path, data):
    async with serve(ECHO, decompress_request=True) as server:
        response = await server.fetch(path, "Content-Encoding: gzip", method="POST", body=data)
        assert (response.code, response.get("connection")) == (400, "close")


@pytest.mark.parametrize("path", ["/", "/streamed"])
async def test_decompressed_body_over_limit_is_bad_request(serve, path):
    async with serve(ECHO, decompress_request=True, max_body_size=100_000) as server:
        for size, code in ((100_000, 200), (100_001, 400), (50_000_000, 400)):
            data = gzip.compress(bytes(size))
            assert len(data) < 100_000
            response = await server.fetch(path, "Content-Encoding: gzip", method="POST", body=data)
            assert response.code == code


# -- sizes --


async def test_chunks_of_body_are_limited_to_chunk_size(serve):
    bodies = [([], bytes(10_500)), (["Content-Encoding: gzip"], gzip.compress(bytes(10_500)))]
    async with serve(ECHO, chunk_size=1000, decompress_request=True) as server:
        peer = await server.connect()
        for fields, body in bodies:
            response = await peer.fetch("/streamed", *fields, method="POST", body=body)
            sizes = json_decode(response.body)["sizes"]
            assert sum(sizes) == 10_500
            assert max(sizes) <= 1000


async def test_max_header_size(serve):
    async with serve(ECHO, max_header_size=2048) as server:
        assert (await server.fetch("/", "X: " + "x" * 1500)).code == 200
        for fields in (["X: " + "x" * 2048], [f"X-{number}: x" for number in range(400)]):
            response = await server.fetch("/", *fields)
            assert (response.code, response.get("connection")) == (431, "close")
        assert (await server.fetch("/" + "x" * 2048)).code == 414


async def test_max_body_size(serve):
    async with serve(ECHO, max_body_size=1000) as server:
        for size, code in ((500, 200), (501, 413)):
            assert (await server.fetch("/", method="POST", body=b"x" * (500 + size))).code == code
            peer = await server.connect()
            peer.get("/", "Transfer-Encoding: chunked", method="POST")
            peer.send(b"1f4\r\n" + b"x" * 500 + b"\r\n%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n")
            assert (await peer.response()).code == code


# -- lifetimes of connections --


async def test_no_keep_alive(serve):
    async with serve(ECHO, no_keep_alive=True) as server:
        for options in ({}, {"method": "POST", "body": b"x"}):
            peer = await server.connect()
            response = await peer.fetch("/", "Connection: keep-alive", **options)
            assert (response.code, response.get("connection")) == (200, "close")
            assert await peer.rest() == b""


@pytest.mark.parametrize("path", ["/", "/streamed"])
async def test_body_timeout(serve, path):
    async with serve(ECHO, body_timeout=0.05) as server:
        peer = await server.connect()
        assert (await peer.fetch(path, method="POST", body=b"in time")).code == 200
        peer.send(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nslow")
        assert await peer.rest() == b""


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
async def test_idle_connection_timeout(serve, beginning):
    async with serve(ECHO, idle_connection_timeout=0.05) as server:
        assert await server.exchange(beginning) == b""
        peer = await server.connect()
        assert (await peer.fetch("/")).body == b"GET /"
        peer.send(beginning)
        assert await peer.rest() == b""


async def test_connection_with_current_request_is_not_idle(serve, monkeypatch):
    """The loop's timer only determines when the server looks at its clock, which the test controls."""
    clock = FakeClock()
    use_clock(monkeypatch, clock)
    application, events = waiting()
    async with serve(application, idle_connection_timeout=0.05) as server:
        peer = await server.connect()
        peer.get("/wait")
        await events["started"].wait()
        idle = await server.connect()
        while len(connections(server.server)) < 2:
            await asyncio.sleep(0)
        clock.advance(0.06)
        assert await idle.rest() == b""  # the older connection is not closed
        assert not events["gone"].is_set()
        events["release"].set()
        assert (await peer.response()).body == b"late"


async def test_close_all_connections(serve):
    application, events = waiting()
    async with serve(application) as server:
        peers = [await server.connect() for _ in range(4)]
        for peer in peers:
            await peer.fetch("/")
        peers[1].send(b"GET / HT")
        peers[2].send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\npart")
        peers[3].get("/wait")
        await events["started"].wait()
        server.server.stop()
        await server.server.close_all_connections()
        assert not connections(server.server)
        assert events["gone"].is_set()
        for peer in peers:
            assert await peer.rest() == b""
        events["release"].set()
        with pytest.raises(ConnectionRefusedError):
            await server.connect()


async def test_error_names_occupied_port(serve):
    async with serve(ECHO) as server:
        pattern = rf"'127\.0\.0\.1', port {server.port}: .*in use"
        with pytest.raises(OSError, match=pattern) as caught:
            HTTPServer(ECHO).listen(server.port, "127.0.0.1")
        assert caught.value.errno == errno.EADDRINUSE
        assert (await server.fetch("/still")).body == b"GET /still"


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this platform has no Unix sockets")
@pytest.mark.parametrize("xheaders", [False, True])
@pytest.mark.parametrize("place", ["file", "abstract"])
async def test_unix_sockets(loop_kind, tmp_path, place, xheaders):
    name = str(tmp_path / "server.sock")
    if place == "abstract":
        if not os.path.exists("/proc/net/unix"):
            pytest.skip("only Linux has abstract socket names")
        name = f"\0waterspout-test-{os.getpid()}-{loop_kind}"
    async with serving(ORIGIN, listener=bind_unix_socket(name), xheaders=xheaders) as server:
        peer = await server.connect()
        assert (await peer.fetch("/")).body == b"0.0.0.0 http"
        told = await peer.fetch("/", "X-Real-Ip: 4.4.4.4", "X-Scheme: https", method="POST", body=b"x")
        assert told.body == (b"4.4.4.4 https" if xheaders else b"0.0.0.0 http")
        assert (await peer.fetch("/")).body == b"0.0.0.0 http"
        peer.send(b"nonsense\r\n\r\n")  # logged with the name of the peer
        assert (await peer.response()).code == 400


# -- protection --


@pytest.fixture
def fresh_reports(monkeypatch):
    """Reset the rate limits of log lines."""
    reset_log_limits(monkeypatch)


def test_protection_argument_with_overridden_values():
    server = HTTPServer(ECHO, protection="public", header_timeout=5, max_connections=70, xheaders=False)
    params = server.conn_params
    assert params.protection == dataclasses.replace(PUBLIC, header_timeout=5, max_connections=70)
    assert timeouts(params) == (5, 60, 10)
    assert (params.max_header_size, max_header_count(params)) == (32 * 1024, 100)
    assert (connection_limits(server).total, connection_limits(server).each) == (70, 100)


def test_by_default_connections_are_not_counted():
    server = HTTPServer(ECHO)
    assert connection_limits(server) is None
    assert server.conn_params.protection == DEFAULT
    assert timeouts(server.conn_params)[0] == 60


@pytest.mark.parametrize("options", [{"protection": "high"}, {"max_connections": 0}, {"header_timeout": -1}])
def test_invalid_limits_are_rejected(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        HTTPServer(ECHO, **options)


def test_connections_per_address_behind_proxy_are_limited_only_if_set():
    assert connection_limits(HTTPServer(ECHO, protection="public", xheaders=True)).each is None
    options = {"xheaders": True, "trusted_downstream": ["10.0.0.1"], "max_connections_per_address": 3}
    admission = connection_limits(HTTPServer(ECHO, protection="public", **options))
    assert admission.each == 3
    with socket.socket() as sock:
        assert admission.key(sock, ("10.0.0.1", 1)) is None
        assert admission.key(sock, ("10.0.0.2", 1)) == "10.0.0.2"


@pytest.mark.parametrize(("count", "code"), [(9, 200), (10, 431)])
async def test_number_of_header_fields_is_limited(serve, count, code):
    async with serve(ECHO, max_header_count=10) as server:
        peer = await server.connect()
        for _ in range(2):  # the second head is read from the cache of parsed heads
            response = await peer.fetch("/", *(f"A{number}: b" for number in range(count)))
            assert response.code == code
            if code != 200:
                break


async def test_new_connection_replaces_longest_idle_one(serve, tls, fresh_reports, expect_log):
    application, events = waiting()
    async with serve(application, max_connections=4) as server:
        busy, oldest, half, recent = [await server.connect() for _ in range(4)]
        busy.get("/wait")
        await events["started"].wait()
        for peer in (oldest, recent):
            assert (await peer.fetch("/")).code == 200
        half.send("GET ")
        (connection,) = [each for each in connections(server.server) if each.exchange is not None]
        while not any(each.receiving_head for each in connections(server.server)):
            await asyncio.sleep(0)
        since = {each: each.idle_since() for each in connections(server.server)}
        assert since.pop(connection) is None
        assert None not in since.values()
        with expect_log("tornado.general", "max_connections=4 reached, closed idle connections: 1") as log:
            newcomer = await server.connect()
            assert (await newcomer.fetch("/")).code == 200
        assert len(log.records) == 1
        assert await oldest.rest() == b""
        assert (await recent.fetch("/")).code == 200
        events["release"].set()
        assert (await busy.response()).body == b"late"


async def test_new_connection_is_refused_if_all_are_busy(serve, tls, fresh_reports, expect_log):
    application, events = waiting()
    async with serve(application, max_connections=1) as server:
        busy = await server.connect()
        busy.get("/wait")
        await events["started"].wait()
        with expect_log("tornado.general", "the server has max_connections=1 already, none of them idle"):
            if tls:
                with pytest.raises(OSError):
                    await server.connect()
            else:
                assert await (await server.connect()).rest() == b""
        events["release"].set()
        assert (await busy.response()).body == b"late"


async def test_room_at_the_limit_is_that_of_idle_connections(fresh_reports, monkeypatch, clock):
    monkeypatch.setattr(httpserver, "time", SimpleNamespace(monotonic=clock))
    application, events = waiting()

    async def occupy(peer):
        events["started"].clear()
        peer.get("/wait")
        await events["started"].wait()

    async with serving(application, max_connections=2) as server:
        reported: list[bool] = []
        server.server.watch_room(lambda: reported.append(server.server.has_room()))
        busy, other = await server.connect(), await server.connect()
        await occupy(busy)
        assert (await other.fetch("/")).code == 200
        assert server.server.has_room()  # the second connection is idle
        await occupy(other)
        assert not server.server.has_room()
        assert reported == []
        events["release"].set()
        assert (await other.response()).body == b"late"
        assert (await busy.response()).body == b"late"
        assert not server.server.has_room()  # it searches for idle connections at intervals
        clock.advance(0.11)
        assert server.server.has_room()
        await other.close()
        while not reported:
            await asyncio.sleep(0)
        assert reported == [True]


async def test_server_without_a_limit_has_room(serve):
    for limits in ({"max_connections_per_address": 1}, {}):
        async with serve(ECHO, **limits) as server:
            server.server.watch_room(pytest.fail)
            await (await server.connect()).fetch("/")
            assert server.server.has_room()


async def test_refused_connections_do_not_search_again_immediately(
    fresh_reports, expect_log, monkeypatch, clock
):
    asked = 0

    def idle_since(connection):
        nonlocal asked
        asked += 1
        return real(connection)

    real = HTTP1ServerConnection.idle_since
    monkeypatch.setattr(HTTP1ServerConnection, "idle_since", idle_since)
    monkeypatch.setattr(httpserver, "time", SimpleNamespace(monotonic=clock))
    application, events = waiting()
    async with serving(application, max_connections=3) as server:
        busy = [await server.connect() for _ in range(3)]
        for peer in busy:
            peer.get("/wait")
            await events["started"].wait()
            events["started"].clear()
        with expect_log("tornado.general", "refused: the server has max_connections=3 already"):
            for _ in range(20):
                assert await (await server.connect()).rest() == b""
            assert asked == 3
            clock.advance(0.11)
            assert await (await server.connect()).rest() == b""
            assert asked == 6
        events["release"].set()
        for peer in busy:
            assert (await peer.response()).body == b"late"
        clock.advance(0.11)
        with expect_log("tornado.general", "closed idle connections: 1"):
            newcomer = await server.connect()
            assert (await newcomer.fetch("/")).code == 200


async def test_several_idle_connections_are_closed_at_once(fresh_reports, expect_log):
    async with serving(ECHO, max_connections=64) as server:
        peers = [await server.connect() for _ in range(64)]
        for peer in peers:
            assert (await peer.fetch("/")).code == 200
        with expect_log("tornado.general", "closed idle connections: 2"):
            newcomer = await server.connect()
            assert (await newcomer.fetch("/")).code == 200
        assert connection_limits(server.server).count == 63
        assert (await peers[-1].fetch("/")).code == 200


async def test_upgraded_connection_counts_toward_limit():
    class Detaching(RequestHandler):
        async def get(self):
            self._auto_finish = False
            stream = self.request.connection.detach()
            await stream.write(b"yours")
            await stream.read_until_close()

    application = Application([("/", Detaching)])
    async with serving(application, max_connections=5, max_connections_per_address=5) as server:
        peer = await server.connect()
        peer.get("/")
        assert await peer.reader.readexactly(5) == b"yours"
        assert connections(server.server) == set()
        assert connection_limits(server.server).count == 1
        await peer.close()
        while connection_limits(server.server).count:
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("xheader", "HTTPServer has no argument 'xheader'; did you mean 'xheaders'"),
        ("max_body_sise", "did you mean 'max_body_size'"),
        ("adress", "did you mean 'address'"),
        ("debug", r"'debug': it is a setting, Application\(routes, debug=...\)"),
        ("backlog", r"'backlog': it is an argument of HTTPServer.listen\(\)"),
        ("frobnicate", "HTTPServer has no argument 'frobnicate'$"),
    ],
)
def test_unknown_argument_is_explained(name, words):
    with pytest.raises(TypeError, match=words):
        HTTPServer(lambda request: None, **{name: True})


def test_server_arguments_in_application_settings_cause_warning(expect_log):
    application = Application(max_body_size=5, xheaders=True, ssl_options=None, port=80)
    with expect_log(
        "tornado.application", "the setting '(max_body_size|xheaders)' .* has no effect"
    ) as expected:
        HTTPServer(application)
    assert len(expected.records) == 2
    HTTPServer(application, max_body_size=7, xheaders=True)  # no warning if the arguments are passed on


async def test_sockets_from_an_iterator_are_listened_on():
    server = HTTPServer(Application())
    server.add_sockets(iter(bind_sockets(0, "127.0.0.1")))
    try:
        assert len(listening_sockets(server)) == 1
    finally:
        server.stop()


@pytest.mark.parametrize("options", [{}, {"xheaders": True}, {"protection": "public"}], ids=str)
@pytest.mark.parametrize("used", [False, True])
async def test_dropped_server_is_freed_without_garbage_collection(options: Any, used: bool) -> None:
    with gc_disabled():
        if used:
            async with serving(web.Application(), **options) as running:
                assert (await running.fetch("/")).code == 404
                server = weakref.ref(running.server)
            del running
            await run_loop_iterations()
        else:
            server = weakref.ref(HTTPServer(web.Application(), **options))
        assert server() is None


@pytest.mark.parametrize("options", [{"protocol": "https"}, {"xheaders": True}], ids=str)
async def test_upgraded_connection_has_context_after_server_was_dropped(options: Any) -> None:
    requests: list[HTTPServerRequest] = []

    class Upgrades(web.RequestHandler):
        def get(self) -> None:
            exchange: Any = self.request.connection
            requests.append(self.request)
            self.detach().close()
            self.request.connection = exchange.detached_connection()

    with gc_disabled():
        async with serving(web.Application([("/", Upgrades)]), **options) as running:
            peer = await running.connect()
            peer.get("/")
            await peer.rest()
            server = weakref.ref(running.server)
        del running, peer
        await run_loop_iterations()
        assert server() is None
    context: Any = requests[0].connection.context
    assert (context.protocol, context.remote_ip) == (options.get("protocol", "http"), "127.0.0.1")
