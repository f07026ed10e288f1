"""`RequestHandler.route`."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import Mock

import pytest

from tests.support.server import serving
from tornado import web
from tornado.httputil import HTTPServerRequest, RequestStartLine
from tornado.routing import HostMatches, Matcher, PathMatches, Router, Rule


class Show(web.RequestHandler):
    def get(self, *args: str, **kwargs: str) -> None:
        self.write(repr(self.route))

    post = get


class Own(web.RequestHandler):
    def initialize(self) -> None:
        self.route = "mine"

    def get(self) -> None:
        self.write(self.route or "")


class ClassOwn(Own):
    route = "class"

    def initialize(self) -> None:
        pass


class ByQuery(Matcher):
    def match(self, request: Any) -> dict[str, Any] | None:
        return {} if request.query == "special" else None


class Single(Router):
    def __init__(self, application: web.Application) -> None:
        self.application = application

    def find_handler(self, request: Any, **kwargs: Any) -> Any:
        return self.application.get_handler_delegate(request, Show)


@pytest.mark.parametrize("observed", [False, True])
async def test_route_is_the_pattern_of_the_program(observed: bool) -> None:
    application = web.Application(
        [
            (ByQuery(), Show),
            (r"/", Show),
            (r"/a/([0-9]+)", Show),
            (r"/b/(?P<name>.*)$", Show),
            (r"/nested/.*", [(r"/nested/one", Show), (PathMatches(re.compile(r"/nested/two$")), Show)]),
            (r"/nested/three", Show),
            (HostMatches("localhost"), [(r"/host", Show)]),
            web.url(r"/url", Show, name="named"),
        ],
        default_handler_class=Show,
        metrics=observed,
    )
    application.add_handlers("other", [(r"/other", Show)])
    application.default_router.rules.insert(0, Rule(PathMatches("/router/.*"), Single(application)))
    expected = {
        "/": "/",
        "/?special": None,
        "/a/1": "/a/([0-9]+)",
        "/b/x": "/b/(?P<name>.*)",
        "/nested/one": "/nested/one",
        "/nested/two": "/nested/two",
        "/nested/three": "/nested/three",
        "/host": "/host",
        "/url": "/url",
        "/router/x": "/router/.*",
        "/nested/none": None,
        "/missing": None,
    }
    async with serving(application) as server:
        for path, route in expected.items():
            assert (await server.fetch(path)).body.decode() == repr(route), path
            assert (await server.fetch(path, method="POST", body=b"x")).body.decode() == repr(route), path
        assert (await server.fetch("/other", "Host: other")).body == b"'/other'"


async def test_route_of_the_fast_path() -> None:
    async with serving(web.Application([(r"/", Show), (r"/a/(.*)", Show)])) as server:
        assert (await server.fetch("/")).body == b"'/'"
        assert (await server.fetch("/a/1")).body == b"'/a/(.*)'"


async def test_program_may_use_the_name() -> None:
    async with serving(web.Application([("/object", Own), ("/class", ClassOwn)])) as server:
        assert (await server.fetch("/object")).body == b"mine"
        assert (await server.fetch("/class")).body == b"class"


def test_handler_that_no_router_created_has_no_route() -> None:
    request = HTTPServerRequest(start_line=RequestStartLine("GET", "/", "HTTP/1.0"), connection=Mock())
    assert Show(web.Application(), request).route is None
