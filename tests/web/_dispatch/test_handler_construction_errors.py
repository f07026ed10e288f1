"""Handlers that cannot be created: the response, and a log record that contains the error and the route."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, raised, serving
from tornado import httputil, web
from tornado.routing import PathMatches, Rule, RuleRouter


class Page(web.RequestHandler):
    """Requires an argument of its route."""

    def initialize(self, database: str) -> None:
        self.database = database

    def get(self) -> None:
        self.write(self.database)

    post = get


def failing(hook: str, error: Any = ZeroDivisionError) -> Any:
    """Return a handler whose `hook` raises `error` during construction; no later hook may be called."""

    def fail(self: Any) -> None:
        raise error

    def never(self: Any, *args: Any) -> None:
        raise AssertionError("called on a handler whose construction failed")

    members = dict.fromkeys(
        ("prepare", "get", "post", "on_finish", "write_error", "log_exception", "compute_etag"), never
    )
    return handler_of(**{**members, hook: fail})


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "missing 1 required positional argument: 'database'"),
        ({"name": 1}, r"initialize\(\) got an unexpected keyword argument 'name'"),
        ({"database": "x", "name": 1}, "unexpected keyword argument 'name'"),
    ],
)
async def test_wrong_arguments_of_a_route(
    arguments: Any, words: str, method: str, expect_log: ExpectLog
) -> None:
    application = web.Application([(r"/page/\d*", Page, arguments, "page"), ("/", Page, {"database": "ok"})])
    with expect_log("tornado.application", f"Uncaught exception {method} /page/1") as expected:
        async with serving(application) as server:
            peer = await server.connect()
            body = b"x" if method == "POST" else None
            response = await peer.fetch("/page/1", method=method, body=body)
            assert (response.code, b"500: Internal Server Error" in response.body) == (500, True)
            assert (await peer.fetch("/")).body == b"ok"  # the connection is still usable
    error = raised(expected)
    assert isinstance(error, TypeError)
    text = "".join(traceback.format_exception(error))
    for part in ("Page was being created for the route", r"'/page/\\d*$' (named 'page')", "third element"):
        assert part in text
    shown = ", ".join(map(repr, arguments)) or "none"
    assert f"(here: {shown})" in text
    with pytest.raises(TypeError, match=words):
        raise error


async def test_third_element_that_is_not_a_dict_is_explained(expect_log: ExpectLog) -> None:
    application = web.Application([web.URLSpec("/", Page, "database")])  # type: ignore[arg-type, unused-ignore]
    with expect_log("tornado.application", "Uncaught exception") as expected:
        async with serving(application) as server:
            assert (await server.fetch("/")).code == 500
    assert "must be a dict" in "".join(raised(expected).__notes__)


HOOKS = ["initialize", "set_default_headers", "__init__", "clear"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("hook", HOOKS)
async def test_exception_in_a_hook_returns_500(hook: str, method: str, expect_log: ExpectLog) -> None:
    handler = failing(hook)
    if hook == "__init__":

        def __init__(self: Any, *args: Any) -> None:
            raise ZeroDivisionError

        handler.__init__ = __init__
    with expect_log("tornado.application", "Uncaught exception") as expected:
        async with serving(web.Application([("/", handler)])) as server:
            peer = await server.connect()
            for _ in range(2):
                body = b"x" if method == "POST" else None
                assert (await peer.fetch("/", method=method, body=body)).code == 500
    assert isinstance(raised(expected), ZeroDivisionError)


async def test_response_is_sent_before_a_streamed_body(expect_log: ExpectLog) -> None:
    handler = web.stream_request_body(failing("initialize"))
    with expect_log("tornado.application", "Uncaught exception"):
        async with serving(web.Application([("/", handler)])) as server:
            peer = await server.connect()
            peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            response = await peer.response()
            assert (response.code, response.get("connection")) == (500, "close")
            peer = await server.connect()
            assert (await peer.fetch("/", method="POST", body=b"x" * 100)).code == 500


async def test_http_error_determines_the_status() -> None:
    handler = failing("initialize", web.HTTPError(403))
    async with serving(web.Application([("/", handler)])) as server:
        assert (await server.fetch("/")).code == 403


async def test_finish_during_construction_is_an_error(expect_log: ExpectLog) -> None:
    handler = failing("initialize", web.Finish)
    with expect_log("tornado.application", "Uncaught exception") as expected:
        async with serving(web.Application([("/", handler)])) as server:
            assert (await server.fetch("/")).code == 500
    assert "before the handler was created" in str(raised(expected))


async def test_http_input_error_is_400() -> None:
    handler = failing("initialize", httputil.HTTPInputError("bad"))
    async with serving(web.Application([("/", handler)])) as server:
        assert (await server.fetch("/")).code == 400


async def test_traceback_is_served_with_serve_traceback(expect_log: ExpectLog) -> None:
    settings = {"serve_traceback": True}
    with expect_log("tornado.application", "Uncaught exception"):
        async with serving(web.Application([("/", Page)], **settings)) as server:
            assert b"database" in (await server.fetch("/")).body


async def test_no_second_response_after_flush_in_initialize(expect_log: ExpectLog) -> None:
    def initialize(self: Any) -> None:
        self.write("begun")
        _ = self.flush()
        raise ZeroDivisionError

    with expect_log("tornado.application", "Uncaught exception while serving"):
        async with serving(web.Application([("/", handler_of(initialize=initialize))])) as server:
            peer = await server.connect()
            peer.get("/")
            assert (await peer.rest()).count(b"HTTP/1.1") == 1


async def test_note_for_a_nested_router(expect_log: ExpectLog) -> None:
    """For a route of a nested router, the note in the log record does not contain the route."""
    application = web.Application()
    application.wildcard_router.rules.append(
        Rule(PathMatches("/.*"), RuleRouter([Rule(PathMatches("/x"), web.Application([("/x", Page)]))]))
    )
    with expect_log("tornado.application", "Uncaught exception") as expected:
        async with serving(application) as server:
            assert (await server.fetch("/x")).code == 500
    assert "Page was being created" in raised(expected).__notes__[0]


async def test_placeholder_handler_that_fails_too(
    expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the placeholder handler fails, too, the server responds, and the second failure is logged."""

    def fail(self: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(web.RequestHandler, "set_default_headers", fail)
    with expect_log("tornado.application", "Uncaught exception while (serving|logging a rejected request)"):
        async with serving(web.Application([("/", Page, {"database": "x"})])) as server:
            peer = await server.connect()
            peer.get("/")
            assert (await peer.rest()).startswith(b"HTTP/1.1 500 ")


async def test_error_object_raised_repeatedly_has_one_note(expect_log: ExpectLog) -> None:
    error = ValueError("one object for all")
    with expect_log("tornado.application", "Uncaught exception"):
        async with serving(web.Application([("/", failing("initialize", error))])) as server:
            for _ in range(3):
                assert (await server.fetch("/")).code == 500
    assert len(error.__notes__) == 1


async def test_note_mentions_the_third_element_for_initialize_only(expect_log: ExpectLog) -> None:
    for hook, blamed in (("set_default_headers", False), ("initialize", True)):
        with expect_log("tornado.application", "Uncaught exception") as expected:
            assert (await ask(failing(hook))).code == 500
        assert ("third element" in "".join(raised(expected).__notes__)) is blamed
