"""The error of a method that does not accept the groups of its route's pattern."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, raised, serving
from tornado import web


def passing(method: Any) -> Any:
    """A decorator of the program: the arguments that it passes to the method cannot be known."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return call


class Page(web.RequestHandler):
    @passing
    def get(self) -> None: ...

    @passing
    async def post(self, number: str) -> None: ...

    def put(self) -> None:
        int(nothing=1)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/page/1", "the pattern '/page/(.*)' has one group, which does not fit"),
        ("POST", "/page", "the pattern '/page' has no group, which does not fit"),
    ],
)
async def test_error_contains_pattern_and_method(
    method: str, path: str, words: str, expect_log: ExpectLog
) -> None:
    routes: list[Any] = [("/page/(.*)", Page), ("/page", Page)]
    body = b"" if method == "POST" else None
    with expect_log("tornado.application", "Uncaught exception") as expected:
        response = await ask(routes, path=path, method=method, body=body)
    assert response.code == 500
    (note,) = raised(expected).__notes__
    assert words in note
    assert f"Page.{method.lower()}(" in note


async def test_other_type_errors_are_unchanged(expect_log: ExpectLog) -> None:
    async with serving(web.Application([("/page", Page)])) as server:
        with expect_log("tornado.application", "Uncaught exception") as expected:
            assert (await server.fetch("/page", method="PUT", body=b"")).code == 500
    assert not hasattr(raised(expected), "__notes__")
