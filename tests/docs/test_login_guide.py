"""docs/guide/login.md: each of its programs is taken out, served and asked."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.databases import RedisServer
from tests.support.program import ROOT
from tests.support.server import ExpectLog, Response, Server, serving
from tests.support.visitor import Visitor

PATH = ROOT / "docs/guide/login.md"
PROGRAMS = dict(
    re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", PATH.read_text(), re.DOTALL | re.MULTILINE)
)
Check = Callable[[Server, ExpectLog], Awaitable[None]]
FORM = "Content-Type: application/x-www-form-urlencoded"


async def post(visitor: Visitor, path: str, *fields: str, **values: str) -> Response:
    """Send a form."""
    body = urlencode(values).encode()
    return await visitor.fetch(path, FORM, *fields, method="POST", body=body)


async def sessions(server: Server, expect_log: ExpectLog) -> None:
    """Login, with a wrong password first, and logout."""
    visitor = Visitor(server)
    assert (await visitor.fetch("/")).get("location") == "/login?next=%2F"
    assert b"<form" in (await visitor.fetch("/login")).body
    for user, password in (("ada", "wrong"), ("eve", "lovelace")):
        refused = await post(visitor, "/login", user=user, password=password)
        assert (refused.code, visitor.cookies) == (403, {})
    with expect_log("tornado.general", "Sec-Fetch-Site"):
        forged = await post(visitor, "/login", "Sec-Fetch-Site: cross-site", user="ada", password="lovelace")
    assert forged.code == 403
    for target, location in (
        ("/", "/"),
        ("/a?b", "/a?b"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
    ):
        path = "/login?" + urlencode({"next": target})
        assert (await post(visitor, path, user="ada", password="lovelace")).get("location") == location
    assert (await visitor.fetch("/")).body == b"ada, visit 1"
    assert (await visitor.fetch("/")).body == b"ada, visit 2"
    assert (await post(visitor, "/logout")).get("location") == "/login"
    assert (await visitor.fetch("/")).code == 302


async def redis_sessions(server: Server, expect_log: ExpectLog) -> None:
    """A cart, a stream, and a handler that loads the session itself."""
    visitor = Visitor(server)
    for item in ("hat", "umbrella"):
        assert (await post(visitor, "/cart", item=item)).code == 303
    assert json.loads((await visitor.fetch("/cart")).body) == {"items": ["hat", "umbrella"]}
    assert (await visitor.fetch("/stream")).body == b"one two"
    assert json.loads((await visitor.fetch("/status?verbose=1")).body) == {"ok": True, "items": 2}
    assert json.loads((await visitor.fetch("/status")).body) == {"ok": True}
    assert json.loads((await server.fetch("/cart")).body) == {"items": []}


async def api(server: Server, expect_log: ExpectLog) -> None:
    """The rows of the table."""
    anonymous = await server.fetch("/orders")
    assert (anonymous.code, anonymous.get("www-authenticate")) == (401, 'Bearer realm="orders"')
    assert json.loads(anonymous.body) == {"error": {"status": 401, "message": "Unauthorized"}}
    assert (await server.fetch("/orders", "Authorization: Bearer r-5f2c")).code == 200
    write = await server.fetch("/orders", "Authorization: Bearer w-91be", method="POST", body=b"")
    assert write.code == 201
    rows = [
        ("GET", "Bearer other", 401, "invalid_token"),
        ("POST", "Bearer r-5f2c", 403, "insufficient_scope"),
        ("GET", "Bearer", 400, "invalid_request"),
        ("GET", "Bearer <>", 401, "invalid_token"),
    ]
    for method, field, code, error in rows:
        body = b"" if method == "POST" else None
        with expect_log("tornado.general", error):
            answer = await server.fetch("/orders", f"Authorization: {field}", method=method, body=body)
        assert answer.code == code
        assert f'error="{error}"' in answer.get("www-authenticate")
    with expect_log("tornado.general", "_xsrf"):
        assert (await server.fetch("/orders", method="POST", body=b"")).code == 403


CHECKS: dict[str, Check] = {each.__name__: each for each in (sessions, redis_sessions, api)}


def test_every_program_is_checked() -> None:
    assert PROGRAMS.keys() == CHECKS.keys()
    assert len(PROGRAMS) == PATH.read_text().count("```python")


@pytest.mark.parametrize("name", CHECKS)
async def test_program(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
) -> None:
    monkeypatch.setenv("COOKIE_SECRET", "0123456789abcdef" * 4)
    if name == "redis_sessions":
        redis: RedisServer = request.getfixturevalue("redis_server")
        monkeypatch.setenv("REDIS_URL", redis.url)
    module: dict[str, Any] = {"__name__": name}
    exec(compile(PROGRAMS[name], f"{name}.py", "exec"), module)
    async with serving(module["application"]) as server:
        await CHECKS[name](server, expect_log)
    if "store" in module:
        await module["store"].close()


def test_links() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PATH.read_text()):
        assert (PATH.parent / target).exists(), target
