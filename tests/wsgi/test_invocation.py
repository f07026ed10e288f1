"""PEP 3333: start_response, write and the iterable. Most tests run in a thread and in the event loop's
thread.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from unittest.mock import Mock

import pytest

from tests.support.server import raised
from tests.wsgi.conftest import running
from tornado.httputil import HTTPConnection
from tornado.wsgi._invocation import Invocation
from tornado.wsgi._response_bridge import ResponseBridge

PLAIN = [("Content-Type", "text/plain")]
ERROR = "Uncaught exception in a WSGI application"


@pytest.fixture(params=[None, 4], ids=["loop", "threads"])
def threads(request):
    """The number of threads; None for the event loop's thread."""
    return request.param


def answering(body, status="200 OK", headers=PLAIN):
    def application(environ, start_response):
        start_response(status, headers)
        return body

    return application


async def fetch(application, *fields, threads=4, **options):
    async with running(application, threads) as server:
        return await server.fetch("/", *fields, **options)


async def test_plain_body_has_length_and_default_fields(threads):
    response = await fetch(answering([b"hello"]), threads=threads)
    assert (response.code, response.body) == (200, b"hello")
    assert response.get("content-length") == "5"
    assert response.get("content-type") == "text/plain"
    assert response.get("server").startswith("TornadoServer/")
    assert response.get("date")
    assert response.get("transfer-encoding") is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([], b""),
        ([b""], b""),
        ((b"a", b"", b"b"), b"ab"),
        ([bytearray(b"a"), memoryview(b"b")], b"ab"),
        ([b"x" * 50_000, b"y" * 50_000], b"x" * 50_000 + b"y" * 50_000),
    ],
)
async def test_a_list_has_a_length(body, expected, threads):
    response = await fetch(answering(body), threads=threads)
    assert response.body == expected
    assert response.get("content-length") == str(len(expected))


async def test_a_generator_is_chunked(threads):
    response = await fetch(answering(chunk for chunk in [b"a", b"", b"b"]), threads=threads)
    assert response.body == b"ab"
    assert response.get("transfer-encoding") == "chunked"
    assert response.get("content-length") is None


async def test_an_empty_generator_has_a_length(threads):
    response = await fetch(answering(iter([b""])), threads=threads)
    assert response.get("content-length") == "0"


async def test_a_generator_that_starts_its_response_itself(threads):
    def application(environ, start_response):
        start_response("201 Made", PLAIN)
        yield b"done"

    response = await fetch(application, threads=threads)
    assert response.head.startswith(b"HTTP/1.1 201 Made\r\n")
    assert response.body == b"done"


async def test_a_generator_of_known_length(threads):
    ended = []

    def body():
        yield b"ab"
        yield b"cd"
        ended.append(True)

    response = await fetch(answering(body(), headers=[("Content-Length", "4")]), threads=threads)
    assert response.body == b"abcd"
    assert response.get("transfer-encoding") is None
    assert ended == [True]


async def test_http_1_0_reads_until_the_connection_closes(threads):
    async with running(answering(iter([b"a", b"b"])), threads) as server:
        received = await server.exchange("GET / HTTP/1.0\r\n\r\n")
    assert received.endswith(b"\r\n\r\nab")
    assert b"chunked" not in received


async def test_first_chunk_is_sent_before_last_is_produced():
    read = threading.Event()

    def body():
        yield b"first"
        assert read.wait(20)
        yield b"last"

    async with running(answering(body())) as server:
        peer = await server.connect()
        peer.get("/")
        assert b"chunked" in await peer.reader.readuntil(b"\r\n\r\n")
        assert await peer.reader.readexactly(10) == b"5\r\nfirst\r\n"
        read.set()
        assert await peer.reader.readexactly(14) == b"4\r\nlast\r\n0\r\n\r\n"


async def test_write_precedes_the_iterable(threads):
    def application(environ, start_response):
        write = start_response("200 OK", PLAIN)
        write(b"a")
        write(b"")
        write(b"b")
        return [b"c"]

    response = await fetch(application, threads=threads)
    assert response.body == b"abc"
    assert response.get("transfer-encoding") == "chunked"


async def test_written_data_is_sent_immediately():
    read = threading.Event()

    def application(environ, start_response):
        write = start_response("200 OK", [("Content-Length", "2")])
        write(b"a")
        assert read.wait(20)
        write(b"b")
        return []

    async with running(application) as server:
        peer = await server.connect()
        peer.get("/")
        await peer.reader.readuntil(b"\r\n\r\n")
        assert await peer.reader.readexactly(1) == b"a"
        read.set()
        assert await peer.reader.readexactly(1) == b"b"


# -- responses without a body --


@pytest.mark.parametrize("body", [[b"hello"], iter([b"hel", b"lo"])], ids=["list", "iterator"])
async def test_response_to_head_has_no_body(body, threads):
    async with running(answering(body), threads) as server:
        peer = await server.connect()
        response = await peer.fetch("/", method="HEAD")
        assert response.get("content-length") == ("5" if isinstance(body, list) else None)
        # No bytes of a body were sent before the next response.
        assert (await peer.fetch("/", method="HEAD")).code == 200


