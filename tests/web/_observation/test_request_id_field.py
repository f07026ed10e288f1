"""The setting ``request_id``: the header field X-Request-Id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.server import serving
from tornado import web


class Plain(web.RequestHandler):
    def get(self) -> None:
        self.write("plain")

    post = get


class Touched(web.RequestHandler):
    def get(self) -> None:
        self.set_header("X-Own", "1")


class Chunked(web.RequestHandler):
    async def get(self) -> None:
        self.write("one")
        await self.flush()
        self.write("two")


class Failing(web.RequestHandler):
    def get(self) -> None:
        raise web.HTTPError(418)


class Unchanged(web.RequestHandler):
    def get(self) -> None:
        self.set_status(304)


@pytest.fixture
def routes(tmp_path: Path) -> list[Any]:
    (tmp_path / "file.txt").write_text("text")
    return [
        ("/plain", Plain),
        ("/touched", Touched),
        ("/chunked", Chunked),
        ("/failing", Failing),
        ("/unchanged", Unchanged),
        ("/static/(.*)", web.StaticFileHandler, {"path": str(tmp_path)}),
    ]


@pytest.mark.parametrize("security", [None, True])
async def test_every_response_has_the_identifier_once(routes: list[Any], security: bool | None) -> None:
    application = web.Application(routes, request_id=True, security_headers=security)
    async with serving(application, xheaders=True) as server:
        for path in ("plain", "touched", "chunked", "failing", "unchanged", "static/file.txt", "missing"):
            response = await server.fetch(f"/{path}", "X-Request-Id: id-1")
            assert response.get_all("x-request-id") == ["id-1"], path
            assert (response.get("x-content-type-options") is not None) == bool(security)
        response = await server.fetch("/plain", "X-Request-Id: id-2", method="POST", body=b"x")
        assert response.get_all("x-request-id") == ["id-2"]
        made = [(await server.fetch("/plain")).get("x-request-id") for _ in range(2)]
        assert len({*made}) == 2
        assert {len(each) for each in made} == {32}


async def test_responses_have_no_identifier_without_the_setting(routes: list[Any]) -> None:
    for settings in ({}, {"request_id": False}, {"metrics": True}):
        async with serving(web.Application(routes, **settings)) as server:
            assert (await server.fetch("/plain")).get("x-request-id") is None
            assert (await server.fetch("/touched")).get("x-request-id") is None


async def test_nonce_of_the_security_headers_still_works() -> None:
    class Page(web.RequestHandler):
        def get(self) -> None:
            self.write(self.csp_nonce)

    policy = {"content_security_policy": "script-src 'nonce-{nonce}'"}
    application = web.Application([("/", Page)], request_id=True, security_headers=policy)
    async with serving(application) as server:
        response = await server.fetch("/")
        assert f"'nonce-{response.body.decode()}'" in response.get("content-security-policy")
        assert len(response.get("x-request-id")) == 32
