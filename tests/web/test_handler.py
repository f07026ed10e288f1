"""Request handlers: how they read a request and produce a response."""

from __future__ import annotations

import asyncio
import copy
import datetime
import json
import logging
import re
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, handler_of, raised, serving
from tests.support.web import header_fields
from tornado import httputil, web


async def test_header_values_are_formatted() -> None:
    def get(self: Any) -> None:
        self.set_header("X-Date", datetime.datetime(2020, 1, 2, 3, 4, 5))
        self.set_header("X-Bytes", b"b")
        self.add_header("X-Many", "1")
        self.add_header("X-Many", "2")
        self.set_header("X-Gone", "x")
        self.clear_header("X-Gone")
        for bad in ("a\nb", "a\r\nb: c", "\x00"):
            with pytest.raises(ValueError):
                self.set_header("X-Bad", bad)

    response = await ask(handler_of(get=get))
    assert response.get("x-date") == "Thu, 02 Jan 2020 03:04:05 GMT"
    assert response.get("x-bytes") == "b"
    assert [value for name, value in response.headers if name == "x-many"] == ["1", "2"]
    assert response.get("x-gone") is None
    assert response.get("x-bad") is None


async def test_set_default_headers_are_on_error_pages_too() -> None:
    class Handler(web.RequestHandler):
        def set_default_headers(self) -> None:
            self.set_header("X-Default", "yes")
            self.set_header("Server", "mine")

        def get(self) -> None:
            raise web.HTTPError(404)

    response = await ask(Handler)
    assert (response.code, response.get("x-default"), response.get("server")) == (404, "yes", "mine")


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_arguments_of_the_query_are_decoded(asynchronous: Any) -> None:
    seen = {}

    def get(self: Any, *args: Any) -> None:
        seen["last"] = self.get_argument("a")
        seen["all"] = self.get_arguments("a")
        seen["raw"] = self.get_argument("s", strip=False)
        seen["none"] = self.get_argument("none", None)
        seen["path"] = self.path_args

    async def async_get(self: Any, *args: Any) -> None:
        get(self, *args)

    handler = handler_of(get=async_get if asynchronous else get)
    await ask(handler, path="/x/%C3%A9?a=1&a=%202+&s=%20x%01", pattern="/x/(.*)")
    assert seen == {"last": "2", "all": ["1", "2"], "raw": " x ", "none": None, "path": ["é"]}


async def test_missing_argument_is_400(expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "400 GET / .*Missing argument name"):
        response = await ask(handler_of(get=lambda self: self.get_argument("name")))
    assert response.code == 400


async def test_argument_that_is_not_utf8_is_400(expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "Invalid unicode in name"):
        response = await ask(handler_of(get=lambda self: self.get_argument("name")), path="/?name=%ff")
    assert response.code == 400


async def test_form_and_query_arguments_are_separate_or_combined() -> None:
    def post(self: Any) -> None:
        self.write(
            {
                "body": self.get_body_argument("a"),
                "query": self.get_query_argument("a"),
                "both": self.get_arguments("a"),
            }
        )

    form = "Content-Type: application/x-www-form-urlencoded"
    response = await ask(handler_of(post=post), form, method="POST", path="/?a=q", body=b"a=b")
    assert json.loads(response.body) == {"body": "b", "query": "q", "both": ["q", "b"]}


