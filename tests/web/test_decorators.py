"""Decorators for handlers and their methods."""

from __future__ import annotations

import re
import types
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.server import ExpectLog, ask, raised, serving
from tests.support.web import streams_request_body
from tornado import web
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import addslash, authenticated, removeslash


class Slashless(web.RequestHandler):
    @removeslash
    def get(self) -> None:
        self.write("got")

    head = get

    @removeslash
    async def post(self) -> None:
        self.write("posted")


class Slashful(web.RequestHandler):
    @addslash
    def get(self) -> None:
        self.write("got")

    head = get

    @addslash
    async def post(self) -> None:
        self.write("posted")


@pytest.mark.parametrize(
    ("handler", "method", "path", "code", "location"),
    [
        (Slashless, "GET", "/a", 200, None),
        (Slashless, "GET", "/a/", 301, "/a"),
        (Slashless, "GET", "/a//", 301, "/a"),
        (Slashless, "GET", "/a/?b=c/", 301, "/a?b=c/"),
        (Slashless, "HEAD", "/a/", 301, "/a"),
        (Slashless, "GET", "/", 200, None),
        (Slashless, "GET", "//", 200, None),
        (Slashless, "POST", "/a", 200, None),
        (Slashless, "POST", "/a/", 404, None),
        (Slashful, "GET", "/a/", 200, None),
        (Slashful, "GET", "/a", 301, "/a/"),
        (Slashful, "GET", "/a?b=c", 301, "/a/?b=c"),
        (Slashful, "HEAD", "/a", 301, "/a/"),
        (Slashful, "POST", "/a/", 200, None),
        (Slashful, "POST", "/a", 404, None),
    ],
)
async def test_decorators_redirect_get_and_head_but_not_post(
    handler: Any, method: Any, path: str, code: Any, location: Any
) -> None:
    response = await ask(handler, method=method, path=path, body=b"" if method == "POST" else None)
    assert (response.code, response.get("location")) == (code, location)


@pytest.mark.parametrize("path", ["//evil.com/", "//evil.com/%2f..//", "///evil.com/"])
async def test_slash_redirect_to_another_host_is_rejected(path: str, expect_log: ExpectLog) -> None:
    for handler, asked in ((Slashless, path), (Slashful, path.rstrip("/"))):
        with expect_log("tornado.general", "cannot redirect path with two initial slashes"):
            response = await ask(handler, path=asked)
        assert (response.code, response.get("location")) == (403, None)


@pytest.mark.parametrize("target", ["http://evil.com/a/", "http://evil.com//a/"])
async def test_slash_redirect_of_an_absolute_target_stays_on_this_host(
    target: Any, expect_log: ExpectLog
) -> None:
    with expect_log("tornado.general", "two initial slashes", required=False):
        response = await ask(Slashless, path=target)
    assert response.get("location") in (None, "/a")


# -- authenticated --


class Private(web.RequestHandler):
    """A handler that requires the cookie `user`."""

    def get_current_user(self) -> Any:
        return self.get_cookie("user")

    @authenticated
    def get(self, *args: Any) -> None:
        """The private page."""
        self.write(f"for {self.current_user}")

    head = get

    @authenticated
    async def post(self) -> None:
        self.write(f"from {self.current_user}")


async def test_logged_in_user_is_allowed() -> None:
    assert (await ask(Private, "Cookie: user=me")).body == b"for me"
    assert (await ask(Private, "Cookie: user=me", method="POST", body=b"")).body == b"from me"


