"""Error responses that the server sends without the application, on each path that a request may take."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.server import ExpectLog, Peer, Response, Server, serving
from tests.support.web import request_summary
from tornado import _log_rate_limit, httputil, web
from tornado._wire.dates import parse_http_date
from tornado.httpserver import HTTPServer


class EchoHost(web.RequestHandler):
    """Responds with the host of the request, its Host field, and the full URL."""

    def get(self) -> None:
        self.write(f"{self.request.host} {self.request.headers.get('Host')} {self.request.full_url()}")

    post = head = options = get


class Watching(HTTPServer):
    """A server with an overridden `start_request`."""

    def start_request(self, server_conn: object, request_conn: Any) -> httputil.HTTPMessageDelegate:
        return super().start_request(server_conn, request_conn)


def echo_host(request: httputil.HTTPServerRequest) -> None:
    """Respond like `EchoHost`, as a callable without the web framework."""
    body = f"{request.host} {request.headers.get('Host')} {request.full_url()}".encode()
    headers = httputil.HTTPHeaders({"Content-Length": str(len(body))})
    connection: Any = request.connection
    connection.write_headers(httputil.ResponseStartLine("HTTP/1.1", 200, "OK"), headers, body)
    connection.finish()


def application() -> web.Application:
    return web.Application([("(?:/.*|[*])", EchoHost)])


ServerPath = tuple[Callable[[], Any], dict[str, Any]]
PATHS: dict[str, ServerPath] = {
    "short": (application, {}),
    "gzip": (application, {"decompress_request": True}),
    "subclass": (application, {"server_class": Watching}),
    "callable": (lambda: echo_host, {}),
}


@pytest.fixture(params=PATHS)
def way(request: Any) -> Any:
    """A function that starts a server in which requests take one of the paths."""
    program, options = PATHS[request.param]
    return lambda **more: serving(program(), **options, **more)


async def ask(server: Server, line: str, *fields: str, body: bytes = b"") -> Response:
    """Send a request on a new connection and return the response."""
    peer = await server.connect()
    peer.send("\r\n".join([line, *fields, "", ""]).encode() + body)
    return await peer.response(to_head=line.startswith("HEAD"))


async def closed_without_a_body(peer: Peer) -> Response:
    """Return the response to a HEAD request, after checking that no body follows."""
    rest = await peer.rest()
    head, _, body = rest.partition(b"\r\n\r\n")
    assert body == b""
    return Response(head, b"")


# -- the requested host (RFC 9112 sections 3.2.2 and 3.3) --


@pytest.mark.parametrize(
    ("line", "host", "url"),
    [
        ("GET http://b:81/c?d HTTP/1.1", "b:81", "http://b:81/c?d"),
        ("GET http://b HTTP/1.1", "b", "http://b/"),
        ("GET /c HTTP/1.1", "a", "http://a/c"),
        ("OPTIONS * HTTP/1.1", "a", "http://a"),
        ("OPTIONS http://b:81 HTTP/1.1", "b:81", "http://b:81"),
    ],
)
async def test_requested_host_and_url(way: Any, line: str, host: str, url: str) -> None:
    async with way() as server:
        answer = await ask(server, line, "X: y", "host: a")
        assert answer.body.decode() == f"{host} {host} {url}"


async def test_absolute_target_without_host_field_in_http_1_0(way: Any) -> None:
    async with way() as server:
        answer = await ask(server, "GET http://b:81/ HTTP/1.0", "X: y")
        assert answer.body == b"b:81 b:81 http://b:81/"


async def test_empty_host_is_accepted(way: Any) -> None:
    async with way() as server:
        assert (await ask(server, "GET / HTTP/1.1", "Host:")).body == b"  http:///"


# -- 417 (RFC 9110 section 10.1.1) --


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST / HTTP/1.1"])
async def test_unknown_expectation_is_rejected_with_417(way: Any, line: str) -> None:
    length = ["Content-Length: 5"] if line.startswith("POST") else []
    async with way() as server:
        for value in ("Expect: 200-ok", "Expect: 100-continue, x"):
            peer = await server.connect()
            peer.send("\r\n".join([line, "Host: a", value, *length, "", ""]).encode())
            answer = await peer.response()
            assert (answer.code, answer.get("connection")) == (417, "close")
            assert await peer.rest() == b""
        assert (await ask(server, line.replace("1.1", "1.0"), "Expect: 200-ok")).code == 200


# -- 421 (RFC 9110 section 7.4) --


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
async def test_https_target_without_tls_is_rejected_with_421(way: Any, scheme: str) -> None:
    async with way() as server:
        answer = await ask(server, f"GET {scheme}://b/ HTTP/1.1", "Host: b", "X-Forwarded-Proto: https")
        assert (answer.code, answer.get("connection")) == (421, "close")
        assert (await ask(server, "GET /https://b/ HTTP/1.1", "Host: b")).code == 200


@pytest.mark.parametrize("options", [{"xheaders": True}, {"protocol": "https"}])
async def test_https_target_is_served_behind_trusted_gateway(way: Any, options: Any) -> None:
    async with way(**options) as server:
        answer = await ask(server, "GET https://b/ HTTP/1.1", "Host: a", "X-Forwarded-Proto: https")
        assert answer.body == b"b b https://b/"


async def test_both_schemes_are_served_over_tls(way: Any, certificates: Any) -> None:
    async with way(tls=certificates) as server:
        for scheme in ("http", "https"):
            answer = await ask(server, f"GET {scheme}://b/ HTTP/1.1", "Host: a")
            assert answer.body == b"b b https://b/"


# -- the response --

BAD = {
    400: "GET / HTTP/1.1\r\n\r\n",
    413: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n",
    414: f"GET /{'a' * 5000} HTTP/1.1\r\nHost: a\r\n\r\n",
    417: "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
    421: "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    431: f"GET / HTTP/1.1\r\nHost: a\r\nX: {'a' * 5000}\r\n\r\n",
    505: "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("code", BAD)
async def test_error_response_is_complete(way: Any, code: int) -> None:
    async with way(max_header_size=4000, max_body_size=1000) as server:
        peer = await server.connect()
        peer.send(BAD[code])
        answer = await peer.response()
        assert await peer.rest() == b""
        assert (answer.code, answer.get("connection")) == (code, "close")
        assert re.fullmatch(rf"{code} [A-Z].*\n", answer.body.decode())
        (date,) = answer.get_all("date")  # RFC 9110 section 6.6.1
        assert parse_http_date(date) is not None


@pytest.mark.parametrize(("field", "code"), [("Content-Length: 1001", 413), ("Expect: x", 417)])
async def test_error_response_to_head_has_no_body(way: Any, field: str, code: int) -> None:
    """A response to HEAD has no body (RFC 9110 section 9.3.2)."""
    async with way(max_body_size=1000) as server:
        peer = await server.connect()
        peer.send(f"HEAD / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")
        answer = await closed_without_a_body(peer)
        assert answer.code == code
        assert int(answer.get("content-length")) > 0


async def test_log_lines_about_malformed_requests_are_limited(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tornado.general")
    monkeypatch.setattr(_log_rate_limit, "time", SimpleNamespace(monotonic=lambda: 0.0))
    async with serving(web.Application()) as server:
        for _ in range(15):
            peer = await server.connect()
            peer.send(b"\0")
            assert (await peer.response()).code == 400
        assert len(caplog.messages) == 10
        monkeypatch.setattr(_log_rate_limit, "time", SimpleNamespace(monotonic=lambda: 2.0))
        peer = await server.connect()
        peer.send(b"\0")
        assert (await peer.response()).code == 400
    assert caplog.messages[-1].startswith("Malformed HTTP message from 127.0.0.1: ")
    assert caplog.messages[-1].endswith("(and 5 more since the last such line)")


@pytest.mark.parametrize(
    ("path", "fields", "code", "fault"),
    [
        ("/", "Content-Length: 9", 413, "Content-Length 9 is over the limit of 8 bytes (max_body_size)"),
        ("/", "Transfer-Encoding: chunked\r\n\r\n9", 413, "over the limit of 8 bytes (max_body_size)"),
        ("/" + "x" * 200, "A: b", 414, "request line longer than 200 bytes (max_header_size)"),
        ("/", "A: " + "b" * 200, 431, "message head longer than 200 bytes (max_header_size)"),
        ("/", "A: b\r\n" * 4 + "A: b", 431, "exceed the limit of 5 (max_header_count)"),
    ],
)
async def test_oversized_request_is_not_logged_as_malformed(
    path: str, fields: str, code: int, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tornado.general")
    async with serving(web.Application(), max_header_size=200, max_header_count=5, max_body_size=8) as server:
        peer = await server.connect()
        peer.send(f"POST {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n")
        assert (await peer.response()).code == code
    (line,) = caplog.messages
    assert line.startswith("Unsatisfiable read, oversized message from 127.0.0.1: ")
    assert line.endswith(fault)


async def test_request_line_may_be_as_long_as_max_header_size() -> None:
    async with serving(web.Application(), max_header_size=200_000) as server:
        assert (await server.fetch("/" + "x" * 150_000)).code == 404
        assert (await server.fetch("/" + "x" * 200_000)).code == 414


# -- the access log --

REFUSED = {
    "GET /": "GET / HTTP/1.1\r\n\r\n",
    "- -": "\0\0\r\n\r\n",
    "BREW /pot?a=b": "BREW /pot?a=b HTTP/9.9\r\nHost: a\r\n\r\n",
    r"GET /\\x9b2J\xe9": b"GET /\x9b2J\xe9 HTTP/1.1\r\nHost: a b\r\n\r\n",
}


class Seen(logging.Handler):
    """A logging handler that collects lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def seen(expect_log: ExpectLog) -> Any:
    """The lines of the access log. Lines of level WARNING do not make the test fail."""
    handler, access = Seen(), logging.getLogger("tornado.access")
    access.addHandler(handler)
    with expect_log("tornado.access", "", required=False):
        yield handler.lines
    access.removeHandler(handler)


