"""The responses of ASGI applications: framing, header fields, and extensions."""

from __future__ import annotations

import pytest

from tests.support.server import serving
from tests.support.streams import has_writer, run_loop_iterations
from tornado.asgi import ASGIContainer


def responding(*messages):
    """Return an application that sends `messages`."""

    async def application(scope, receive, send):
        for message in messages:
            await send(message)

    return ASGIContainer(application)


def start(status=200, *fields, **values):
    return {"type": "http.response.start", "status": status, "headers": list(fields), **values}


def part(body=b"", more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


async def exchange(container, method="GET", version="HTTP/1.1", fields=""):
    async with serving(container) as server:
        return await server.exchange(f"{method} / {version}\r\nHost: a\r\nConnection: close\r\n{fields}\r\n")


async def test_response_with_one_part_has_a_content_length():
    async with serving(responding(start(201, (b"x-a", b"1"), (b"x-a", b"2")), part(b"abc"))) as server:
        peer = await server.connect()
        for _ in range(2):
            response = await peer.fetch("/")
            assert response.head.startswith(b"HTTP/1.1 201 Created\r\n")
            assert (response.get("content-length"), response.body) == ("3", b"abc")
            assert response.get_all("x-a") == ["1", "2"]
            assert response.get("server").startswith("TornadoServer/")
            assert response.get("date").endswith("GMT")


async def test_response_with_several_parts_is_chunked():
    async with serving(responding(start(), part(b"a", True), part(b"", True), part(b"b"))) as server:
        response = await server.fetch("/")
    assert (response.get("transfer-encoding"), response.body) == ("chunked", b"ab")


async def test_content_length_of_the_application_is_kept():
    async with serving(
        responding(start(200, (b"Content-Length", b"2")), part(b"a", True), part(b"b"))
    ) as server:
        response = await server.fetch("/")
    assert (response.get("content-length"), response.get("transfer-encoding")) == ("2", None)
    assert response.body == b"ab"


async def test_server_and_date_of_the_application_are_kept():
    async with serving(responding(start(200, (b"server", b"own"), (b"date", b"now")), part())) as server:
        response = await server.fetch("/")
    assert (response.get_all("server"), response.get_all("date")) == (["own"], ["now"])


async def test_http_1_0_response_ends_with_the_connection():
    data = await exchange(responding(start(), part(b"a", True), part(b"b")), version="HTTP/1.0")
    assert data.endswith(b"\r\n\r\nab")
    assert b"chunked" not in data


async def test_connection_close_of_the_application():
    container = responding(
        start(200, (b"connection", b"close"), (b"transfer-encoding", b"chunked")), part(b"a")
    )
    async with serving(container) as server:
        data = await server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"Connection: close\r\n" in data
    assert data.lower().count(b"transfer-encoding") == 0
    assert data.endswith(b"\r\n\r\na")


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("length", [True, False])
async def test_head_request_gets_no_body(parts, length):
    body = [part(b"abc")] if parts == 1 else [part(b"a", True), part(b"bc")]
    fields = [(b"content-length", b"3")] if length else []
    async with serving(responding(start(200, *fields), *body)) as server:
        peer = await server.connect()
        for _ in range(2):
            response = await peer.fetch("/", method="HEAD")
            assert response.code == 200
            assert response.get("content-length") == ("3" if length else None)


@pytest.mark.parametrize("status", [204, 304])
async def test_status_without_a_body(status):
    async with serving(responding(start(status, (b"etag", b'"a"')), part())) as server:
        peer = await server.connect()
        for _ in range(2):
            response = await peer.fetch("/")
            assert (response.code, response.get("content-length")) == (status, None)
            assert response.get("transfer-encoding") is None


@pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (304, "GET")])
async def test_endless_body_that_is_not_sent_does_not_block_the_event_loop(status, method):
    async def application(scope, receive, send):
        if scope["path"] == "/other":
            await send(start())
            await send(part(b"abc"))
            return
        await send(start(status))
        while True:
            await send(part(b"x" * 1000, True))

    async with serving(ASGIContainer(application)) as server:
        peer = await server.connect()
        peer.get("/", method=method)
        assert (await peer.response(to_head=True)).code == status
        assert (await server.fetch("/other")).body == b"abc"


