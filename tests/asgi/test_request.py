"""`ASGIRequest`: requests and responses of an Application, event by event."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
from typing import Any

import pytest

from tests.support.asgi import calls
from tornado.asgi import ASGIAdapter
from tornado.httputil import HTTPHeaders, ResponseStartLine, responses
from tornado.iostream import StreamClosedError
from tornado.iostream._file_segment import FileSegment, FileTruncatedError
from tornado.web import (
    Application,
    EventSourceHandler,
    RequestHandler,
    StaticFileHandler,
    stream_request_body,
)

GENERAL, APPLICATION = "tornado.general", "tornado.application"


@pytest.fixture(autouse=True)
def _no_access_log() -> Any:
    logger = logging.getLogger("tornado.access")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


class Hello(RequestHandler):
    def get(self, name: str = "") -> None:
        self.write(f"hello {self.request.uri} {self.request.remote_ip} {self.request.full_url()}")

    head = get

    def post(self) -> None:
        self.write(self.request.body)

    put = post

    def delete(self) -> None:
        self.set_status(204)


def adapter(*routes: Any, **options: Any) -> ASGIAdapter:
    settings = options.pop("settings", {})
    return ASGIAdapter(Application([*routes, ("/", Hello), ("/(.*)", Hello)], **settings), **options)


async def test_complete_response_is_two_events() -> None:
    async with calls(adapter()) as call:
        request = call(query_string=b"a=b", scheme="https")
        start, body = await request.take(), await request.take()
        await request.task
    assert body["more_body"] is False
    assert body["body"] == b"hello /?a=b 192.0.2.1 https://example.com/?a=b"
    names = [name for name, _ in start["headers"]]
    assert b"date" not in names  # the server adds it
    assert b"server" not in names
    assert dict(start["headers"])[b"content-length"] == b"%d" % len(body["body"])


async def test_request_without_body_receives_nothing() -> None:
    async with calls(adapter()) as call:
        request = call(body=None)
        await request.response()
    assert request.received == 0


@pytest.mark.parametrize(
    ("root_path", "path", "raw_path", "uri"),
    [
        ("", "/a b/ü", b"/a%20b/%C3%BC", "/a%20b/%C3%BC"),
        ("", "/a b/ü", None, "/a%20b/%C3%BC"),
        ("/sub", "/sub/x", b"/sub/x", "/x"),
        ("/sub/", "/sub/x", None, "/x"),
        ("/sub", "/sub", b"/sub", "/"),
        ("/sub", "/subject", b"/subject", "/subject"),
        ("/sub", "/x", b"/x", "/x"),  # a server that passes only the rest
        ("/a b", "/a b/x%", b"/a%20b/x%25", "/x%25"),
        ("/sub", "/sub/x y", b"/%73ub/x%20y", "/x%20y"),
    ],
)
async def test_routes_match_path_below_root(
    root_path: str, path: str, raw_path: bytes | None, uri: str
) -> None:
    async with calls(adapter()) as call:
        _, _, body = await call(path=path, root_path=root_path, raw_path=raw_path).response()
    assert body.split()[1].decode() == uri


@pytest.mark.parametrize(
    ("method", "fields", "version"),
    [
        ("POST", [(b"content-length", b"6")], "1.1"),
        ("POST", [(b"transfer-encoding", b"chunked")], "1.1"),
        ("POST", [], "1.1"),  # a test client that sends no header fields
        ("PUT", [], "2"),
    ],
)
async def test_body_is_received(method: str, fields: list[tuple[bytes, bytes]], version: str) -> None:
    async with calls(adapter()) as call:
        headers = [(b"host", b"x"), *fields]
        request = call(method, body=None, headers=headers, http_version=version)
        request.body(b"abc", more=True)
        request.body(b"def")
        status, _, body = await request.response()
    assert (status, body) == (200, b"abcdef")


async def test_head_and_204_have_no_body() -> None:
    async with calls(adapter()) as call:
        status, fields, body = await call("HEAD").response()
        assert (status, body) == (200, b"")
        assert int(fields["content-length"]) > 0
        status, fields, body = await call("DELETE").response()
        assert (status, body) == (204, b"")
        assert "content-length" not in fields


async def test_request_without_host_gets_that_of_the_server() -> None:
    async with calls(adapter()) as call:
        _, _, body = await call(headers=[], server=("::1", 8000), client=None).response()
        assert body.split()[-1] == b"http://[::1]:8000/"
        assert body.split()[-2] == b"0.0.0.0"
        _, _, body = await call(headers=[], server=None).response()
        assert body.split()[-1] == b"http://localhost/"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"host", b"a b")], 400),
        ([(b"host", b"x"), (b"x", b"a\r\nb: c")], 400),
        ([(b"host", b"x"), (b"content-length", b"x")], 400),
        ([(b"host", b"x"), (b"expect", b"other")], 417),
    ],
)
async def test_malformed_head_is_rejected(headers: Any, status: int) -> None:
    async with calls(adapter()) as call:
        got, fields, body = await call(headers=headers).response()
    assert got == status
    assert body.startswith(b"%d " % status)
    assert fields["connection"] == "close"


# -- the response --


class Streaming(RequestHandler):
    async def get(self) -> None:
        for part in ("a", "b"):
            self.write(part)
            await self.flush()
        self.write("c")


async def test_streamed_response_waits_for_the_server() -> None:
    class Counting(RequestHandler):
        async def get(self) -> None:
            for number in range(5):
                self.write(b"x" * 10)
                await self.flush()
                written.append(number)

    written: list[int] = []
    async with calls(adapter(("/count", Counting))) as call:
        request = call(path="/count")
        request.sendable.clear()
        assert (await request.take())["type"] == "http.response.start"
        assert written == []
        request.sendable.set()
        parts = [await request.take() for _ in range(6)]
        await request.task
    assert b"".join(part["body"] for part in parts) == b"x" * 50
    assert [part["more_body"] for part in parts] == [True] * 5 + [False]


async def test_flushed_parts_are_separate_events() -> None:
    async with calls(adapter(("/stream", Streaming))) as call:
        request = call(path="/stream")
        events = [await request.take() for _ in range(4)]
        await request.task
    assert [event.get("body") for event in events] == [None, b"a", b"b", b"c"]
    assert [event.get("more_body") for event in events] == [None, True, True, False]


async def test_content_length_is_enforced(expect_log: Any) -> None:
    class TooShort(RequestHandler):
        def get(self) -> None:
            self.set_header("Content-Length", "5")
            self.write("abc")

    class TooLong(RequestHandler):
        def get(self) -> None:
            self.set_header("Content-Length", "2")
            self.write("abc")

    async with calls(adapter(("/short", TooShort), ("/long", TooLong))) as call:
        for path in ("/short", "/long"):
            with expect_log(GENERAL, "Cannot"), expect_log(APPLICATION, "Uncaught") as expected:
                with pytest.raises(EOFError):  # the server closes the connection
                    await call(path=path).response()
            assert "Content-Length" in str(expected.records[0].exc_info[1])  # type: ignore[index]


async def test_handler_may_call_the_connection_directly() -> None:
    class Direct(RequestHandler):
        def get(self) -> None:
            self._auto_finish = False
            connection: Any = self.request.connection
            headers = HTTPHeaders({"Connection": "close, x", "X-A": "ü", "Transfer-Encoding": "chunked"})
            _ = connection.write_headers(ResponseStartLine("", 200, "OK"), headers)
            _ = connection.write(b"abc")
            assert connection.unsent_size == 3
            connection.finish()
            connection.finish()  # no effect
            assert connection.write(b"d").exception() is not None

    async with calls(adapter(("/direct", Direct))) as call:
        status, fields, body = await call(path="/direct").response()
    assert (status, body) == (200, b"abc")
    assert (fields["x-a"], fields["connection"]) == ("ü", "close")
    assert "transfer-encoding" not in fields


async def test_early_hints() -> None:
    class Hints(RequestHandler):
        async def get(self) -> None:
            connection: Any = self.request.connection
            headers = HTTPHeaders({"Link": "</a.css>; rel=preload"})
            await connection.write_headers(ResponseStartLine("", 103, "Early Hints"), headers)
            self.write("x")

    async with calls(adapter(("/hints", Hints))) as call:
        request = call(path="/hints", extensions={"http.response.early_hint": {}})
        hint = await request.take()
        assert hint == {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]}
        assert (await request.response())[2] == b"x"
        assert (await call(path="/hints").response())[2] == b"x"  # without the extension


async def test_static_file_and_range(tmp_path: Any) -> None:
    (tmp_path / "file.txt").write_bytes(bytes(range(256)) * 4096)
    async with calls(adapter(("/s/(.*)", StaticFileHandler, {"path": str(tmp_path)}))) as call:
        status, fields, body = await call(path="/s/file.txt").response()
        assert (status, len(body)) == (200, 1024 * 1024)
        headers = [(b"host", b"x"), (b"range", b"bytes=10-12")]
        status, _, body = await call(path="/s/file.txt", headers=headers).response()
        assert (status, body) == (206, b"\n\x0b\x0c")
        headers = [(b"host", b"x"), (b"if-none-match", fields["etag"].encode())]
        assert (await call(path="/s/file.txt", headers=headers).response())[0] == 304


@pytest.mark.parametrize("size", [300_000, 400_000])
async def test_connection_sends_a_segment_of_a_file(tmp_path: Any, size: int) -> None:
    class Download(RequestHandler):
        async def get(self) -> None:
            self.set_header("Content-Length", size - 10)
            _ = self.flush()
            connection: Any = self.request.connection
            piece = FileSegment(os.open(path, os.O_RDONLY), 10, size - 10)
            try:
                await connection.write_file(piece)
            except OSError as error:
                raised.append(error)

    path = tmp_path / "file"
    path.write_bytes(os.urandom(300_000))
    raised: list[OSError] = []
    async with calls(adapter(("/file", Download))) as call:
        request = call(path="/file")
        if size == 300_000:
            assert (await request.response())[2] == path.read_bytes()[10:]
            assert raised == []
        else:
            with pytest.raises(EOFError):  # the file is shorter than its segment
                await request.response()
            assert isinstance(raised[0], FileTruncatedError)


# -- what is not available --


@pytest.mark.parametrize("name", ["detach", "stream"])
async def test_raw_stream_raises_error_that_names_asgi(name: str, expect_log: Any) -> None:
    class Raw(RequestHandler):
        def get(self) -> None:
            if name == "detach":
                self.detach()
            else:
                _ = self.request.connection.stream  # type: ignore[union-attr]

    async with calls(adapter(("/raw", Raw))) as call:
        with expect_log(APPLICATION, "Uncaught exception") as expected:
            status, _, _ = await call(path="/raw").response()
    assert status == 500
    assert "is not available under an ASGI server" in str(expected.records[0].exc_info[1])  # type: ignore[index]


async def test_stream_is_absent_for_getattr() -> None:
    class Asking(RequestHandler):
        def get(self) -> None:
            assert getattr(self.request.connection, "stream", None) is None
            assert self.request.get_ssl_certificate() is None

    async with calls(adapter(("/ask", Asking))) as call:
        assert (await call(path="/ask").response())[0] == 200


# -- streamed request bodies --


@stream_request_body
class Upload(RequestHandler):
    gate: asyncio.Event
    sizes: list[int]

    def prepare(self) -> None:
        type(self).sizes = []

    async def data_received(self, chunk: bytes) -> None:
        self.sizes.append(len(chunk))
        await self.gate.wait()

    def put(self) -> None:
        self.write(str(sum(self.sizes)))

    def on_connection_close(self) -> None:
        self.sizes.append(-1)


async def test_streamed_body_is_received_at_the_speed_of_the_handler() -> None:
    Upload.gate = asyncio.Event()
    async with calls(adapter(("/up", Upload))) as call:
        headers = [(b"host", b"x"), (b"content-length", b"9")]
        request = call("PUT", "/up", body=None, headers=headers)
        for _ in range(2):
            request.body(b"abc", more=True)
        request.body(b"abc")
        while not request.received:
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        assert request.received == 1
        Upload.gate.set()
        assert (await request.response())[2] == b"9"
    assert Upload.sizes == [3, 3, 3]


async def test_disconnect_while_body_is_streamed() -> None:
    Upload.gate = asyncio.Event()
    Upload.gate.set()
    async with calls(adapter(("/up", Upload))) as call:
        request = call("PUT", "/up", body=None, headers=[(b"host", b"x"), (b"content-length", b"9")])
        request.body(b"abc", more=True)
        request.put("http.disconnect")
        await request.task
    assert Upload.sizes == [3, -1]


async def test_large_part_is_split_into_chunks() -> None:
    Upload.gate = asyncio.Event()
    Upload.gate.set()
    async with calls(adapter(("/up", Upload), chunk_size=1000)) as call:
        headers = [(b"host", b"x"), (b"content-length", b"2500")]
        assert (await call("PUT", "/up", body=b"x" * 2500, headers=headers).response())[2] == b"2500"
    assert Upload.sizes == [1000, 1000, 500]


# -- limits --


@pytest.mark.parametrize("announced", [True, False])
async def test_large_body_is_rejected(announced: bool) -> None:
    length = (b"content-length", b"11") if announced else (b"transfer-encoding", b"chunked")
    async with calls(adapter(max_body_size=10)) as call:
        request = call("POST", body=None, headers=[(b"host", b"x"), length])
        if not announced:
            request.body(b"x" * 11, more=True)
        status, fields, body = await request.response()
    assert (status, body) == (413, f"413 {responses[413]}\n".encode())
    assert fields["connection"] == "close"
    assert request.received == (0 if announced else 1)


async def test_limit_of_the_handler_is_applied_with_its_error_page(expect_log: Any) -> None:
    class Small(RequestHandler):
        max_body_size = 5

        def post(self) -> None:
            self.write("not reached")

        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.finish(f"page {status_code}")

    async with calls(adapter(("/small", Small))) as call:
        headers = [(b"host", b"x"), (b"content-length", b"6")]
        with expect_log(GENERAL, "413 POST /small"):
            status, _, body = await call("POST", "/small", body=b"123456", headers=headers).response()
    assert (status, body) == (413, b"page 413")


async def test_body_timeout_ends_the_call() -> None:
    async with calls(adapter(body_timeout=0.001)) as call:
        request = call("POST", body=None, headers=[(b"host", b"x"), (b"content-length", b"6")])
        request.body(b"abc", more=True)
        await request.task


async def test_compressed_body_is_decoded() -> None:
    async with calls(adapter(decompress_request=True)) as call:
        data = gzip.compress(b"hello")
        headers = [(b"host", b"x"), (b"content-length", b"%d" % len(data)), (b"content-encoding", b"gzip")]
        assert (await call("POST", body=data, headers=headers).response())[2] == b"hello"


# -- disconnects and errors --


async def test_disconnect_calls_on_connection_close_and_writes_fail() -> None:
    class Waiting(RequestHandler):
        async def get(self) -> None:
            entered.set()
            await closed.wait()
            with pytest.raises(StreamClosedError):
                self.write("x")
                await self.flush()
            ended.append(True)

        def on_connection_close(self) -> None:
            closed.set()

    entered, closed = asyncio.Event(), asyncio.Event()
    ended: list[bool] = []
    async with calls(adapter(("/wait", Waiting))) as call:
        request = call(path="/wait", body=None)
        await entered.wait()
        request.put("http.disconnect")
        await request.task  # the call waits for the handler
    assert ended == [True]


async def test_disconnect_cancels_handler_that_requests_it() -> None:
    class Waiting(RequestHandler):
        cancel_on_disconnect = True

        async def get(self) -> None:
            entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

    entered = asyncio.Event()
    cancelled: list[bool] = []
    async with calls(adapter(("/wait", Waiting))) as call:
        request = call(path="/wait", body=None)
        await entered.wait()
        request.put("http.disconnect")
        await request.task
    assert cancelled == [True]


async def test_send_that_fails_is_a_disconnect() -> None:
    async with calls(adapter(("/stream", Streaming))) as call:
        request = call(path="/stream")
        request.send_error = OSError("gone")
        await request.task


async def test_exception_of_send_is_raised_and_ends_the_exchange() -> None:
    class Waiting(Streaming):
        def on_connection_close(self) -> None:
            closed.set()

    closed = asyncio.Event()
    async with calls(adapter(("/stream", Waiting))) as call:
        request = call(path="/stream")
        request.send_error = RuntimeError("unexpected message")
        await closed.wait()
        with pytest.raises(RuntimeError, match="unexpected message"):
            await request.task


async def test_cancelled_call_cancels_the_handler() -> None:
    class Waiting(RequestHandler):
        async def get(self) -> None:
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    entered, ended = asyncio.Event(), asyncio.Event()
    async with calls(adapter(("/wait", Waiting))) as call:
        request = call(path="/wait", body=None)
        await entered.wait()
        request.task.cancel()
        await ended.wait()
        with pytest.raises(asyncio.CancelledError):
            await request.task


async def test_exception_after_the_head_leaves_the_response_incomplete(expect_log: Any) -> None:
    class Failing(RequestHandler):
        async def get(self) -> None:
            self.write("part")
            await self.flush()
            raise ValueError("broken")

    async with calls(adapter(("/fail", Failing))) as call:
        request = call(path="/fail")
        with expect_log(APPLICATION, "Uncaught exception"), expect_log(GENERAL, "Cannot send error"):
            with pytest.raises(EOFError):
                await request.response()
        await request.task


async def test_handler_that_finishes_later_without_a_task() -> None:
    class Later(RequestHandler):
        def get(self) -> None:
            self._auto_finish = False
            asyncio.get_running_loop().call_soon(self.finish, "later")

    async with calls(adapter(("/later", Later))) as call:
        assert (await call(path="/later").response())[2] == b"later"


async def test_event_stream() -> None:
    class Events(EventSourceHandler):
        async def stream(self) -> None:
            await self.send_event("one")
            await self.send_event("two")

    async with calls(adapter(("/events", Events))) as call:
        status, fields, body = await call(path="/events").response()
    assert (status, fields["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert body == b"data: one\n\ndata: two\n\n"


async def test_event_stream_ends_with_disconnect() -> None:
    class Events(EventSourceHandler):
        def open(self) -> None:
            self.send_event("hello")

        def on_connection_close(self) -> None:
            closed.set()

    closed = asyncio.Event()
    async with calls(adapter(("/events", Events))) as call:
        request = call(path="/events", body=None)
        assert (await request.take())["status"] == 200
        assert (await request.take())["body"] == b"data: hello\n\n"
        request.put("http.disconnect")
        await closed.wait()
        await request.task


async def test_event_stream_stays_open_after_a_handler_that_awaits_in_post() -> None:
    class Events(EventSourceHandler):
        async def open(self) -> None:
            await asyncio.sleep(0)
            streams.append(self)

        post = EventSourceHandler.get

    streams: list[Events] = []
    async with calls(adapter(("/events", Events))) as call:
        request = call("POST", "/events", b"a request")
        assert (await request.take())["status"] == 200
        await asyncio.sleep(0)  # the handler has returned
        for text in ("one", "two"):
            streams[0].send_event(text)
            assert (await request.take())["body"] == b"data: %b\n\n" % text.encode()
        await streams[0].finish()
        await request.task


async def test_overridden_start_request_is_called() -> None:
    class Own(Application):
        def start_request(self, server_conn: object, request_conn: Any) -> Any:
            seen.append(request_conn.context.remote_ip)
            return super().start_request(server_conn, request_conn)

    seen: list[str] = []
    async with calls(ASGIAdapter(Own([("/", Hello)]))) as call:
        assert (await call().response())[0] == 200
        assert (await call("POST", body=b"x").response())[2] == b"x"
    assert seen == ["192.0.2.1"] * 2


async def test_large_compressed_response_is_compressed_in_a_thread() -> None:
    class Large(RequestHandler):
        def get(self) -> None:
            self.set_header("Content-Type", "text/plain")
            self.write("text " * 1_000_000)

    async with calls(adapter(("/large", Large), settings={"compress_response": True})) as call:
        headers = [(b"host", b"x"), (b"accept-encoding", b"gzip")]
        _, fields, body = await call(path="/large", headers=headers).response()
    assert fields["content-encoding"] == "gzip"
    assert gzip.decompress(body) == b"text " * 1_000_000
