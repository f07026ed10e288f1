"""Input whose cost grew with the square of its size, or that could be sent without end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, serving
from tests.support.work import assert_linear
from tornado import escape, httputil, web
from tornado._forwarded_fields import parse_forwarded
from tornado._wire.h1 import Reader, ReaderState, Role
from tornado.httpclient import HTTPClientError
from tornado.simple_httpclient import SimpleAsyncHTTPClient

COOKIES: dict[str, Callable[[int], str]] = {
    "backslashes": lambda n: 'a="' + "\\" * n,
    "escaped quotes": lambda n: 'a="' + '\\"' * (n // 2) + '"',
    "octal escapes": lambda n: 'a="' + "\\011" * (n // 4) + '"',
    "broken escapes": lambda n: 'a="' + "\\0" * (n // 2) + '"',
    "quotes": lambda n: '"' * n,
    "semicolons": lambda n: ";" * n,
    "pairs": lambda n: "".join(f"a{i}=b;" for i in range(n // 6)),
    "spaces": lambda n: "a=" + " " * n + "b",
}


@pytest.mark.parametrize("kind", COOKIES)
def test_cve_2024_52804_cookies_are_linear(kind: str) -> None:
    assert_linear(httputil.parse_cookie, COOKIES[kind], 30_000)


def test_cve_2024_52804_a_quoted_cookie_of_a_request() -> None:
    def read(cookie: str) -> None:
        request = httputil.HTTPServerRequest(
            start_line=httputil.RequestStartLine("GET", "/", "HTTP/1.1"),
            headers=httputil.HTTPHeaders({"Host": "a", "Cookie": cookie}),
        )
        assert request.cookies is not None

    assert_linear(read, COOKIES["octal escapes"], 30_000)


def test_cve_2025_67725_repeated_headers_are_linear() -> None:
    def add(lines: list[str]) -> None:
        headers = httputil.HTTPHeaders()
        for line in lines:
            headers.parse_line(line)
        assert headers["x-a"].count(",") == len(lines) - 1

    assert_linear(add, lambda n: ["X-A: " + "b" * 20 + "\r\n"] * n, 2_000)
    assert_linear(httputil.HTTPHeaders.parse, lambda n: "X-A: bbbbbbbbbbbbbbbbbbbb\r\n" * n, 2_000)


def test_cve_2025_67725_repeated_fields_of_a_request_are_linear() -> None:
    """The fields are parsed as by the server, without its limit on their number."""
    from tornado._wire.heads import parse_request_head
    from tornado._wire.limits import Limits

    limits = Limits(max_header_count=10**6)

    def read(block: bytes) -> None:
        assert parse_request_head(block, limits).headers["x-a"]

    assert_linear(
        read, lambda n: b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: bbbbbbbbbbbbbb\r\n" * n + b"\r\n", 2_000
    )


PARAMETERS: dict[str, Callable[[int], str]] = {
    "many": lambda n: "form-data" + ";a=b" * (n // 4),
    "semicolons": lambda n: "form-data" + ";" * n,
    "open quotes": lambda n: "form-data" + ';a="' * (n // 4),
    "quoted semicolons": lambda n: 'form-data; a="' + ";" * n + '"',
    "open and quoted": lambda n: 'form-data; a="' + ";" * n,
    "backslashes": lambda n: 'form-data; a="' + "\\" * n,
    "escaped quotes": lambda n: 'form-data; a="' + '\\"' * (n // 2),
    "continuations": lambda n: "form-data" + "".join(f";a*{i}=b" for i in range(n // 9)),
    "apostrophes": lambda n: "form-data; a*=" + "'" * n,
    "percents": lambda n: "form-data; a*=utf-8''" + "%" * n,
}


@pytest.mark.parametrize("kind", PARAMETERS)
def test_cve_2025_67726_parameters_are_linear(kind: str) -> None:
    assert_linear(httputil._parse_header, PARAMETERS[kind], 30_000)


ESCAPES: dict[str, Callable[[int], str]] = {
    "escapes": lambda n: "%41" * (n // 3),
    "percents": lambda n: "%" * n,
    "broken": lambda n: "%4" * (n // 2),
    "no text": lambda n: "%ff" * (n // 3),
    "fields": lambda n: "a=%41&" * (n // 6),
}


@pytest.mark.parametrize("kind", ESCAPES)
def test_percent_decoding_is_linear(kind: str) -> None:
    def unescape(text: str) -> None:
        escape.url_unescape(text, encoding=None)
        escape.url_unescape(text, encoding=None, plus=False)
        escape.parse_qs_bytes(text)

    assert_linear(unescape, ESCAPES[kind], 30_000)
    assert_linear(
        lambda text: httputil.parse_body_arguments(FORM, text.encode(), {}, {}, config=MANY),
        ESCAPES[kind],
        30_000,
    )


FORM = "application/x-www-form-urlencoded"
MANY = httputil.ParseBodyConfig(
    multipart=httputil.ParseMultipartConfig(max_parts=10**6, max_part_header_size=10**7),
    urlencoded=httputil.ParseUrlEncodedConfig(max_arguments=10**6),
)
MULTIPART = "multipart/form-data; boundary=b"


FORWARDED: dict[str, Callable[[int], str]] = {
    "spaces": lambda n: "for=" + " " * n + '"',
    "quotes": lambda n: '"' * n,
    "escaped quotes": lambda n: '"\\' * (n // 2),
    "semicolons": lambda n: ";" * n,
    "parameters": lambda n: "for=a;" * (n // 6),
    "elements": lambda n: "for=a," * (n // 6) + '"',
}


@pytest.mark.parametrize("kind", FORWARDED)
def test_forwarded_is_linear(kind: str) -> None:
    assert_linear(parse_forwarded, FORWARDED[kind], 8_000)


def multipart(count: int, disposition: str = 'form-data; name="a"') -> bytes:
    part = f"--b\r\nContent-Disposition: {disposition}\r\n\r\nx\r\n".encode()
    return part * count + b"--b--\r\n"


BODIES: dict[str, Callable[[int], bytes]] = {
    "parts": lambda n: multipart(n // 50),
    "near boundaries": lambda n: multipart(1)[:-7] + b"\r\n--" * (n // 4) + b"\r\n--b--\r\n",
    "line ends": lambda n: multipart(1)[:-7] + b"\r\n" * (n // 2) + b"--b--\r\n",
    "one header": lambda n: multipart(1, 'form-data; name="' + "a" * n + '"'),
    "no boundary": lambda n: multipart(1)[:-7] + b"-" * n,
}


@pytest.mark.parametrize("kind", BODIES)
def test_cve_2026_31958_multipart_bodies_are_linear(kind: str) -> None:
    def parse(body: bytes) -> None:
        try:
            httputil.parse_body_arguments(MULTIPART, body, {}, {}, config=MANY)
        except httputil.HTTPInputError:
            assert kind == "no boundary"

    assert_linear(parse, BODIES[kind], 30_000)


def test_cve_2026_31958_parts_and_their_headers_are_limited() -> None:
    httputil.parse_body_arguments(MULTIPART, multipart(100), {}, {})
    with pytest.raises(httputil.HTTPInputError, match="too many parts: at most 100"):
        httputil.parse_body_arguments(MULTIPART, multipart(101), {}, {})
    long = 'form-data; name="' + "a" * 10 * 1024 + '"'
    with pytest.raises(httputil.HTTPInputError, match="part header too large"):
        httputil.parse_body_arguments(MULTIPART, multipart(1, long), {}, {})


async def test_cve_2026_31958_a_server_answers_400(expect_log: ExpectLog) -> None:
    handler = handler_of(post=lambda self: self.write(self.get_argument("a")))
    with expect_log("tornado.general", "too many parts"):
        response = await ask(handler, f"Content-Type: {MULTIPART}", method="POST", body=multipart(101))
    assert response.code == 400


@pytest.mark.parametrize(
    "body",
    [b"x" * 10_000, multipart(1)[:-7], b"--b\r\n\r\n" * 50 + b"--b--", b"--b\r\nA\r\n\r\n" * 50 + b"--b--"],
)
async def test_cve_2025_47287_malformed_body_causes_one_log_line(body: bytes, expect_log: ExpectLog) -> None:
    """All errors of one body are logged in a single line, whose length the client cannot influence."""
    handler = handler_of(post=lambda self: self.write(self.get_argument("a")))
    with expect_log("tornado", "") as expected:
        response = await ask(handler, f"Content-Type: {MULTIPART}", method="POST", body=body)
    assert response.code == 400
    assert len(expected.records) == 1
    assert len(expected.records[0].getMessage()) < 500


@pytest.mark.parametrize("body", [b"%ff=%ff&" * 200, b"&" * 999, b"=" * 5000])
async def test_cve_2025_47287_unusual_form_causes_no_log_line(body: bytes) -> None:
    handler = handler_of(post=lambda self: self.write(self.get_argument("none", "reached")))
    assert (await ask(handler, f"Content-Type: {FORM}", method="POST", body=body)).body == b"reached"


async def test_cve_2026_82397_fields_of_a_form_are_limited(expect_log: ExpectLog) -> None:
    handler = handler_of(post=lambda self: self.write(str(len(self.request.arguments))))
    fields = b"&".join(b"a%d=" % i for i in range(1001))
    with expect_log("tornado.general", "Max number of fields exceeded: a form may have at most 1000"):
        assert (await ask(handler, f"Content-Type: {FORM}", method="POST", body=fields)).code == 400
    allowed = fields.rpartition(b"&")[0]
    assert (await ask(handler, f"Content-Type: {FORM}", method="POST", body=allowed)).body == b"1000"


async def test_cve_2026_82397_fields_of_a_query_are_limited() -> None:
    handler = handler_of(get=lambda self: self.write(str(len(self.request.arguments))))
    async with serving(web.Application([("/", handler)])) as server:
        assert (await server.fetch("/?" + "a&" * 999)).body == b"1"
        answer = await server.exchange(
            "GET /?" + "a&" * 1001 + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 400 ")


async def test_cve_2026_82397_header_fields_are_limited() -> None:
    async with serving(
        web.Application([("/", handler_of(get=lambda self: self.write("reached")))])
    ) as server:
        head = "GET / HTTP/1.1\r\nHost: a\r\n"
        assert (await server.exchange(head + "a:\r\n" * 1000 + "\r\n")).startswith(b"HTTP/1.1 431 ")
        answer = await server.exchange(head + "Connection: close\r\n" + "a:\r\n" * 990 + "\r\n")
        assert answer.endswith(b"reached")


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def read_body(data: bytes, role: Role = Role.SERVER, step: int = 65536) -> int:
    """Parse a message in steps, as it is received from a socket; return the number of events in its body."""
    reader = Reader(role)
    events = 0
    for start in range(0, len(data), step):
        reader.receive_data(data[start : start + step])
        while (event := reader.next_event()) is not None:
            events += isinstance(event, bytes)
    assert reader.state is ReaderState.DONE
    return events


def test_cve_2026_115927_one_byte_chunks_are_joined() -> None:
    def chunks(n: int) -> bytes:
        return CHUNKED + b"1\r\nx\r\n" * n + b"0\r\n\r\n"

    # One event per 64 KiB received, not one per chunk.
    assert read_body(chunks(100_000)) <= 600_000 // 65536 + 2
    assert_linear(read_body, chunks, 10_000)
    assert_linear(lambda data: read_body(data, step=1000), chunks, 10_000)


async def test_cve_2026_115927_one_byte_chunks_reach_a_handler_joined() -> None:
    pieces: list[int] = []

    @web.stream_request_body
    class Streaming(web.RequestHandler):
        """A handler that records the size of each chunk, and responds with the total."""

        def data_received(self, chunk: bytes) -> None:
            pieces.append(len(chunk))

        def post(self) -> None:
            self.write(str(sum(pieces)))

    async with serving(web.Application([("/", Streaming)])) as server:
        peer = await server.connect()
        peer.send(CHUNKED + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n")
        assert (await peer.response()).body == b"50000"
    assert len(pieces) < 1000


async def fetch_from(answer: Callable[[asyncio.StreamWriter], Any], **options: Any) -> Any:
    """Fetch from a server that calls `answer` for each connection; return the client's result."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await answer(writer)
        except OSError:
            pass
        writer.close()
        # A reset is also the exception of a Future that asyncio retrieves in a finalizer. Without a GIL, the
        # collector may finalize the Future first.
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = SimpleAsyncHTTPClient(force_instance=True)
    try:
        return await client.fetch(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", **options)
    finally:
        client.close()
        listening.close()
        await listening.wait_closed()


async def test_interim_responses_without_end() -> None:
    """The server sends 100, 102 or 103 without end."""
    for code in (100, 102, 103, 199):
        said = 0

        async def flood(writer: asyncio.StreamWriter, code: int = code) -> None:
            nonlocal said
            while True:
                writer.write(f"HTTP/1.1 {code} x\r\n\r\n".encode())
                await writer.drain()
                said += 1

        with pytest.raises(HTTPClientError) as caught:
            await fetch_from(flood)
        assert caught.value.code == 599
        assert said > 10


async def test_a_few_interim_responses_are_accepted() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        )

    assert (await fetch_from(answer)).body == b"ok"