async def test_later_parts_of_a_body_after_204_are_discarded(expect_log):
    parts = [part(b"abc", True), part(b"def", True), part()]
    with expect_log("tornado.application", "Discarded 3 bytes written after a 204 response") as log:
        async with serving(responding(start(204), *parts)) as server:
            peer = await server.connect()
            assert (await peer.fetch("/")).code == 204
            assert (await peer.fetch("/")).code == 204
    assert len(log.records) == 2


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([start(200, (b"content-length", b"2")), part(b"a", True), part(b"bc")], "more data than Content-L"),
        ([start(200, (b"content-length", b"4")), part(b"a", True), part()], "3 bytes less than Content-L"),
    ],
)
async def test_body_of_another_length_than_announced(messages, text, expect_log):
    with expect_log("tornado.application", "Uncaught exception in the ASGI application") as log:
        data = await exchange(responding(*messages))
    assert text in str(log.records[0].exc_info[1])
    assert b"\r\n\r\nabc" not in data


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([part()], "unexpected ASGI message 'http.response.body', expected 'http.response.start'"),
        ([start(), start()], "unexpected ASGI message 'http.response.start', expected 'http.response.body'"),
        ([start(100)], "status must be a final status code (200 to 999), got 100"),
        ([start("200")], "status must be an int, got str: '200'"),
        (
            [{"type": "http.other"}],
            "unknown ASGI message type 'http.other'; expected one of http.response.start",
        ),
        ([start(200, ("a", b"b")), part()], "the name of an ASGI header must be bytes, got str: 'a'"),
        ([start(200, (b"a", "b")), part()], "the value of the ASGI header b'a' must be bytes, got str: 'b'"),
        ([start(200, (b"date", "b")), part()], "the value of the ASGI header b'date' must be bytes, got str"),
        ([start(200, b"ab"), part()], "an ASGI header must be a pair of name and value, got b'ab'"),
        ([start(200, (b"content-length", b"2")), part(b"abc")], "content-length is 2, but the body of"),
        ([start(200, (b"content-length", b"4")), part(b"abc")], "content-length is 4, but the body of"),
        ([start(200, (b"a b", b"c")), part()], "the name of an ASGI header must be a token, got b'a b'"),
        (
            [start(200, (b"a", b"b\r\nc: d")), part()],
            "must not contain control characters, got b'b\\r\\nc: d'",
        ),
        ([start(200, (b"a", b"\0")), part()], "must not contain control characters, got b'\\x00'"),
        ([start(200, (b"a", b"\n")), part()], "must not contain control characters"),
        ([start(200, (b"server", b"a\r\nb: c")), part()], "must not contain control characters"),
        ([start(200, (b"content-length", b"x")), part()], "content-length must be a single decimal number"),
        ([start(200, *[(b"content-length", b"0")] * 2), part()], "content-length must be a single decimal"),
        ([start(), {"type": "http.response.body", "body": "text"}], "body must be bytes, got str: 'text'"),
        ([start(), {"type": "http.response.trailers"}], "unexpected ASGI message 'http.response.trailers'"),
    ],
)
async def test_fault_of_the_application(messages, error, expect_log):
    with expect_log("tornado.application", "Uncaught exception in the ASGI application") as log:
        async with serving(responding(*messages)) as server:
            assert (await server.fetch("/")).code == 500
    assert error in str(log.records[0].exc_info[1])


async def test_other_types_of_bytes():
    async with serving(responding(start(), part(bytearray(b"a"), True), part(memoryview(b"b")))) as server:
        assert (await server.fetch("/")).body == b"ab"


async def test_send_waits_for_a_client_that_does_not_read():
    async def application(scope, receive, send):
        await send(start())
        for number in range(300):
            sent.append(number)
            await send(part(bytes(100_000), True))
        await send(part())

    sent: list[int] = []
    async with serving(ASGIContainer(application)) as server:
        peer = await server.connect()
        peer.writer.transport.pause_reading()
        peer.get("/")
        while not any(has_writer(each.stream) for each in server.connections):
            await run_loop_iterations()
        assert 0 < len(sent) < 300
        peer.writer.transport.resume_reading()
        assert len((await peer.response()).body) == 30_000_000


# -- extensions --


async def test_trailers():
    container = responding(
        start(200, (b"trailer", b"x-sum"), trailers=True),
        part(b"abc"),
        {"type": "http.response.trailers", "headers": [(b"x-a", b"1")], "more_trailers": True},
        {"type": "http.response.trailers", "headers": [(b"x-sum", b"2")]},
    )
    data = await exchange(container, fields="TE: deflate, Trailers;q=1\r\n")
    assert data.endswith(b"3\r\nabc\r\n0\r\nx-a: 1\r\nx-sum: 2\r\n\r\n")
    assert (await exchange(container)).endswith(b"3\r\nabc\r\n0\r\n\r\n")


@pytest.mark.parametrize("length", [True, False])
async def test_file(length, tmp_path, tls):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 100_000)
    fields = [(b"content-length", b"1000000")] if length else []
    container = responding(start(200, *fields), {"type": "http.response.pathsend", "path": str(path)})
    async with serving(container, tls=tls) as server:
        peer = await server.connect()
        for _ in range(2):
            response = await peer.fetch("/")
            assert (response.get("content-length"), response.body) == ("1000000", path.read_bytes())
        assert (await peer.fetch("/", method="HEAD")).get("content-length") == "1000000"


async def test_small_file_that_is_sent_at_once(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    async with serving(responding(start(), {"type": "http.response.pathsend", "path": str(path)})) as server:
        peer = await server.connect()
        for _ in range(2):
            assert (await peer.fetch("/")).body == b"0123456789"


@pytest.mark.parametrize("status", [204, 304])
async def test_file_for_a_status_without_a_body(status, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    messages = start(status), {"type": "http.response.pathsend", "path": str(path)}
    async with serving(responding(*messages)) as server:
        peer = await server.connect()
        for _ in range(2):
            assert (await peer.fetch("/")).code == status


async def test_empty_file(tmp_path):
    path = tmp_path / "file"
    path.touch()
    async with serving(responding(start(), {"type": "http.response.pathsend", "path": path})) as server:
        peer = await server.connect()
        for _ in range(2):
            assert (await peer.fetch("/")).get("content-length") == "0"


async def test_missing_file_is_an_error_of_the_application(tmp_path, expect_log):
    container = responding(start(), {"type": "http.response.pathsend", "path": str(tmp_path / "missing")})
    with expect_log("tornado.application", "Uncaught exception in the ASGI application"):
        async with serving(container) as server:
            assert (await server.fetch("/")).code == 500


async def test_early_hints():
    container = responding(
        start(),
        {"type": "http.response.early_hint", "links": [b"</a>; rel=preload", b"</b>"]},
        part(b"abc"),
    )
    async with serving(container) as server:
        peer = await server.connect()
        for _ in range(2):
            peer.get("/")
            hint = await peer.response()
            assert (hint.code, hint.get_all("link")) == (103, ["</a>; rel=preload", "</b>"])
            response = await peer.response()
            assert (response.code, response.body) == (200, b"abc")
    data = await exchange(container, version="HTTP/1.0")
    assert b" 103 " not in data
