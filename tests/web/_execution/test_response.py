"""Sending a response: default fields, entity tags, head and body, and responses that fail."""

from __future__ import annotations

import hashlib
import json
import re
import types
from typing import Any
from unittest import mock

import pytest

from tests.support.server import ExpectLog, ask, handler_of, raised, serving
from tests.support.threads import in_other_thread
from tests.support.web import flags, header_fields, set_flags
from tornado import httputil, web
from tornado.web._execution import _response, _response_fields
from tornado.web._execution._response import Response, release, response_of
from tornado.web._execution._response_state import ResponseState


async def test_simple_response() -> None:
    response = await ask(handler_of(get=lambda self: self.write("Hello, 世界")))
    body = "Hello, 世界".encode()
    assert (response.code, response.body) == (200, body)
    assert response.get("content-type") == "text/html; charset=UTF-8"
    assert response.get("server") == "TornadoServer/6.6.1"
    assert response.get("etag") == f'"{hashlib.sha1(body).hexdigest()}"'
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", response.get("date"))
    assert response.get("content-length") == str(len(body))


@pytest.mark.parametrize("size", [_response_fields.LARGE_BODY - 1, _response_fields.LARGE_BODY])
@pytest.mark.parametrize("steps", [False, True])
async def test_large_bodies_are_hashed_by_hashlib(
    monkeypatch: pytest.MonkeyPatch, size: int, steps: bool
) -> None:
    slow: list[int] = []
    original: Any = _response.sha1

    def noting(body: bytes) -> Any:
        slow.append(len(body))
        return original(body)

    def get(self: Any) -> None:
        self.write(b"x" * size)
        if steps:
            self.set_header("X-Some", "header")

    monkeypatch.setattr(_response, "sha1", noting)
    response = await ask(handler_of(get=get))
    assert response.get("etag") == f'"{hashlib.sha1(b"x" * size).hexdigest()}"'
    assert slow == ([size] if size < _response_fields.LARGE_BODY else [])


async def test_accessing_headers_does_not_change_other_fields() -> None:
    def get(self: Any) -> None:
        self.write({"a": 1})
        assert self._headers["Content-Type"] == "application/json; charset=UTF-8"
        self.set_header("X-Number", 5)

    response = await ask(handler_of(get=get))
    assert response.get("x-number") == "5"
    assert response.get("content-type") == "application/json; charset=UTF-8"
    assert response.get("content-length") == "8"
    assert response.get("etag")


def write_error(self: Any) -> None:
    raise web.HTTPError(404)


async def flush_twice(self: Any) -> None:
    self.write("a")
    await self.flush()
    self.write("b")


async def finish_early(self: Any) -> None:
    await self.finish("later")


SEEN: dict[str, Any] = {
    "plain": lambda self: self.write("hello"),
    "nothing": lambda self: None,
    "json": lambda self: self.write({"a": 1}),
    "own header": lambda self: self.set_header("X-Own", "1"),
    "cookie": lambda self: self.set_cookie("a", "b"),
    "no content": lambda self: self.set_status(204),
    "error": write_error,
    "flushed": flush_twice,
    "finished": finish_early,
}


@pytest.mark.parametrize("get", SEEN.values(), ids=SEEN.keys())
async def test_log_function_and_on_finish_see_the_headers_sent(get: Any) -> None:
    # Access logs and the metrics of OpenTelemetry use these fields.
    seen: list[dict[str, str]] = []

    def look(handler: Any) -> None:
        seen.append({name.lower(): value for name, value in header_fields(handler).get_all()})

    handler = handler_of(get=get, on_finish=look)
    response = await ask(handler, log_function=look)
    framing = {"transfer-encoding", "connection"}  # added by the connection
    sent = {name.lower(): value for name, value in response.headers if name.lower() not in framing}
    assert seen == [sent, sent]


async def test_a_dict_is_written_as_json() -> None:
    response = await ask(handler_of(get=lambda self: self.write({"a": [1, "é", "</script>"]})))
    assert json.loads(response.body) == {"a": [1, "é", "</script>"]}
    assert b"</" not in response.body
    assert response.get("content-type") == "application/json; charset=UTF-8"


