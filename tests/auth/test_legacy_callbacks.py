"""Logins in the style of Tornado 4: with ``callback=``, and in handlers with ``web.asynchronous``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.server import serving
from tests.support.testing import is_coroutine_function
from tornado.auth import AuthError, OAuthMixin
from tornado.auth._legacy_callbacks import login_step
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.web import Application, RequestHandler, asynchronous

pytestmark = pytest.mark.filterwarnings("ignore:.*style of Tornado 4")


class Steps:
    """A mixin with one login method, whose second argument was the callback."""

    @login_step(1)
    async def request(self, path: str, token: str | None = None, **args: Any) -> Any:
        if isinstance(args.get("error"), Exception):
            raise args["error"]
        return path, token, args


class Received:
    def __init__(self) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def __call__(self, value: Any) -> None:
        self.future.set_result(value)


async def test_callback_by_name_or_by_position() -> None:
    by_name, in_place = Received(), Received()
    with pytest.warns(DeprecationWarning, match=r"Steps\.request\(callback=\.\.\.\)"):
        Steps().request("/a", token="t", callback=by_name)
    Steps().request("/b", in_place, "t")  # type: ignore[arg-type]
    assert await by_name.future == ("/a", "t", {})
    assert await in_place.future == ("/b", "t", {})


async def test_without_a_callback_it_is_a_coroutine() -> None:
    assert is_coroutine_function(Steps.request)
    started = Steps().request("/a", callback="name of a function")
    assert asyncio.iscoroutine(started)
    assert await started == ("/a", None, {"callback": "name of a function"})


@pytest.mark.parametrize(
    ("error", "logged"),
    [(HTTPClientError(500), "Error response HTTP 500"), (AuthError("refused"), "Login failed.*refused")],
)
async def test_rejection_is_logged_and_calls_the_callback_with_none(
    error: Exception, logged: str, expect_log: Any
) -> None:
    received = Received()
    with expect_log("tornado.general", logged):
        Steps().request("/a", callback=received, error=error)
        assert await received.future is None


class Login(RequestHandler, OAuthMixin):
    def _oauth_consumer_token(self) -> dict[str, Any]:
        return {"key": "program", "secret": "secret"}

    def _oauth_get_user(self, access_token: dict[str, Any], callback: Any) -> None:
        callback({"email": "me@example.test"})

    def initialize(self, base: list[str]) -> None:
        self._OAUTH_REQUEST_TOKEN_URL = base[0] + "/token"
        self._OAUTH_ACCESS_TOKEN_URL = base[0] + "/token"
        self._OAUTH_AUTHORIZE_URL = base[0] + "/authorize"

    def start(self) -> None:
        if self.get_argument("oauth_token", None):
            self.get_authenticated_user(self.finish)  # type: ignore[arg-type]
        else:
            self.authorize_redirect()  # not awaited


class Token(RequestHandler):
    def get(self) -> None:
        self.write("oauth_token=key&oauth_token_secret=secret")


async def test_login_of_a_handler_with_callbacks() -> None:
    class CallbackLogin(Login):
        get = asynchronous(Login.start)

    base = [""]
    async with serving(Application([("/login", CallbackLogin, {"base": base}), ("/token", Token)])) as server:
        base[0] = f"http://127.0.0.1:{server.port}"
        client = AsyncHTTPClient()
        first = await client.fetch(f"{base[0]}/login", follow_redirects=False, raise_error=False)
        assert (first.code, first.headers["Location"]) == (302, f"{base[0]}/authorize?oauth_token=key")
        cookie = first.headers["Set-Cookie"].partition(";")[0]
        url = f"{base[0]}/login?oauth_token=key&oauth_verifier=v"
        second = await client.fetch(url, headers={"Cookie": cookie})
    assert b'"email": "me@example.test"' in second.body
    assert b'"access_token": {"key": "key", "secret": "secret"}' in second.body