@pytest.mark.parametrize("code", BAD)
async def test_rejected_requests_are_in_access_log(way: Any, code: int, seen: list[str]) -> None:
    async with way(max_header_size=4000, max_body_size=1000, access_log=logging.INFO) as server:
        peer = await server.connect()
        peer.send(BAD[code])
        assert (await peer.response()).code == code
    method, target = BAD[code].replace("https://a", "").split(" ")[:2]
    (line,) = seen
    assert line.startswith(f"{code} {method} {target[:200]}")
    assert re.search(r"\(127\.0\.0\.1\) [0-9.]+ms$", line)


@pytest.mark.parametrize("words", REFUSED)
async def test_method_and_target_of_malformed_request_are_logged(words: str, seen: list[str]) -> None:
    async with serving(web.Application(), access_log=logging.INFO) as server:
        peer = await server.connect()
        peer.send(REFUSED[words])
        code = (await peer.response()).code
    assert re.fullmatch(rf"{code} {words.replace('?', '[?]')} \(127.0.0.1\) .*ms", seen[0])


@pytest.mark.parametrize("code", BAD)
async def test_rejected_requests_are_passed_to_log_function(code: int) -> None:
    logged: list[Any] = []
    program = web.Application([("/.*", EchoHost)], log_function=logged.append)
    async with serving(program, max_header_size=4000, max_body_size=1000) as server:
        peer = await server.connect()
        peer.send(BAD[code])
        assert (await peer.response()).code == code
    (handler,) = logged
    request = handler.request
    assert (handler.get_status(), request.remote_ip) == (code, "127.0.0.1")
    assert request.method == BAD[code].partition(" ")[0]
    assert request.path.startswith("/") or code == 421
    assert request.request_time() >= 0
    assert request.host
    assert request.arguments == {}
    assert f"{request.method} " in request_summary(handler)


