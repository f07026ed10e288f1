"""The points of RFC 9110 and RFC 9112 that servers most often get wrong, numbered.

The corpus in ``compliance/http1`` tests them in detail; this file is an overview.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.server import Response, Server, serving
from tornado import web

LIMITS = {"max_header_size": 4096, "max_body_size": 1000}
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


class Echo(web.RequestHandler):
    """Responds with the method, path, host and body of the request."""

    def get(self) -> None:
        self.write(f"{self.request.method} {self.request.path} {self.request.host} ")
        self.write(self.request.body)

    post = options = put = get

    def head(self) -> None:
        """Respond with an empty body."""


class Late(web.RequestHandler):
    """Responds after the event in the settings is set."""

    async def get(self) -> None:
        await self.application.settings["released"].wait()
        self.write("late")


@pytest.fixture
def application() -> web.Application:
    return web.Application([("/late", Late), (".*", Echo)], released=asyncio.Event())


async def exchange(server: Server, data: bytes) -> list[Response]:
    """Send `data` on a new connection and return all responses until it is closed."""
    rest = await server.exchange(data)
    answers = []
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        response = Response(head + b"\r\n", b"")
        if response.code >= 200:
            length = int(response.get("content-length"))
            response.body, rest = rest[:length], rest[length:]
        answers.append(response)
    return answers


def post(body: bytes, *fields: bytes, version: bytes = b"1.1", close: bool = True) -> bytes:
    """Return a request with a body."""
    lines = [b"POST /p HTTP/" + version, b"Host: a", *fields, *([b"Connection: close"] if close else [])]
    return b"\r\n".join([*lines, b"", body])


async def assert_rejected(server: Server, data: bytes, *codes: int) -> None:
    """Check that the only response is an error with one of `codes` that closes the connection."""
    (answer,) = await exchange(server, data + NEXT)
    assert answer.code in codes, answer.head
    assert answer.get("connection") == "close"


CHUNKED = b"Transfer-Encoding: chunked"


async def test_point_1_chunk_extensions_and_trailers_are_ignored(application: Any) -> None:
    async with serving(application, **LIMITS) as server:
        body = b'5;a="b;c" ;d\r\nhello\r\n0;e\r\nContent-Length: 3\r\nX-A: b\r\n\r\n'
        (answer,) = await exchange(server, post(body, CHUNKED))
        assert answer.body == b"POST /p a hello"
        await assert_rejected(server, post((b"1;" + b"x" * 3000 + b"\r\na\r\n") * 20, CHUNKED), 400)
        await assert_rejected(server, post(b"0\r\n" + b"a: b\r\n" * 5000 + b"\r\n", CHUNKED), 400, 431)


async def test_point_2_oversized_requests_get_error_responses(application: Any) -> None:
    async with serving(application, **LIMITS) as server:
        await assert_rejected(server, b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414)
        await assert_rejected(server, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 5000 + b"\r\n\r\n", 431)
        await assert_rejected(server, post(b"5;" + b"x" * 5000 + b"\r\nhello\r\n0\r\n\r\n", CHUNKED), 400)
        await assert_rejected(server, post(bytes(1001), b"Content-Length: 1001"), 413)
        await assert_rejected(server, post(b"3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n", CHUNKED), 413)


@pytest.mark.parametrize(
    "fields",
    [
        "Connection: close",
        "Connection: CLOSE",
        "Connection: x, Close ,y",
        "Connection: keep-alive\r\nconnection: close",
    ],
)
async def test_point_3_close_in_any_line_and_case(fields: str, application: Any, tls: Any) -> None:
    async with serving(application, tls=tls) as server:
        (answer,) = await exchange(server, f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n".encode() + NEXT)
    assert (answer.code, answer.get("connection")) == (200, "close")


async def test_point_4_absolute_and_asterisk_form(application: Any) -> None:
    async with serving(application) as server:
        end = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        for target, body in (
            (b"GET http://b:80/c?d", b"GET /c b:80 "),
            (b"GET http://b", b"GET / b "),
            (b"OPTIONS *", b"OPTIONS * a "),
            (b"OPTIONS http://b", b"OPTIONS * b "),
        ):
            (answer,) = await exchange(server, target + end)
            assert (answer.code, answer.body) == (200, body)
        await assert_rejected(server, b"GET *" + end, 400)


async def test_point_5_expect(application: Any) -> None:
    async with serving(application, **LIMITS) as server:
        hello = b"Content-Length: 5"
        for value in (b"100-continue", b"100-Continue"):
            answers = await exchange(server, post(b"hello", hello, b"Expect: " + value))
            assert [answer.code for answer in answers][-1] == 200
        peer = await server.connect()
        peer.send(post(b"", hello, b"Expect: 100-CONTINUE"))
        assert (await peer.response()).code == 100
        peer.send(b"hello")
        assert (await peer.response()).body == b"POST /p a hello"
        (answer,) = await exchange(server, post(b"hello", hello, b"Expect: 100-continue", version=b"1.0"))
        assert answer.code == 200
        await assert_rejected(
            server, post(b"", b"Content-Length: 1001", b"Expect: 100-continue", close=False), 413
        )


async def test_point_6_transfer_encoding_in_1_0_closes(application: Any) -> None:
    async with serving(application) as server:
        data = post(HELLO, CHUNKED, b"Connection: keep-alive", version=b"1.0", close=False)
        answers = await exchange(server, data + NEXT)
    assert len(answers) == 1
    assert answers[0].code in (200, 400)


async def test_point_7_405_has_allow_field_and_errors_have_content_length(application: Any) -> None:
    async with serving(application) as server:
        (answer,) = await exchange(server, b"DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answer.code == 405
        assert set(answer.get("allow").split(", ")) == {"GET", "HEAD", "OPTIONS", "POST", "PUT"}
        for data in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\na\r\n\r\n",
        ):
            (answer,) = await exchange(server, data)
            assert (answer.code, answer.get("connection")) == (400, "close")
            assert int(answer.get("content-length")) == len(answer.body)


@pytest.mark.parametrize(
    "host",
    [
        "a:b",
        "a:99999",
        "a:-1",
        "[::1",
        "::1]",
        "[a]",
        "[::1]x",
        "a b",
        "a/b",
        "a@b",
        "a,b",
        "a:80:80",
        "[::1]:x",
        "a?",
    ],
)
async def test_point_8_malformed_host_is_rejected(host: str, application: Any) -> None:
    async with serving(application) as server:
        await assert_rejected(server, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), 400)
        await assert_rejected(server, f"GET / HTTP/1.1\r\nHost: a\r\nHost: {host}\r\n\r\n".encode(), 400)


async def test_point_9_half_closed_client_gets_response(application: Any) -> None:
    async with serving(application) as server:
        peer = await server.connect()
        peer.get("/late")
        peer.writer.write_eof()
        for _ in range(5):
            await asyncio.sleep(0)
        application.settings["released"].set()
        assert (await peer.response()).body == b"late"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\x01: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nx", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET / HTTP/1.1a\r\nHost: a\r\n\r\n", 400),
        ("get / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ],
)
async def test_point_10_ambiguous_request_is_rejected(
    data: str, code: int, application: Any, tls: Any
) -> None:
    """A second request that is pipelined after the ambiguous one is not processed."""
    async with serving(application, tls=tls) as server:
        (answer,) = await exchange(server, data.encode("latin-1") + NEXT)
    assert (answer.code, answer.get("connection")) == (code, "close")


@pytest.mark.parametrize(
    ("target", "path", "query", "group", "arguments"),
    [
        ("/g/a?q=100%", "/g/a", "q=100%", "a", {"q": ["100%"]}),
        ("/g/a?q=%u2603&r=%41", "/g/a", "q=%u2603&r=%41", "a", {"q": ["%u2603"], "r": ["A"]}),
        ("/g/100%", "/g/100%", "", "100%", {}),
        ("/g/%zz%41%4", "/g/%zz%41%4", "", "%zzA%4", {}),
        ("/g/a#b?c=d#e", "/g/a#b", "c=d#e", "a#b", {"c": ["d#e"]}),
    ],
)
async def test_target_is_served_as_sent(
    target: str, path: str, query: str, group: str, arguments: dict[str, list[str]]
) -> None:
    """Invalid percent-encodings and "#" are not changed, valid encodings are decoded, on both paths."""

    class EchoTarget(web.RequestHandler):
        def get(self, group: str) -> None:
            request = self.request
            decoded = {name: self.get_arguments(name) for name in request.arguments}
            self.write({"seen": [request.uri, request.path, request.query, group, decoded]})

    async with serving(web.Application([("/g/(.*)", EchoTarget)])) as server:
        for line in ("HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2"):
            fields = "Host: a\r\nConnection: close\r\n\r\n"
            (answer,) = await exchange(server, f"GET {target} {line}\r\n{fields}".encode())
            assert answer.code == 200
            assert json.loads(answer.body)["seen"] == [target, path, query, group, arguments]


async def test_higher_minor_version_is_served_as_1_1(application: Any) -> None:
    """After a request of a higher minor version, the connection is kept alive (RFC 9110 section 2.5)."""
    async with serving(application) as server:
        peer = await server.connect()
        for version in ("1.2", "1.9"):
            peer.send(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n")
            answer = await peer.response()
            assert (answer.code, answer.get("connection")) == (200, None)