async def test_head_of_application_without_body(threads):
    headers = [("Content-Length", "1234")]
    response = await fetch(answering([], headers=headers), threads=threads, method="HEAD")
    assert response.get("content-length") == "1234"


async def test_head_does_not_wait_for_an_endless_body(threads):
    closed = []

    def body():
        try:
            while True:
                yield b"more"
        finally:
            closed.append(True)

    response = await fetch(answering(body()), threads=threads, method="HEAD")
    assert response.code == 200
    assert closed == [True]


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("body", [[], [b"surplus"]])
async def test_statuses_without_a_body(status, body, threads):
    async with running(answering(body, status, [("X-A", "1")]), threads) as server:
        peer = await server.connect()
        for _ in range(2):
            response = await peer.fetch("/")
            assert response.code == int(status[:3])
            assert response.get("content-length") is None
            assert response.get("content-type") is None


async def test_204_has_no_length():
    response = await fetch(answering([], "204 No Content", [("Content-Length", "0")]))
    assert response.get("content-length") is None


# -- exc_info --


async def test_response_is_replaced_before_head_was_sent(threads):
    def application(environ, start_response):
        start_response("200 OK", [("X-First", "1")])
        yield b""
        try:
            raise KeyError("gone wrong")
        except KeyError:
            start_response("503 Sorry", [("X-Second", "1")], sys.exc_info())
        yield b"sorry"

    response = await fetch(application, threads=threads)
    assert (response.code, response.body) == (503, b"sorry")
    assert response.get("x-first") is None
    assert response.get("x-second") == "1"


async def test_response_is_not_replaced_after_head_was_sent(threads, expect_log):
    def application(environ, start_response):
        start_response("200 OK", PLAIN)
        yield b"begun"
        try:
            raise KeyError("gone wrong")
        except KeyError:
            start_response("503 Sorry", PLAIN, sys.exc_info())
        yield b"never"

    with expect_log("tornado.application", ERROR) as expected:
        async with running(application, threads) as server:
            received = await server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert received.endswith(b"5\r\nbegun\r\n")  # and no last chunk
    assert isinstance(raised(expected), KeyError)


# -- errors --


def raising(environ, start_response):
    raise ZeroDivisionError("of the application")


def raising_after_the_head(environ, start_response):
    start_response("200 OK", PLAIN)
    raise ZeroDivisionError("of the application")


def raising_system_exit(environ, start_response):
    raise SystemExit(3)


def returning_none(environ, start_response):
    start_response("200 OK", PLAIN)


def not_starting(environ, start_response):
    return []


def starting_late(environ, start_response):
    yield b"body"
    start_response("200 OK", PLAIN)