async def test_overridden_log_request_is_called_for_rejected_requests() -> None:
    logged: list[tuple[int, str | None]] = []

    class Own(web.Application):
        def log_request(self, handler: web.RequestHandler) -> None:
            logged.append((handler.get_status(), handler.request.remote_ip))

    async with serving(Own(), xheaders=True, max_body_size=5) as server:
        for fields in ("Expect: x", "Content-Length: 9"):
            peer = await server.connect()
            peer.send(f"POST / HTTP/1.1\r\nHost: a\r\nX-Real-Ip: 9.9.9.9\r\n{fields}\r\n\r\n")
            await peer.response()
    assert logged == [(417, "9.9.9.9"), (413, "9.9.9.9")]


async def test_handler_that_answers_413_is_logged_once(expect_log: ExpectLog) -> None:
    logged: list[Any] = []

    class Small(EchoHost):
        max_body_size = 5

    program = web.Application([("/", Small)], log_function=logged.append)
    async with serving(program) as server:
        peer = await server.connect()
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        with expect_log("tornado.general", "max_body_size"):
            assert (await peer.response()).code == 413
    assert [handler.get_status() for handler in logged] == [413]


async def test_error_outside_handlers_is_in_access_log(seen: list[str], expect_log: ExpectLog) -> None:
    def fail(request: Any) -> None:
        raise ZeroDivisionError

    async with serving(fail, access_log=logging.INFO) as server:
        with expect_log("tornado.application", r"Uncaught exception while serving .*: GET /\\x9b"):
            peer = await server.connect()
            peer.send(b"GET /\x9b HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await peer.response()).code == 500
    assert seen[0].startswith(r"500 GET /\x9b (127.0.0.1)")


async def test_error_in_log_function_does_not_prevent_response(expect_log: ExpectLog) -> None:
    def fail(handler: Any) -> None:
        raise ZeroDivisionError

    async with serving(web.Application(log_function=fail)) as server:
        with expect_log("tornado.application", "Uncaught exception while logging a rejected request"):
            peer = await server.connect()
            peer.send(b"\0")
            assert (await peer.response()).code == 400


async def test_access_log_lines_for_rejected_requests_are_limited(
    monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
) -> None:
    logged: list[Any] = []
    monkeypatch.setattr(_log_rate_limit, "time", SimpleNamespace(monotonic=lambda: 0.0))
    async with serving(web.Application(log_function=logged.append)) as server:

        async def refused() -> None:
            peer = await server.connect()
            peer.send(b"\0")
            assert (await peer.response()).code == 400
            await peer.close()

        for _ in range(120):
            await refused()
        assert len(logged) == 100
        monkeypatch.setattr(_log_rate_limit, "time", SimpleNamespace(monotonic=lambda: 2.0))
        with expect_log("tornado.general", "20 requests rejected with status 400 were not logged"):
            await refused()
    assert len(logged) == 101
