"""The routes of an application as text."""

from __future__ import annotations

from typing import Any

import pytest

from tornado import web
from tornado.web._dispatch._route_list import Route, matching_route, similar_routes, unmatched_routes

APPLICATION = web.Application(
    [
        ("/a", web.RequestHandler),
        ("/b/.*", [("/b/(.)", web.ErrorHandler)]),
        web.url("/c", web.RequestHandler, name="c"),
    ]
)


def request(path: str) -> Any:
    return type("Request", (), {"host_name": "h", "path": path, "headers": {}})()


def test_unmatched_routes_include_those_of_nested_routers() -> None:
    found = unmatched_routes(APPLICATION, request("/b/xx"), 10)
    assert found == [
        Route("/a", "tornado.web.RequestHandler", "", True),
        Route("/b/.* \u203a /b/(.)", "tornado.web.ErrorHandler", "", True),
        Route("/c", "tornado.web.RequestHandler", "c", True),
    ]
    assert len(unmatched_routes(APPLICATION, request("/none"), 2) or ()) == 2
    assert unmatched_routes(APPLICATION, request("/a"), 10) is None


def test_matching_route() -> None:
    found = matching_route(APPLICATION, request("/c"), web.RequestHandler)
    assert found is not None
    assert found.name == "c"
    assert matching_route(APPLICATION, request("/none"), web.RequestHandler) is None


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/a/", ["The route '/a' exists, without a final slash."]),
        ("/elsewhere", []),
        ("/aa", ["Did you mean /a?"]),
    ],
)
def test_similar_routes(path: str, hint: list[str]) -> None:
    assert similar_routes(path, [Route("/a", "", "")]) == hint