@pytest.mark.parametrize(
    ("error", "code", "body"),
    [
        (web.HTTPError(418, reason="Teapot"), 418, b"418: Teapot"),
        (web.HTTPError(404), 404, b"404: Not Found"),
        (web.Finish("done"), 200, b"done"),
        (web.HTTPError(304), 304, b""),
        (web.HTTPError(204), 204, b""),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_exceptions_become_responses(error: Any, code: Any, body: Any, asynchronous: Any) -> None:
    def get(self: Any) -> None:
        self.write("thrown away ") if code != 200 else None
        raise error

    async def async_get(self: Any) -> None:
        get(self)

    response = await ask(handler_of(get=async_get if asynchronous else get))
    assert response.code == code
    assert body in response.body
    assert b"thrown away" not in response.body


async def test_uncaught_exception_is_logged_and_returns_500(expect_log: ExpectLog) -> None:
    def get(self: Any) -> None:
        raise ZeroDivisionError("a bug")

    with expect_log("tornado.application", "Uncaught exception GET /"):
        response = await ask(handler_of(get=get))
    assert response.code == 500
    assert b"a bug" not in response.body
    with expect_log("tornado.application", "Uncaught exception GET /"):
        response = await ask(handler_of(get=get), serve_traceback=True)
    assert b"ZeroDivisionError: a bug" in response.body


async def test_write_error_may_be_overridden() -> None:
    def write_error(self: Any, status_code: Any, **kwargs: Any) -> None:
        self.write(f"sorry, {status_code}, {kwargs['exc_info'][1].reason}")

    def get(self: Any) -> None:
        raise web.HTTPError(400, reason="because")

    response = await ask(handler_of(get=get, write_error=write_error))
    assert response.body == b"sorry, 400, because"


async def test_exception_in_write_error_leaves_an_empty_body(expect_log: ExpectLog) -> None:
    def write_error(self: Any, status_code: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    def get(self: Any) -> None:
        raise web.HTTPError(400)

    with expect_log("tornado.application", "Uncaught exception in write_error"):
        response = await ask(handler_of(get=get, write_error=write_error))
    assert (response.code, response.body) == (400, b"")


async def test_unimplemented_method_is_405() -> None:
    handler = handler_of(get=lambda self: None, put=lambda self: None)
    response = await ask(handler, method="DELETE")
    assert (response.code, response.get("allow")) == (405, "GET, PUT")
    response = await ask(handler, method="BREW")
    assert (response.code, response.get("allow")) == (405, "GET, PUT")
    response = await ask(handler, method="get")
    assert response.code == 405


async def test_additional_http_methods() -> None:
    class Handler(web.RequestHandler):
        SUPPORTED_METHODS = (*web.RequestHandler.SUPPORTED_METHODS, "PROPFIND")

        def propfind(self) -> None:
            self.write("found")

    assert (await ask(Handler, method="PROPFIND")).body == b"found"


@pytest.mark.parametrize(
    ("arguments", "code"), [({}, 302), ({"permanent": True}, 301), ({"status": 307}, 307)]
)
async def test_redirect_sets_status_and_location(arguments: Any, code: Any) -> None:
    response = await ask(handler_of(get=lambda self: self.redirect("/ö?a=b", **arguments)))
    assert response.code == code
    assert response.get("location").encode("latin-1").decode() == "/ö?a=b"


async def test_prepare_may_finish_the_response() -> None:
    order: list[Any] = []

    class Handler(web.RequestHandler):
        async def prepare(self) -> None:
            order.append("prepare")
            await asyncio.sleep(0)
            if self.get_argument("stop", None):
                await self.finish("stopped")

        def get(self) -> None:
            order.append("get")
            self.write("got")

        def on_finish(self) -> None:
            order.append("on_finish")

    assert (await ask(Handler)).body == b"got"
    assert (await ask(Handler, path="/?stop=1")).body == b"stopped"
    assert order == ["prepare", "get", "on_finish", "prepare", "on_finish"]


async def test_cookies_are_read_and_set() -> None:
    def get(self: Any) -> None:
        assert self.get_cookie("a") == "1"
        assert self.get_cookie("q") == 'x"y'
        assert self.get_cookie("none", "default") == "default"
        self.set_cookie("new", "value", path="/p", httponly=True, secure=True, samesite="Lax", max_age=5)
        self.set_cookie("dated", "v", expires=datetime.datetime(2030, 1, 2, 3, 4, 5))
        self.clear_cookie("a", domain="example.com")
        for arguments in (
            {"name": "bad\n", "value": "x"},
            {"name": "n", "value": "a\r\nb"},
            {"name": "n", "value": "v", "path": "/;x"},
            {"name": "n", "value": "v", "domain": "a\nb"},
            {"name": "n", "value": "v", "samesite": "Lax; x"},
            {"name": "n", "value": "v", "max_age": "5; x"},
        ):
            with pytest.raises(ValueError):
                self.set_cookie(**arguments)

    response = await ask(handler_of(get=get), 'Cookie: a=1; q="x\\"y"')
    cookies = sorted(value for name, value in response.headers if name == "set-cookie")
    assert cookies[1] == "dated=v; expires=Wed, 02 Jan 2030 03:04:05 GMT; Path=/"
    assert cookies[2] == "new=value; HttpOnly; Max-Age=5; Path=/p; SameSite=Lax; Secure"
    assert cookies[0].startswith('a=""; Domain=example.com; expires=')
    assert len(cookies) == 3


async def test_streamed_request_body() -> None:
    parts: list[Any] = []

    @web.stream_request_body
    class Handler(web.RequestHandler):
        async def prepare(self) -> None:
            connection: Any = self.request.connection
            connection.set_max_body_size(10_000_000)
            await asyncio.sleep(0)
            parts.append("prepared")

        async def data_received(self, chunk: Any) -> None:
            await asyncio.sleep(0)
            parts.append(len(chunk))

        def post(self) -> None:
            self.write(str(sum(parts[1:])))

    response = await ask(Handler, method="POST", body=b"x" * 5_000_000)
    assert response.body == b"5000000"
    assert parts[0] == "prepared"
    assert max(parts[1:]) <= 65536


async def test_access_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[web.RequestHandler] = []
    await ask(handler_of(get=lambda self: self.set_status(201)), log_function=seen.append)
    assert [handler.get_status() for handler in seen] == [201]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((r"/", web.RequestHandler), "routes must be a list of tuples"),
        (([r"/", web.RequestHandler],), "'/'"),
        (([("/", web.RequestHandler, {}, "name", "more")],), "more"),
        (([("/(", web.RequestHandler)],), r"/\("),
        (
            ([("/", "no_such_module.Handler")],),
            "target 'no_such_module.Handler' .*: No module named 'no_such_m",
        ),
        (([("/", "tornado.web.NoHandler")],), "target 'tornado.web.NoHandler' of a route cannot be imported"),
    ],
)
def test_invalid_routes_raise_with_explanation(arguments: Any, message: Any) -> None:
    with pytest.raises((TypeError, ValueError, re.error, ImportError), match=message):
        web.Application(*arguments)


async def test_the_first_matching_route_wins(expect_log: ExpectLog) -> None:
    def named(name: Any) -> Any:
        return handler_of(get=lambda self, *args: self.write(name))

    routes = [
        (r"/a.*", named("pattern")),
        (r"/ab", named("never")),
        (r"/b", named("first")),
        (r"/b", named("second")),
    ]
    with expect_log("tornado.application", "the route '/b' .* can never match"):
        app = web.Application(routes)
    async with serving(app) as server:
        assert (await server.fetch("/ab")).body == b"pattern"
        assert (await server.fetch("/b")).body == b"first"
        app.wildcard_router.rules.insert(0, web.url("/b", named("inserted")))
        assert (await server.fetch("/b")).body == b"inserted"
        app.add_handlers("localhost", [("/b", named("host"))])
        assert (await server.fetch("/b")).body == b"host"
        assert (await server.fetch("/none")).code == 404


async def test_cancelled_handler_returns_500() -> None:
    """Nothing is logged, because the code that cancelled the task knows the reason."""
    tasks: list[Any] = []

    async def get(self: Any) -> None:
        tasks.append(asyncio.current_task())
        asyncio.get_running_loop().call_soon(tasks[0].cancel)
        await asyncio.sleep(30)

    assert (await ask(handler_of(get=get))).code == 500
    assert tasks[0].cancelled()


async def test_awaiting_a_cancelled_future_returns_500(expect_log: ExpectLog) -> None:
    async def get(self: Any) -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with expect_log("tornado.application", "Uncaught exception"):
        assert (await ask(handler_of(get=get))).code == 500


async def test_asyncio_works_from_the_first_line() -> None:
    async def get(self: Any) -> None:
        assert asyncio.current_task() is not None
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        self.write("ok")

    assert (await ask(handler_of(get=get))).body == b"ok"


def test_handler_of_a_request_with_a_mock_connection() -> None:
    class Connection:
        context = None

        def set_close_callback(self, callback: Any) -> None:
            pass

    connection: Any = Connection()
    request = httputil.HTTPServerRequest(
        connection=connection,
        start_line=httputil.RequestStartLine("GET", "/x?a=1", "HTTP/1.1"),
        headers=httputil.HTTPHeaders({"Host": "h"}),
    )
    handler = web.RequestHandler(web.Application(), request)
    assert handler.get_argument("a") == "1"
    assert header_fields(handler)["Server"].startswith("TornadoServer/")


@pytest.mark.parametrize("body", [b"body", None])
@pytest.mark.parametrize("late", [False, True])
async def test_failing_execute_of_streaming_handler_returns_500(
    body: Any, late: bool, expect_log: ExpectLog
) -> None:
    @web.stream_request_body
    class Handler(web.RequestHandler):
        async def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
            if late:
                await asyncio.sleep(0)
            raise LookupError("no way")

        def data_received(self, chunk: bytes) -> None:
            raise AssertionError

    async with serving(web.Application([("/", Handler)])) as server:
        peer = await server.connect()
        with expect_log("tornado.application", "Uncaught exception while serving") as expected:
            peer.get("/", method="POST", body=body)
            assert (await peer.rest()).startswith(b"HTTP/1.1 500 ")
        assert isinstance(raised(expected), LookupError)


async def test_streaming_handler_that_fails_after_prepare_returns_500(expect_log: ExpectLog) -> None:
    @web.stream_request_body
    class Handler(web.RequestHandler):
        async def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
            await super()._execute(transforms, *args, **kwargs)
            raise LookupError("afterwards")

        def data_received(self, chunk: bytes) -> None: ...

        async def post(self) -> None:
            self._auto_finish = False
            await asyncio.sleep(0)

    async with serving(web.Application([("/", Handler)])) as server:
        peer = await server.connect()
        with expect_log("tornado.application", "Uncaught exception while serving"):
            peer.get("/", method="POST", body=b"body")
            assert (await peer.rest()).startswith(b"HTTP/1.1 500 ")


async def test_overridden_execute_without_prepare_receives_the_body() -> None:
    @web.stream_request_body
    class Handler(web.RequestHandler):
        async def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
            await asyncio.sleep(0)

        def data_received(self, chunk: bytes) -> None:
            self.finish(chunk)

    assert (await ask(Handler, method="POST", body=b"body")).body == b"body"


async def test_control_characters_of_a_target_are_escaped_in_logs(expect_log: ExpectLog) -> None:
    def get(self: Any, name: str) -> None:
        raise web.HTTPError(400, "no page %s, %d", name, 5)

    async with serving(web.Application([("/(.*)", handler_of(get=get))])) as server:
        with expect_log("tornado.general", "") as expected:
            peer = await server.connect()
            peer.send(b"GET /a\x9b2J\x85%1b%c2%9b%0a HTTP/1.1\r\nHost: a\r\n\r\n")
            await peer.response()
            peer.send("GET /a%C2%9B2J%1B%7F HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await peer.response()).code == 400
    lines = [each.getMessage() for each in expected.records]
    assert lines[0].startswith(r"400 GET /a\x9b2J\x85%1b%c2%9b%0a (127.0.0.1): no page ")
    assert lines[0].endswith(r" a\x9b2J\x85\x1b\x9b\x0a, 5")
    assert lines[1] == r"400 GET /a%C2%9B2J%1B%7F (127.0.0.1): no page a\x9b2J\x1b\x7f, 5"


async def test_control_characters_are_escaped_in_the_access_log(expect_log: ExpectLog) -> None:
    async with serving(web.Application(), access_log=logging.INFO) as server:
        with expect_log("tornado.access", "") as expected:
            peer = await server.connect()
            peer.send(b"GET /\x9b31m\xe9 HTTP/1.1\r\nHost: a\r\n\r\n")
            await peer.response()
    assert expected.records[0].getMessage().startswith("404 GET /\\x9b31m\xe9 (127.0.0.1)")


@pytest.mark.parametrize("value", ["a\x00b", "\u20ac", None], ids=["control", "latin", "type"])
@pytest.mark.parametrize("method", ["set_header", "add_header"])
async def test_error_in_header_value_names_field(method: str, value: Any) -> None:
    errors: list[str] = []

    def get(handler: web.RequestHandler) -> None:
        try:
            getattr(handler, method)("X-Own", value)
        except (TypeError, ValueError) as error:
            errors.append(str(error))

    assert (await ask(handler_of(get=get))).code == 200
    [text] = errors
    assert text.endswith(" (in the header field 'X-Own')")


async def test_error_in_redirect_url_names_field(expect_log: ExpectLog) -> None:
    def get(handler: web.RequestHandler) -> None:
        handler.redirect("/a\x00b")

    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(handler_of(get=get))).code == 500
    assert "'Location'" in str(raised(expected))


async def test_copied_handler_has_its_own_response() -> None:
    copies: list[web.RequestHandler] = []

    def get(handler: web.RequestHandler) -> None:
        handler.set_cookie("both", "1")
        handler.set_header("X-Both", "1")
        handler.write("both")
        made = copy.copy(handler)
        made.set_status(500)
        made.set_header("X-Copy", "1")
        made.set_cookie("copy", "1")
        made.write(" copy")
        handler.write(" original")
        copies.append(made)

    def on_finish(handler: web.RequestHandler) -> None:
        if handler is not copies[0]:
            copies[0].finish(" late")  # the response has been sent

    response = await ask(handler_of(get=get, on_finish=on_finish))
    assert (response.code, response.body) == (200, b"both original")
    assert (response.get("x-both"), response.get("x-copy")) == ("1", None)
    assert [each.partition("=")[0] for each in response.get_all("set-cookie")] == ["both"]
    assert type(copies[0]) is not web.RequestHandler
    assert copies[0].get_status() == 500