def starting_twice(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return []


FAULTY = [
    (raising, "of the application"),
    (raising_after_the_head, "of the application"),
    (returning_none, r"must return an iterable of bytes, such as \[body\], got None"),
    (answering("text"), "iterable of bytes.* got 'text'"),
    (answering(b"bytes"), "iterable of bytes.* got b'bytes'"),
    (answering(["text"]), "must yield bytes, got str: 'text'"),
    (answering([3]), "must yield bytes, got int: 3"),
    (answering({"key": 1}), "must yield bytes, got str: 'key'"),
    (not_starting, "without calling start_response"),
    (starting_late, "must call start_response before"),
    (starting_twice, "called again without exc_info"),
    (answering([b"abc"], headers=[("Content-Length", "2")]), "1 bytes more than its Content-Length"),
    (answering([], headers=[("Content-Length", "2")]), "2 bytes less than its Content-Length"),
    (answering([], "200"), None),
    (answering([], "OK"), "three digits, a space and a reason, as in '200 OK', got 'OK'"),
    (answering([], "200 O\r\nK"), "three digits"),
    (answering([], "101 Switching Protocols"), "must be a final one"),
    (answering([], headers=[("X", "a\r\nb")]), "control characters"),
    (answering([], headers=[("Transfer-Encoding", "chunked")]), "must not send 'transfer-encoding'"),
]


@pytest.mark.parametrize(("application", "message"), FAULTY)
async def test_errors_before_head_was_sent(application, message, threads, expect_log):
    async with running(application, threads) as server:
        peer = await server.connect()
        if message is None:
            assert (await peer.fetch("/path")).code == 200
            return
        with expect_log("tornado.application", ERROR + r".*: GET /path") as expected:
            response = await peer.fetch("/path")
        assert (response.code, response.body) == (500, b"500 Internal Server Error\n")
        with pytest.raises(BaseException, match=message):
            raise raised(expected)
        # The connection is still usable, and no bytes were sent between the responses.
        with expect_log("tornado.application", ERROR, required=False):
            assert (await peer.fetch("/", method="HEAD")).code in (200, 500)
            assert (await peer.fetch("/", method="HEAD")).code in (200, 500)


async def test_system_exit_in_thread_ends_only_the_request(expect_log):
    with expect_log("tornado.application", ERROR) as expected:
        response = await fetch(raising_system_exit)
    assert response.code == 500
    assert isinstance(raised(expected), SystemExit)


async def test_system_exit_in_event_loop_ends_program(expect_log):
    connection = Mock(spec=HTTPConnection)
    call = Invocation(
        raising_system_exit, {"REQUEST_METHOD": "GET"}, ResponseBridge(connection, Mock()), "GET /"
    )
    with expect_log("tornado.application", ERROR), pytest.raises(SystemExit):
        call.run()
    assert connection.write_headers.call_args.args[0].code == 500
    connection.finish.assert_called_once_with()


async def test_application_error_after_disconnect_is_logged(expect_log):
    reply = ResponseBridge(Mock(spec=HTTPConnection), Mock())
    reply.disconnected = True
    call = Invocation(raising, {"REQUEST_METHOD": "GET"}, reply, "GET /")
    with expect_log("tornado.application", ERROR):
        call.run()


async def test_failing_iterable_ends_the_response_without_last_chunk(threads, expect_log):
    def body():
        yield b"begun"
        raise ZeroDivisionError

    with expect_log("tornado.application", ERROR):
        async with running(answering(body()), threads) as server:
            received = await server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert received.endswith(b"5\r\nbegun\r\n")


@pytest.mark.parametrize(
    ("chunks", "received", "message"),
    [
        ([b"abc", b"defg"], b"abc", "2 bytes more"),
        ([b"abc"], b"abc", "2 bytes less"),
        ([b"abcde", b"f"], b"abcde", "1 bytes more"),
    ],
)
async def test_wrong_content_length(chunks, received, message, threads, expect_log):
    application = answering(iter(chunks), headers=[("Content-Length", "5")])
    with expect_log("tornado.application", ERROR) as expected:
        async with running(application, threads) as server:
            data = await server.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert data.partition(b"\r\n\r\n")[2] == received
    assert message in str(raised(expected))


# -- close() --


class Closing:
    """A body that records when it is closed, and by which thread."""

    def __init__(self, chunks):
        self.chunks = chunks
        self.closed = threading.Event()
        self.count = 0

    def __iter__(self):
        return iter(self.chunks)

    def close(self):
        self.count += 1
        self.closed.set()


async def test_the_iterable_is_closed(threads):
    body = Closing([b"a"])
    assert (await fetch(answering(body), threads=threads)).body == b"a"
    assert await asyncio.to_thread(body.closed.wait, 20)
    assert body.count == 1


async def test_the_iterable_is_closed_after_an_error(threads, expect_log):
    body = Closing([b"a", None])
    with expect_log("tornado.application", ERROR):
        async with running(answering(body), threads) as server:
            await server.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert await asyncio.to_thread(body.closed.wait, 20)
    assert body.count == 1


async def test_iterable_is_closed_after_disconnect():
    disconnected = threading.Event()

    def chunks():
        yield b"first"
        assert disconnected.wait(20)
        while True:
            yield b"x" * 65536

    body = Closing(chunks())
    async with running(answering(body)) as server:
        peer = await server.connect()
        peer.get("/")
        await peer.reader.readuntil(b"first")
        peer.writer.transport.abort()
        disconnected.set()
        assert await asyncio.to_thread(body.closed.wait, 20)


async def test_write_raises_after_disconnect():
    disconnected, told = threading.Event(), threading.Event()

    def application(environ, start_response):
        write = start_response("200 OK", PLAIN)
        write(b"first")
        assert disconnected.wait(20)
        try:
            while True:
                write(b"x" * 65536)
        except OSError:
            told.set()
            raise

    async with running(application) as server:
        peer = await server.connect()
        peer.get("/")
        await peer.reader.readuntil(b"first")
        peer.writer.transport.abort()
        disconnected.set()
        assert await asyncio.to_thread(told.wait, 20)


async def test_a_failing_close_is_logged(threads, expect_log):
    class Body(Closing):
        def close(self):
            super().close()
            raise ZeroDivisionError

    body = Body([b"a"])
    with expect_log("tornado.application", r"close\(\) of a WSGI application's body"):
        async with running(answering(body), threads) as server:
            assert (await server.fetch("/")).body == b"a"


async def test_half_closed_client_gets_response():
    closed = threading.Event()

    def application(environ, start_response):
        assert closed.wait(20)
        start_response("200 OK", PLAIN)
        yield b"a"
        yield b"b"

    async with running(application) as server:
        peer = await server.connect()
        peer.get("/", "Connection: close")
        peer.writer.write_eof()
        closed.set()
        assert (await peer.response()).body == b"ab"


# -- file_wrapper --


@pytest.mark.parametrize("length", [None, 5, 0, 100_000, 200_000])
async def test_file_wrapper_sends_the_file(length, threads, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 20_001)
    files = []

    def application(environ, start_response):
        start_response("200 OK", [] if length is None else [("Content-Length", str(length))])
        file = path.open("rb")
        files.append(file)
        file.seek(10)
        return environ["wsgi.file_wrapper"](file, 1024)

    async with running(application, threads) as server:
        response = await server.fetch("/")
    assert response.body == (b"0123456789" * 20_000)[:length]
    assert files[0].closed