@pytest.mark.parametrize("value", [[1], 1, None])
async def test_other_types_are_rejected(value: Any, expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception"):
        response = await ask(handler_of(get=lambda self: self.write(value)))
    assert response.code == 500


async def test_matching_entity_tag_returns_304() -> None:
    handler = handler_of(get=lambda self: self.write("same"))
    tag = (await ask(handler)).get("etag")
    for condition, code in [
        (tag, 304),
        (f'"x", W/{tag}', 304),
        ("*", 304),
        ('"x"', 200),
        (tag.strip('"'), 200),
    ]:
        response = await ask(handler, f"If-None-Match: {condition}")
        assert response.code == code
        if code == 304:
            assert response.get("etag") == tag
            assert response.get("content-type") is None
            assert response.get("content-length") is None


async def test_compute_etag_may_be_overridden() -> None:
    handler = handler_of(get=lambda self: self.write("x"), compute_etag=lambda self: '"mine"')
    assert (await ask(handler)).get("etag") == '"mine"'
    assert (await ask(handler, 'If-None-Match: "mine"')).code == 304
    handler = handler_of(get=lambda self: self.write("x"), compute_etag=lambda self: None)
    assert (await ask(handler)).get("etag") is None


@pytest.mark.parametrize("name", ["Etag", "ETag", "etag"])
@pytest.mark.parametrize("tag", ['"mine"', 'W/"mine"'])
async def test_entity_tag_that_the_handler_sets_is_kept(name: str, tag: str) -> None:
    def get(self: Any) -> None:
        self.set_header(name, tag)
        self.write("x")

    for members in ({}, {"compute_etag": lambda self: '"computed"'}):
        handler = handler_of(get=get, head=get, **members)
        for method in ("GET", "HEAD"):
            for condition, code in [('"mine"', 304), ('W/"mine"', 304), ("*", 304), ('"computed"', 200)]:
                response = await ask(handler, f"If-None-Match: {condition}", method=method)
                assert (response.code, response.get("etag")) == (code, tag)
        assert (await ask(handler)).headers.count(("etag", tag)) == 1


async def test_set_etag_header_replaces_the_tag_when_a_handler_calls_it() -> None:
    def get(self: Any) -> None:
        self.write("x")
        self.set_etag_header()
        self.write("y")  # the tag remains that of the body at the time of the call

    tag = f'"{hashlib.sha1(b"x").hexdigest()}"'
    response = await ask(handler_of(get=get))
    assert (response.get("etag"), response.body) == (tag, b"xy")

    def get_with_header(self: Any) -> None:
        self.set_header("Etag", '"mine"')
        get(self)

    assert (await ask(handler_of(get=get_with_header))).get("etag") == tag


async def test_handlers_own_tag_on_a_compressed_response_is_weakened() -> None:
    def get(self: Any) -> None:
        self.set_header("Etag", '"mine"')
        self.write("x" * 5000)

    response = await ask(handler_of(get=get), "Accept-Encoding: gzip", compress_response=True)
    assert response.get("etag") == 'W/"mine"'


async def test_head_has_the_head_of_get() -> None:
    def get(self: Any) -> None:
        self.write("body")

    handler = handler_of(get=get, head=get)
    expected = (await ask(handler)).headers
    response = await ask(handler, method="HEAD")
    assert [pair for pair in response.headers if pair[0] != "date"] == [
        pair for pair in expected if (pair[0] != "date" and pair[0] != "etag") or pair[0] == "etag"
    ]


async def test_second_finish_is_an_error(expect_log: ExpectLog) -> None:
    def get(self: Any) -> None:
        self.finish("a")
        for method in (self.finish, lambda: self.write("b"), lambda: self.render("c")):
            with pytest.raises(RuntimeError):
                method()

    assert (await ask(handler_of(get=get))).body == b"a"


async def test_compression_weakens_the_tag() -> None:
    handler = handler_of(get=lambda self: self.write("x" * 5000))
    response = await ask(handler, "Accept-Encoding: gzip", compress_response=True)
    tag = response.get("etag")
    assert response.get("content-encoding") == "gzip"
    assert tag.startswith('W/"')
    assert response.get("vary") == "Accept-Encoding"
    response = await ask(handler, "Accept-Encoding: gzip", f"If-None-Match: {tag}", compress_response=True)
    assert response.code == 304
    response = await ask(handler, "Accept-Encoding: gzip;q=0", compress_response=True)
    assert response.get("content-encoding") is None


@pytest.mark.parametrize("compress", [False, True])
async def test_exception_after_flush_truncates_the_response(compress: bool, expect_log: ExpectLog) -> None:
    ended = []

    class Handler(web.RequestHandler):
        async def get(self) -> None:
            self.write("first," + " " * 2000)
            await self.flush()
            self.write("second")
            raise LookupError("half way")

        def on_finish(self) -> None:
            ended.append(self)

    async with serving(web.Application([("/", Handler)], compress_response=compress)) as server:
        peer = await server.connect()
        with (
            expect_log("tornado.application", "Uncaught exception GET"),
            expect_log("tornado.general", "Cannot send error response after headers written"),
        ):
            peer.get("/", "Accept-Encoding: gzip")
            answer = await peer.rest()
    assert b"Transfer-Encoding: chunked" in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert answer.endswith(b"6\r\nsecond\r\n") != compress
    assert len(ended) == 1


async def test_connection_is_closed_if_finish_of_a_failed_response_raises(expect_log: ExpectLog) -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            self.write("first")
            self.flush()
            raise LookupError("half way")

        def finish(self, chunk: Any = None) -> Any:
            raise ValueError("no finish either")

    async with serving(web.Application([("/", Handler)])) as server:
        peer = await server.connect()
        with (
            expect_log("tornado.application", "Uncaught exception GET"),
            expect_log("tornado.general", "Cannot send error response after headers written"),
            expect_log("tornado.general", "Failed to flush partial response"),
        ):
            peer.get("/")
            assert (await peer.rest()).endswith(b"5\r\nfirst\r\n")


@pytest.mark.parametrize(
    ("condition", "etag", "matches"),
    [
        ('"a"', '"a"', True),
        ('W/"a"', '"a"', True),
        ('"a"', 'W/"a"', True),
        ('"b", W/"a", "c"', '"a"', True),
        ("*", '"a"', True),
        ('"ab"', '"a"', False),
        ('"b, a"', '"a"', False),
        ("a", '"a"', False),
        ("", '"a"', False),
    ],
)
def test_etag_matches(condition: str, etag: str, matches: bool) -> None:
    assert _response_fields.etag_matches(condition, etag) is matches


def test_default_fields_are_formatted_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_000.0
    monkeypatch.setattr(_response, "time", lambda: now)
    first = _response.default_block(False)
    assert b"Tue, 14 Nov 2023 22:13:20 GMT" in first
    now += 0.9
    assert _response.default_block(False) is first
    assert _response.date() == "Tue, 14 Nov 2023 22:13:20 GMT"
    now += 0.1
    assert _response.default_headers()["Date"] == "Tue, 14 Nov 2023 22:13:21 GMT"
    now -= 3600  # the system clock was changed
    assert _response.date() == "Tue, 14 Nov 2023 21:13:21 GMT"
    assert b"application/json" in _response.default_block(True)


def test_cache_of_content_length_lines_is_limited() -> None:
    lines = type(_response_fields.length_lines)()
    for length in range(2500):
        assert lines[length] == f"Content-Length: {length}\r\n\r\n"
    assert len(lines) <= 1000


# -- heads that cannot be sent --


def bad_field(self: Any) -> None:
    self._headers["X-Bad"] = "\u20ac"


def bad_reason(self: Any) -> None:
    self._reason = "\u20ac"


def bad_status(self: Any) -> None:
    self.set_status(1000)


def small_status(self: Any) -> None:
    self.set_status(99)


class BadTransform(web.OutputTransform):
    """Sets a field that cannot be sent."""

    def transform_first_chunk(self, status: Any, headers: Any, chunk: Any, finishing: Any) -> Any:
        headers["X-Bad"] = "\u20ac"
        return status, headers, chunk


#: Methods that make a response impossible to send.
UNSENDABLE = [bad_field, bad_reason, bad_status, small_status]


@pytest.mark.parametrize("spoil", UNSENDABLE)
@pytest.mark.parametrize("way", ["return", "finish", "flush"])
@pytest.mark.parametrize("waits", [False, True])
async def test_head_that_cannot_be_sent_returns_500_on_a_kept_alive_connection(
    waits: bool, way: str, spoil: Any, expect_log: ExpectLog
) -> None:
    logged: list[int] = []

    def get(self: Any) -> None:
        self.write("written")
        spoil(self)
        if way != "return":
            getattr(self, way)()

    async def late(self: Any) -> None:
        get(self)

    application = web.Application(
        [("/", handler_of(get=late if waits else get))],
        log_function=lambda handler: logged.append(handler.get_status()),
    )
    async with serving(application) as server:
        peer = await server.connect()
        for number in (1, 2):
            with expect_log("tornado.application", "Uncaught exception GET /"):
                response = await peer.fetch("/")
            assert response.code == 500
            assert response.body.endswith(b"500: Internal Server Error</body></html>")
            assert logged == [500] * number


async def test_entity_tag_that_cannot_be_sent_returns_500(expect_log: ExpectLog) -> None:
    def get(self: Any) -> None:
        self.write("written")

    handler = handler_of(get=get, compute_etag=lambda self: '"\u20ac"')
    async with serving(web.Application([("/", handler)])) as server:
        peer = await server.connect()
        for _ in range(2):
            with expect_log("tornado.application", "Uncaught exception GET /") as expected:
                assert (await peer.fetch("/")).code == 500
            assert "compute_etag() returned a tag with a control or non-Latin-1" in str(raised(expected))


async def test_transform_that_sets_an_invalid_field_returns_500(expect_log: ExpectLog) -> None:
    handler = handler_of(get=lambda self: self.write("written"))
    async with serving(web.Application([("/", handler)], transforms=[BadTransform])) as server:
        peer = await server.connect()
        for _ in range(2):
            with expect_log("tornado.application", "Uncaught exception GET /"):
                assert (await peer.fetch("/")).code == 500


# -- states --


def test_repr_of_a_response_shows_its_state() -> None:
    response = Response()
    response.status_code = 404
    assert repr(response) == "<Response 404 open>"
    response.advance(ResponseState.HEAD_SENT)
    assert repr(response) == "<Response 404 head sent>"


@pytest.mark.parametrize(
    ("before", "after"),
    [("OPEN", "DETACHED"), ("HEAD_SENT", "UPGRADED"), ("FINISHED", "FINISHED"), ("DETACHED", "DETACHED")],
)
def test_detach_ends_a_response_that_has_not_ended(before: str, after: str) -> None:
    response = Response()
    response.state = ResponseState[before]
    response.detach()
    assert response.state is ResponseState[after]


@pytest.mark.parametrize(("before", "after"), [("OPEN", "DETACHED"), ("HEAD_SENT", "FINISHED")])
def test_abandoned_response_discards_its_output(before: str, after: str) -> None:
    response = Response()
    response.state = ResponseState[before]
    response.buffer = [b"unsent"]
    response.abandon()
    assert (response.state, response.buffer) == (ResponseState[after], [])


@pytest.mark.parametrize("begun", [False, True])
def test_failed_head_of_a_detached_response_leaves_it_detached(begun: bool) -> None:
    response = Response()
    response.detach()
    response.head_failed(begun)
    assert response.state is ResponseState.DETACHED


def test_write_to_a_test_double_creates_the_response() -> None:
    double = mock.Mock(spec=web.RequestHandler)
    web.RequestHandler.write(double, "text")
    assert response_of(double).buffer == [b"text"]


def test_write_buffer_may_be_deleted() -> None:
    handler = web.RequestHandler(web.Application(), mock.Mock())
    handler.write("text")
    del handler._write_buffer
    assert handler._write_buffer == []


def test_flags_of_tornado_select_and_show_the_state() -> None:
    """A handler that was created without ``__init__``, as in tests of programs, has them too."""
    handler: Any = web.RequestHandler.__new__(web.RequestHandler)
    assert flags(handler, "headers_written", "finished", "auto_finish") == (False, False, True)
    set_flags(handler, finished=True)
    assert response_of(handler).state is ResponseState.DETACHED
    set_flags(handler, headers_written=True)
    assert response_of(handler).state is ResponseState.FINISHED
    set_flags(handler, finished=False)
    assert response_of(handler).state is ResponseState.HEAD_SENT
    set_flags(
        handler, status_code=418, reason="Teapot", auto_finish=False, new_cookie={}, write_buffer=[b"x"]
    )
    flags(handler, "transforms")[0].append(None)
    assert handler.get_status() == 418
    assert flags(handler, "reason", "auto_finish", "transforms") == ("Teapot", False, [None])
    assert flags(handler, "new_cookie", "write_buffer") == ({}, [b"x"])
    assert Response().transforms == []


def test_released_response_is_created_again_as_upgraded() -> None:
    handler: Any = web.RequestHandler.__new__(web.RequestHandler)
    handler.request = types.SimpleNamespace(connection=types.SimpleNamespace(is_detached=True))
    handler.ui_was_used = response_of(handler)
    release(handler)
    assert (*flags(handler, "headers_written", "finished"), handler.get_status()) == (True, True, 101)
    assert response_of(handler) is not handler.ui_was_used


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("body", ["", "short", {"a": [1, 2]}, "x" * 5000])
@pytest.mark.parametrize("status", [200, 201, 404, 500])
async def test_fast_and_slow_path_send_the_same_bytes(method: str, body: Any, status: int) -> None:
    def respond(self: Any) -> None:
        self.set_status(status)
        self.write(body)

    class Fast(web.RequestHandler):
        get = post = respond

        def check_xsrf_cookie(self) -> None: ...

    class Slow(Fast):
        def flush(self, *args: Any, **kwargs: Any) -> Any:  # an overridden hook disables the fast path
            return super().flush(*args, **kwargs)

    async with serving(web.Application([("/fast", Fast), ("/slow", Slow)])) as server:
        while True:  # both within one second, because of Date
            answers = []
            for path in ("/fast", "/slow"):
                peer = await server.connect()
                length = "Content-Length: 0\r\n" if method == "POST" else ""
                peer.send(
                    f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{length}\r\n".encode()
                )
                answers.append(await peer.rest())
            fast, slow = (sorted(answer.partition(b"\r\n\r\n")[0].split(b"\r\n")) for answer in answers)
            if [line for line in fast if line.startswith(b"Date")] == [
                line for line in slow if line.startswith(b"Date")
            ]:
                break
    assert fast == slow
    assert answers[0].partition(b"\r\n\r\n")[2] == answers[1].partition(b"\r\n\r\n")[2]


def test_default_fields_in_another_thread_at_the_beginning_of_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original, found = httputil.format_timestamp, []

    def format_timestamp(moment: int) -> str:
        monkeypatch.setattr(httputil, "format_timestamp", original)
        found.append(in_other_thread(lambda: (_response.default_block(False), _response.date())))
        return original(moment)

    monkeypatch.setattr(httputil, "format_timestamp", format_timestamp)
    monkeypatch.setattr(_response, "time", lambda: 1_000_000_000.5)
    date = "Sun, 09 Sep 2001 01:46:40 GMT"
    assert _response.date() == date
    ((block, other_date),) = found
    assert other_date == date
    assert f"Date: {date}\r\n".encode() in block