@pytest.mark.parametrize(
    ("login_url", "location"),
    [
        ("/login", "/login?next=%2Fa%3Fb%3Dc"),
        ("/login?next=x", "/login?next=x"),
        (
            "https://sso.example.com/login",
            "https://sso.example.com/login?next=http%3A%2F%2Flocalhost%2Fa%3Fb%3Dc",
        ),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_anonymous_user_is_redirected_to_login(login_url: Any, location: Any, method: Any) -> None:
    response = await ask(Private, path="/a?b=c", method=method, login_url=login_url)
    assert (response.code, response.get("location")) == (302, location)


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("//evil.com/x?y=z", "/evil.com/x?y=z"),
        ("///evil.com", "/evil.com"),
        ("/\\evil.com/x", "/evil.com/x"),
        ("/\\/evil.com/x", "/evil.com/x"),
        ("http://evil.com//x.org/y", "/x.org/y"),
        ("http://evil.com?a=http://b", "/?a=http://b"),
        ("/a//b?c=//d", "/a//b?c=//d"),
        ("/a?b=http://c//d", "/a?b=http://c//d"),
    ],
)
async def test_next_refers_to_this_host(target: str, wanted: str) -> None:
    for login_url in ("/login", "https://sso.example.com/login"):
        response = await ask(Private, path=target, login_url=login_url)
        (found,) = parse_qs(urlsplit(response.get("location")).query)["next"]
        if login_url.startswith("https"):
            host = "evil.com" if target.startswith("http://") else "localhost"
            assert found == f"http://{host}{wanted}"
        else:
            assert found == wanted


@pytest.mark.parametrize(
    "uri",
    [
        "\t//evil.com",
        "/\t/evil.com",
        "\x01/\\evil.com",
        " https:evil.com",
        "javascript://%0aalert(1)",
        "\\\\evil.com",
    ],
)
def test_next_of_a_target_with_control_characters_refers_to_this_host(uri: str) -> None:
    """The server rejects such a request target, but a program may set `request.uri` itself."""
    line = RequestStartLine("GET", "/", "HTTP/1.1")
    request = HTTPServerRequest(
        start_line=line, headers=HTTPHeaders({"Host": "localhost"}), connection=mock.Mock()
    )
    request.uri = uri
    handler = Private(web.Application(login_url="/login"), request)
    handler.redirect = mock.Mock()  # type: ignore[method-assign]
    _ = handler.get()
    (found,) = parse_qs(urlsplit(handler.redirect.call_args[0][0]).query)["next"]
    assert re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", found)


async def test_anonymous_post_is_403() -> None:
    assert (await ask(Private, method="POST", body=b"", login_url="/login")).code == 403


async def test_missing_login_url_is_explained(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(Private)).code == 500
    assert "define the 'login_url' setting" in str(raised(expected))


def test_wrapper_is_recognised_by_audits() -> None:
    """Programs detect protected methods by their wrapper."""
    wrapper: Any = vars(Private)["get"]
    assert isinstance(wrapper, types.FunctionType)
    assert vars(wrapper)["__wrapped__"].__name__ == wrapper.__name__ == "get"
    assert wrapper.__doc__ == "The private page."
    assert wrapper.__code__.co_qualname.startswith("authenticated")


# -- stream_request_body --


@pytest.mark.parametrize("target", [object, web.UIModule, lambda: None, web.RequestHandler.get])
def test_stream_request_body_of_another_class_is_rejected(target: Any) -> None:
    with pytest.raises(TypeError, match="subclass of RequestHandler"):
        web.stream_request_body(target)


async def test_streaming_is_inherited_and_does_not_change_the_base() -> None:
    received = []

    @web.stream_request_body
    class Streaming(web.RequestHandler):
        def data_received(self, chunk: Any) -> None:
            received.append(chunk)

    class Derived(Streaming):
        def post(self) -> None:
            self.write(repr((self.request.body, self.request.body_arguments)))

    assert not streams_request_body(web.RequestHandler)
    async with serving(web.Application([("/", Derived)])) as server:
        peer = await server.connect()
        peer.get("/", "Content-Type: application/x-www-form-urlencoded", method="POST", body=b"a=b")
        assert (await peer.response()).body == b"(b'', {})"
    assert received == [b"a=b"]


async def test_streaming_without_data_received_is_explained(expect_log: ExpectLog) -> None:
    streaming = web.stream_request_body(type("Streaming", (web.RequestHandler,), {"post": lambda self: None}))
    async with serving(web.Application([("/", streaming)])) as server:
        with expect_log("tornado.application", "Uncaught exception") as expected:
            peer = await server.connect()
            peer.get("/", method="POST", body=b"x")
            assert (await peer.response()).code == 500
    assert "has no data_received()" in str(raised(expected))
