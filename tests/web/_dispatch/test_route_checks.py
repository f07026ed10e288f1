"""Checks of routes when they are added."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.support.server import ExpectLog
from tornado import gen, web, websocket, wsgi
from tornado.httpserver import HTTPServer
from tornado.routing import HostMatches, RuleRouter


@pytest.mark.parametrize("target", [None, 5, b"module.Handler"])
def test_invalid_target_is_rejected(target: Any) -> None:
    with pytest.raises(TypeError, match="must be a RequestHandler class"):
        web.Application([("/", target)])


def test_class_that_is_not_a_handler_is_logged(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "is the class dict, which is not a RequestHandler"):
        web.Application([("/", dict)])


def test_pattern_that_can_never_match_is_logged(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "'page/one' can never match, .*: '/page/one'"):
        web.Application([("page/one", web.RequestHandler)])


def test_other_patterns_may_match() -> None:
    patterns = ("/page", "x?/page", ".*", "a|/b", "(/x)", "x.com:1", "")
    web.Application([(pattern, web.RequestHandler) for pattern in patterns])


def test_a_pattern_for_files_needs_a_group(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", r"needs a group, for the file's path: '/s/\(\.\*\)'"):
        web.Application([("/s/", web.StaticFileHandler, {"path": "."})])


# -- functions --


def wsgi_application(environ: Any, start_response: Any) -> list[bytes]:
    return []


async def asgi_application(scope: Any, receive: Any, send: Any) -> None: ...


class WSGIApplication:
    """A WSGI application as an object, like those of Flask and Django."""

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        return []


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (wsgi_application, "looks like a WSGI application: .*WSGIContainer"),
        (WSGIApplication(), "looks like a WSGI application"),
        (asgi_application, "looks like an ASGI application"),
        (lambda: None, r"cannot be called with \(request\)$"),
    ],
)
@pytest.mark.parametrize("router", [web.Application, RuleRouter])
def test_function_that_does_not_accept_a_request_is_rejected(router: Any, target: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        router([("/", target)])


def test_functions_with_matching_parameters_are_accepted() -> None:
    def with_groups(request: Any, path_args: Any, path_kwargs: Any) -> None: ...

    def with_arguments(request: Any, target_kwargs: Any, x: int = 1) -> None: ...

    def anything(*args: Any, **kwargs: Any) -> None: ...

    with pytest.raises(TypeError, match=r"\(request, path_args=..., path_kwargs=...\)"):
        RuleRouter([("/(.*)", with_arguments)])
    RuleRouter(
        [
            ("/(.*)", with_groups),
            ("/a", with_arguments, {"x": 1}),
            ("/(b)", anything, {"x": 1}),
            (HostMatches("a"), print),
            ("/c", web.Application()),
        ]
    )


@pytest.mark.parametrize("fallback", [wsgi_application, WSGIApplication(), asgi_application])
def test_fallback_that_does_not_accept_a_request_is_rejected(fallback: Any) -> None:
    with pytest.raises(
        TypeError, match="must be a function that accepts a request, but it seems to be an application"
    ):
        web.Application([("/.*", web.FallbackHandler, {"fallback": fallback})])


def test_server_of_a_function_that_does_not_accept_a_request_is_rejected() -> None:
    with pytest.raises(TypeError, match=r"cannot be called with a request: it seems .* WSGI; wrap it"):
        HTTPServer(wsgi_application)
    with pytest.raises(TypeError, match=r"cannot be called with a request: it seems .* ASGI"):
        HTTPServer(asgi_application)


def test_wrapped_wsgi_application_is_served() -> None:
    container = wsgi.WSGIContainer(wsgi_application)
    HTTPServer(container)
    web.Application([("/.*", web.FallbackHandler, {"fallback": container})])


# -- duplicates --


class First(web.RequestHandler):
    def get(self, *args: str, **kwargs: str) -> None: ...


class Second(First): ...


@pytest.mark.parametrize("pattern", ["/a", "/a/(.*)", "/a/(?P<b>.*)"])
def test_second_route_with_the_same_pattern_is_reported(pattern: str, expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", "to Second can never match: .* has the target First") as expected:
        web.Application([(pattern, First), (pattern + "$", Second)])
    assert len(expected.records) == 1


def test_route_that_is_added_later_is_compared_too(expect_log: ExpectLog) -> None:
    application = web.Application([("/a", First), ("/b", First)])
    with expect_log("tornado.application", "the route '/b' to Second can never match"):
        application.wildcard_router.add_rules([("/c", Second), ("/b", Second)])
    application.add_handlers("example.com", [("/a", Second)])  # for another host


def test_identical_route_is_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tornado.application")
    web.Application([("/a", First, {"b": 1}), ("/a", First, {"b": 1})])
    assert "the route '/a' to First can never match" in caplog.text


def test_route_after_a_router_of_the_same_pattern_may_match() -> None:
    web.Application([("/a/.*", [("/a/b", First)]), ("/a/.*", Second)])


# -- groups --


class NoArguments(web.RequestHandler):
    def get(self) -> None: ...


class OneArgument(web.RequestHandler):
    def get(self, name: str) -> None: ...


class Page(web.RequestHandler):
    """A collection and its members, with two routes."""

    def get(self, name: str = "") -> None: ...

    def post(self) -> None: ...

    def delete(self, name: str) -> None: ...


class Authenticated(web.RequestHandler):
    @web.authenticated
    @gen.coroutine
    def get(self) -> None: ...


class Echo(websocket.WebSocketHandler):
    def open(self) -> None: ...


@pytest.mark.parametrize(
    ("pattern", "handler", "words"),
    [
        (
            "/(.*)",
            NoArguments,
            r"has one group, .* NoArguments.get\(\): each such request fails with status 500",
        ),
        ("/", OneArgument, r"has no group, .* OneArgument.get\(name\)"),
        ("/(.)(.)", OneArgument, "has 2 groups"),
        ("/(?P<title>.*)", OneArgument, r"groups named title, .* OneArgument.get\(name\)"),
        ("/(.*)", Authenticated, r"has one group, .* Authenticated.get\(\)"),
        ("/(.*)", Echo, r"has one group, .* Echo.open\(\)"),
    ],
)
def test_groups_that_do_not_match_are_reported(
    pattern: str, handler: Any, words: str, expect_log: ExpectLog
) -> None:
    with expect_log("tornado.application", words) as expected:
        web.Application([(pattern, handler)])
    assert len(expected.records) == 1


def test_method_that_matches_no_route_of_its_class_is_reported(expect_log: ExpectLog) -> None:
    with expect_log("tornado.application", r"Page.post\(\)|Page.delete\(name\)") as expected:
        web.Application([("/(.)(.)|/(.)", web.ErrorHandler, {"status_code": 404}), ("/(.*)", Page)])
        web.Application([("/", Page)])
    assert len(expected.records) == 2


def test_groups_that_may_match_are_not_reported() -> None:
    def own(method: Any) -> Any:
        return lambda self, *args: method(self, "added", *args)

    class Sets(NoArguments):
        def prepare(self) -> None:
            self.path_args = []

    class Wrapped(web.RequestHandler):
        get = own(lambda self, added, name: None)

    class Keywords(web.RequestHandler):
        def get(self, *, name: str, other: str = "") -> None: ...

    web.Application(
        [
            ("/pages", Page),
            ("/pages/(.*)", Page),
            ("/sets/(.*)", Sets),
            ("/wrapped/(.*)", Wrapped),
            ("/keywords/(?P<name>.*)", Keywords),
            ("/named/(?P<name>.*)", OneArgument),
            ("/moved/(.*)", web.RedirectHandler, {"url": "/{0}"}),
            ("/files/(.*)", web.StaticFileHandler, {"path": "."}),
            ("/mock/(.*)", type("Mock", (web.RequestHandler,), {"get": staticmethod(print)})),
        ]
    )


def test_route_whose_arguments_are_not_a_dict_is_not_checked() -> None:
    for handler in (web.StaticFileHandler, web.FallbackHandler):
        web.Application([web.URLSpec("/(.*)", handler, "not a dict")])  # type: ignore[arg-type, unused-ignore]
