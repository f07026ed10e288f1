"""docs/guide/login.md."""

from __future__ import annotations

import json
import logging
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.support.guides import Run
from tests.support.server import Response, serving
from tests.support.visitor import Visitor
from tornado import web

FORM = "Content-Type: application/x-www-form-urlencoded"


def prepare(name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Set the variables of the environment that the programs read."""
    monkeypatch.setenv("COOKIE_SECRET", "0123456789abcdef" * 4)
    if name == "redis_sessions":
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_server").url)
    if name == "openid":
        monkeypatch.setenv("OPENID_ISSUER", "http://localhost")
        monkeypatch.setenv("OPENID_CLIENT", "the client")
        monkeypatch.setenv("OPENID_SECRET", "the secret")


async def post(visitor: Visitor, path: str, *fields: str, method: str = "POST", **values: str) -> Response:
    """Send a form."""
    return await visitor.fetch(path, FORM, *fields, method=method, body=urlencode(values).encode())


async def check_sessions(run: Run) -> None:
    """Log in, with a wrong password first, and log out."""
    visitor = run.visitor
    assert (await visitor.fetch("/")).get("location") == "/login?next=%2F"
    assert b"<form" in (await visitor.fetch("/login")).body
    for user, password in (("ada", "wrong"), ("eve", "lovelace")):
        refused = await post(visitor, "/login", user=user, password=password)
        assert (refused.code, visitor.cookies) == (403, {})
    with run.expect_log("tornado.general", "Sec-Fetch-Site"):
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


async def check_redis_sessions(run: Run) -> None:
    """Use the session in a cart, in a stream, and in a handler that loads the session explicitly."""
    visitor = run.visitor
    for item in ("hat", "umbrella"):
        assert (await post(visitor, "/cart", item=item)).code == 303
    assert json.loads((await visitor.fetch("/cart")).body) == {"items": ["hat", "umbrella"]}
    assert (await visitor.fetch("/stream")).body == b"one two"
    assert json.loads((await visitor.fetch("/status?verbose=1")).body) == {"ok": True, "items": 2}
    assert json.loads((await visitor.fetch("/status")).body) == {"ok": True}
    assert json.loads((await run.server.fetch("/cart")).body) == {"items": []}
    await run.program["store"].close()


async def check_cookies(run: Run) -> None:
    visitor = run.visitor
    assert json.loads((await visitor.fetch("/theme")).body) == {"theme": "light"}
    assert (await post(visitor, "/theme", theme="dark")).code == 200
    assert json.loads((await visitor.fetch("/theme")).body) == {"theme": "dark"}
    assert (await post(visitor, "/theme", theme="pink")).code == 400
    assert (await visitor.fetch("/invitation")).code == 403
    await post(visitor, "/invitation", code="Ada")
    assert (await visitor.fetch("/invitation")).body == b"Welcome, Ada"
    await visitor.fetch("/invitation", method="DELETE")
    assert (await visitor.fetch("/invitation")).code == 403
    with run.expect_log("tornado.general", "Invalid cookie signature", required=False):
        assert (await run.server.fetch("/invitation", "Cookie: invitation=Ada")).code == 403


async def check_keys(run: Run) -> None:
    secrets = run.program["application"].settings["cookie_secret"]
    old = web.create_signed_value(secrets, "count", "4", key_version=1).decode()
    run.visitor.cookies["count"] = old
    assert (await run.visitor.fetch("/")).body == b"5, signed with key 1"
    assert (await run.visitor.fetch("/")).body == b"6, signed with key 2"


async def check_xsrf(run: Run) -> None:
    visitor = run.visitor
    page = (await visitor.fetch("/comment")).body.decode()
    (token,) = re.findall(r'name="_xsrf" value="(.*?)"', page)
    with run.expect_log("tornado.general", ".*'_xsrf' argument missing"):
        assert (await post(visitor, "/comment", text="x")).code == 403
    assert (await post(visitor, "/comment", text="x", _xsrf=token)).body == b"x"
    by_script = await post(visitor, "/comment", f"X-Xsrftoken: {visitor.cookies['_xsrf']}", text="y")
    assert by_script.body == b"y"


class Metadata(web.RequestHandler):
    """The description of an OpenID provider."""

    def get(self) -> None:
        issuer = self.settings["issuer"]
        self.write(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/keys",
            }
        )


async def check_openid(run: Run) -> None:
    """The handler redirects to the provider, and rejects a callback whose login was not started here."""
    provider = web.Application([("/.well-known/openid-configuration", Metadata)], issuer="")
    async with serving(provider) as server:
        issuer = f"http://127.0.0.1:{server.port}"
        provider.settings["issuer"] = issuer
        run.program["application"].settings["openid_connect"]["issuer"] = issuer
        there = await run.visitor.fetch("/login?next=/orders")
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)  # `serving` has reset the level
    target = urlsplit(there.get("location"))
    assert (there.code, f"{target.scheme}://{target.netloc}{target.path}") == (302, f"{issuer}/authorize")
    fields: dict[str, Any] = parse_qs(target.query)
    assert fields["redirect_uri"] == ["http://localhost/login"]
    assert fields["client_id"] == ["the client"]
    assert fields["code_challenge_method"] == ["S256"]
    with run.expect_log("tornado.general", "403 GET /login"):
        state = fields["state"][0]
        back = await run.visitor.fetch(f"/login?error=access_denied&state={state}")
    assert back.code == 403
    assert b"The login was not completed." in back.body
