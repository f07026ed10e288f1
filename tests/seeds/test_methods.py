"""The methods listed in the notes behave as described there, including their errors."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from tests.support.server import ask, handler_of, serving
from tornado import httputil, web
from tornado.ioloop import IOLoop

FORM = "Content-Type: application/x-www-form-urlencoded"
FAMILY = ["get_argument", "get_query_argument", "get_body_argument"]


async def answer(get, *fields, **options):
    """Return the response of a handler with this method for GET and POST."""
    return await ask(handler_of(get=get, post=get, compute_etag=lambda self: None), *fields, **options)


async def argument(method, *arguments, query="", body=None, **keywords):
    """Return the result of ``self.method(*arguments, **keywords)`` in a request, or the error response."""
    seen = []

    def post(self):
        seen.append(getattr(self, method)(*arguments, **keywords))

    body = (query if body is None else body).encode() if method.startswith("get_body") or body else b""
    path = "/?" + query if query and not method.startswith("get_body") else "/"
    response = await answer(post, FORM, method="POST", path=path, body=body)
    return seen[0] if seen else response


# -- Input


@pytest.mark.parametrize("method", FAMILY)
async def test_one_argument(method):
    assert await argument(method, "name", query="name=a&name=b") == "b"  # 返回最后一个值
    assert await argument(method, "name", query="name=%E7%8E%8B") == "王"  # 返回值永远是unicode
    assert await argument(method, "name", query="name=%20a%20") == "a"
    assert await argument(method, "name", None, False, query="name=%20a%20") == " a "
    assert await argument(method, "name", strip=False, query="name=+a+") == " a "
    assert await argument(method, "name", "default", query="other=1") == "default"
    assert await argument(method, "name", default=None) is None


@pytest.mark.parametrize("method", FAMILY)
async def test_missing_argument(method, expect_log):
    with expect_log("tornado.general", "400 POST .*Missing argument name"):
        assert (await argument(method, "name", query="other=1")).code == 400


@pytest.mark.parametrize("method", FAMILY)
async def test_argument_that_is_not_utf8(method, expect_log):
    with expect_log("tornado.general", "400 POST .*unicode in name"):
        assert (await argument(method, "name", query="name=%ff")).code == 400


@pytest.mark.parametrize("method", FAMILY)
async def test_all_values_of_an_argument(method):
    method += "s"
    assert await argument(method, "name", query="name=a&other=1&name=%20b%20") == ["a", "b"]
    assert await argument(method, "name", strip=False, query="name=%20b%20") == [" b "]
    assert await argument(method, "name", query="other=1") == []


async def test_sources_of_arguments():
    def post(self):
        names = [*FAMILY, *(name + "s" for name in FAMILY)]
        self.write({name: getattr(self, name)("name") for name in names})

    response = await answer(post, FORM, method="POST", path="/?name=query", body=b"name=body")
    assert json.loads(response.body) == {
        "get_argument": "body",
        "get_arguments": ["query", "body"],
        "get_query_argument": "query",
        "get_query_arguments": ["query"],
        "get_body_argument": "body",
        "get_body_arguments": ["body"],
    }


async def test_missing_argument_error_contains_name():
    seen = []

    def get(self):
        try:
            self.get_argument("name")
        except web.MissingArgumentError as error:
            seen.append((error.arg_name, error.status_code))

    await answer(get)
    assert seen == [("name", 400)]


# -- Entry points and HTTP methods


async def test_order_of_handler_methods():
    calls = []

    class Handler(web.RequestHandler):
        def initialize(self, database):
            calls.append(f"initialize {database}")

        def prepare(self):
            calls.append("prepare")

        def get(self):
            calls.append("get")

        def on_finish(self):
            calls.append("on_finish")

    async with serving(web.Application([("/", Handler, {"database": "db"})])) as server:
        await server.fetch("/")
        assert calls == ["initialize db", "prepare", "get", "on_finish"]
        calls.clear()
        assert (await server.fetch("/", method="PUT", body=b"")).code == 405
        assert calls == ["initialize db", "prepare", "on_finish"]


@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS"])
async def test_each_http_method_calls_handler_method(verb):
    def method(self, *args, **kwargs):
        self.set_header("X-Verb", self.request.method)
        self.write(kwargs["name"])

    handler = handler_of(**{verb.lower(): method})
    response = await ask(
        handler, method=verb, path="/ann", pattern="/(?P<name>.*)", body=None if verb == "GET" else b""
    )
    assert (response.code, response.get("x-verb")) == (200, verb)
    assert response.body == (b"" if verb == "HEAD" else b"ann")
    other = await ask(
        handler, method="GET" if verb != "GET" else "POST", path="/ann", pattern="/(?P<name>.*)", body=b""
    )
    assert other.code == 405


# -- Output


async def test_set_status():
    def get(self):
        self.set_status(int(self.get_argument("code")), self.get_argument("reason", None))

    for query, line in [
        ("code=201", b"HTTP/1.1 201 Created"),
        ("code=200&reason=Fine", b"HTTP/1.1 200 Fine"),
        ("code=799", b"HTTP/1.1 799 Unknown"),
    ]:
        assert (await answer(get, path=f"/?{query}")).head.startswith(line)


async def test_headers():
    def get(self):
        self.set_header("X-One", "first")
        self.set_header("X-One", 2)
        self.add_header("X-Many", "a")
        self.add_header("X-Many", "b")
        self.set_header("X-Gone", "x")
        self.clear_header("X-Gone")
        self.clear_header("X-Never")

    response = await answer(get)
    assert response.get_all("x-one") == ["2"]
    assert response.get_all("x-many") == ["a", "b"]
    assert response.get("x-gone") is None


async def test_header_with_line_break_is_rejected():
    def get(self):
        with pytest.raises(ValueError, match="Unsafe header value"):
            self.set_header("X", "a\r\nSet-Cookie: b=c")

    assert (await answer(get)).code == 200


async def test_write():
    def get(self):
        self.write("文")
        self.write(b" bytes")

    assert (await answer(get)).body == "文 bytes".encode()


async def test_write_json():
    response = await answer(lambda self: self.write({"a": [1, "文"]}))
    assert response.body == b'{"a": [1, "\\u6587"]}'
    assert response.get("content-type") == "application/json; charset=UTF-8"


async def test_write_of_unsupported_type_raises():
    def get(self):
        for wrong in ([1], 7, None):
            with pytest.raises(TypeError, match="accepts bytes, str or dict"):
                self.write(wrong)
        self.finish("end")
        with pytest.raises(RuntimeError, match="after finish"):
            self.write("more")
        with pytest.raises(RuntimeError, match="finish.. called twice"):
            self.finish()

    assert (await answer(get)).body == b"end"


@pytest.mark.filterwarnings("ignore:.*style of Tornado 4")
async def test_flush():
    calls = []

    async def get(self):
        self.write("a")
        await self.flush()
        self.write("b")
        await self.flush(include_footers=False, callback=lambda: calls.append("called"))
        self.finish("c")

    response = await answer(get)
    assert (response.get("transfer-encoding"), response.body) == ("chunked", b"abc")
    assert calls == ["called"]


async def test_redirect():
    def get(self):
        code = self.get_argument("code", None)
        self.redirect("/there?a=1", permanent="permanent" in self.request.query, status=code and int(code))

    for query, code in [("", 302), ("permanent", 301), ("code=307", 307)]:
        response = await answer(get, path=f"/?{query}")
        assert (response.code, response.get("location")) == (code, "/there?a=1")


async def test_redirect_with_invalid_status(expect_log):
    with expect_log("tornado.application", "Uncaught exception"):
        assert (await answer(lambda self: self.redirect("/", status=200))).code == 500


async def test_rendering(tmp_path):
    (tmp_path / "page.html").write_text(
        "<p>{{ name }} {{ handler.request.path }}{{ extra }}</p>", encoding="utf-8"
    )

    def get(self):
        seen.append(self.render_string("page.html", name="<王>"))
        self.render("page.html", name="ann")

    def get_template_namespace(self):
        names = web.RequestHandler.get_template_namespace(self)
        seen.append(
            set(names)
            >= {
                "handler",
                "request",
                "current_user",
                "locale",
                "_",
                "static_url",
                "xsrf_form_html",
                "reverse_url",
            }
        )
        return {**names, "extra": "!"}

    seen = []
    handler = handler_of(get=get, get_template_namespace=get_template_namespace)
    response = await ask(handler, template_path=str(tmp_path), path="/x")
    assert response.body == b"<p>ann /x!</p>"
    assert seen == [True, "<p>&lt;王&gt; /x!</p>".encode(), True]


async def test_send_error():
    assert (await answer(lambda self: self.send_error(403))).code == 403
    response = await answer(lambda self: self.send_error())
    assert (response.code, b"500: Internal Server Error" in response.body) == (500, True)


async def test_send_error_after_a_flush(expect_log):
    async def get(self):
        self.write("half")
        await self.flush()
        self.send_error(500)

    async with serving(web.Application([("/", handler_of(get=get))])) as server:
        with expect_log("tornado.general", "Cannot send error response after headers written"):
            data = await server.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert data.endswith(b"half\r\n")  # truncated: there is no last chunk


async def test_clear():
    def get(self):
        self.set_status(201)
        self.set_header("X-Gone", "x")
        self.write("gone")
        self.clear()
        self.write("stays")

    response = await answer(get)
    assert (response.code, response.get("x-gone"), response.body) == (200, None, b"stays")


# -- cookies


async def test_get_cookie():
    def get(self):
        self.write(
            {"a": self.get_cookie("a"), "b": self.get_cookie("b"), "c": self.get_cookie("b", "default")}
        )

    assert (await answer(get, "Cookie: a=1")).body == b'{"a": "1", "b": null, "c": "default"}'


async def test_set_cookie():
    def get(self):
        self.set_cookie("plain", "v")
        self.set_cookie("days", "v", expires_days=1)
        self.set_cookie("full", "v", domain="example.com", expires=0.5, path="/a", httponly=True, secure=True)

    cookies = (await answer(get)).get_all("set-cookie")
    assert cookies[0] == "plain=v; Path=/"
    assert "expires=" in cookies[1]
    for part in (
        "Domain=example.com",
        "expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "Path=/a",
        "HttpOnly",
        "Secure",
    ):
        assert part in cookies[2]


@pytest.mark.parametrize("name", ["a b", "a;b", "a\r\n", ""])
async def test_invalid_cookie_is_rejected(name):
    def get(self):
        with pytest.raises(ValueError, match="[Cc]ookie"):
            self.set_cookie(name, "v")

    assert (await answer(get)).code == 200


@pytest.mark.parametrize("place", ["names", "places"])
async def test_clearing_cookies(place):
    def get(self):
        if place == "names":
            self.clear_cookie("one", path="/a", domain="example.com")
        else:
            self.clear_cookie("one", "/a", "example.com")

    (line,) = (await answer(get)).get_all("set-cookie")
    assert line.startswith('one=""; ')
    assert {"Path=/a", "Domain=example.com"} <= set(line.split("; "))
    assert "expires=" in line


@pytest.mark.parametrize("place", ["none", "names", "places"])
async def test_clearing_all_cookies(place):
    def get(self):
        if place == "none":
            self.clear_all_cookies()
        elif place == "names":
            self.clear_all_cookies(path="/a", domain="example.com")
        else:
            self.clear_all_cookies("/a", "example.com")

    lines = (await answer(get, "Cookie: one=1; two=2")).get_all("set-cookie")
    assert [line.partition("=")[0] for line in lines] == ["one", "two"]
    assert all(("Path=/a" in line) == (place != "none") for line in lines)
    assert all(("Domain=example.com" in line) == (place != "none") for line in lines)


async def test_secure_cookies(expect_log):
    def get(self):
        self.set_secure_cookie("name", "值", expires_days=2, version=int(self.get_argument("version")))
        self.write(str(self.get_secure_cookie("name")))

    for version in ("1", "2"):
        handler = handler_of(get=get)
        first = await ask(handler, path=f"/?version={version}", cookie_secret="s" * 32)
        assert first.body == b"None"  # 否则返回None
        pair = first.get("set-cookie").partition(";")[0]
        second = await ask(handler, f"Cookie: {pair}", path=f"/?version={version}", cookie_secret="s" * 32)
        assert second.body.decode() == str("值".encode())
        with expect_log("tornado.general", "Invalid cookie signature", required=version == "1"):
            forged = await ask(
                handler, f"Cookie: {pair[:-2]}x", path=f"/?version={version}", cookie_secret="s" * 32
            )
        assert forged.body == b"None"


async def test_expired_secure_cookie(monkeypatch):
    def get(self):
        value = self.create_signed_value("name", "v")
        monkeypatch.setattr(time, "time", lambda: now + 10 * 86400)
        self.write(
            f"{self.get_secure_cookie('name', value)} {self.get_secure_cookie('name', value, max_age_days=9)}"
        )
        monkeypatch.undo()

    now = time.time()
    assert (await ask(handler_of(get=get), cookie_secret="s" * 32)).body == b"b'v' None"


async def test_secure_cookies_require_cookie_secret(expect_log):
    with expect_log("tornado.application", "Uncaught exception"):
        assert (await answer(lambda self: self.set_secure_cookie("a", "b"))).code == 500


# -- httputil


def test_url_concat():
    assert httputil.url_concat("http://example.com/foo", {"c": "d"}) == "http://example.com/foo?c=d"
    assert httputil.url_concat("/foo?a=b", [("c", "d e"), ("c", "二")]) == "/foo?a=b&c=d+e&c=%E4%BA%8C"
    assert httputil.url_concat("/foo", None) == "/foo"
    with pytest.raises(TypeError):
        httputil.url_concat("/foo", 7)


def test_format_timestamp():
    assert httputil.format_timestamp(1359312200) == "Sun, 27 Jan 2013 18:43:20 GMT"
    with pytest.raises(TypeError):
        httputil.format_timestamp("now")


def test_parse_request_start_line():
    line = httputil.parse_request_start_line("GET /foo HTTP/1.1")
    assert line == httputil.RequestStartLine(method="GET", path="/foo", version="HTTP/1.1")
    assert repr(line) == "RequestStartLine(method='GET', path='/foo', version='HTTP/1.1')"
    for wrong in ("GET", "GET /foo", "GET /foo HTTP/4", "GET /foo bar HTTP/1.1", ""):
        with pytest.raises(httputil.HTTPInputError):
            httputil.parse_request_start_line(wrong)


def test_parse_response_start_line():
    line = httputil.parse_response_start_line("HTTP/1.1 200 OK")
    assert repr(line) == "ResponseStartLine(version='HTTP/1.1', code=200, reason='OK')"
    for wrong in ("HTTP/1.1", "HTTP/1.1 OK", "HTTP/1.1 20 OK", "200 OK", ""):
        with pytest.raises(httputil.HTTPInputError):
            httputil.parse_response_start_line(wrong)


# -- the loop


async def test_current_loop_is_unique():
    assert IOLoop.current() is IOLoop.current(instance=True) is IOLoop.instance()


def test_run_sync():
    loop = IOLoop(make_current=False)

    async def main():
        return IOLoop.current() is loop

    assert loop.run_sync(main) is True
    with pytest.raises(TimeoutError):
        loop.run_sync(lambda: asyncio.sleep(60), timeout=0.01)
    loop.close()


def test_run_in_executor_and_add_callback():
    """线程: run_in_executor在另一个线程上运行阻塞函数, add_callback是唯一可以安全地从其他线程调用的方法."""
    loop = IOLoop(make_current=False)

    async def main():
        here = threading.get_ident()
        there = await IOLoop.current().run_in_executor(None, threading.get_ident)
        called = []
        thread = threading.Thread(
            target=loop.add_callback, args=(lambda: called.append(threading.get_ident()),)
        )
        thread.start()
        while not called:
            await asyncio.sleep(0)
        thread.join()
        return there != here, called == [here]

    assert loop.run_sync(main) == (True, True)
    loop.close()
