"""API mode of `authenticated`, bearer tokens, and the challenges of error pages."""

from __future__ import annotations

import asyncio
import json
import pickle
import types
from typing import Any

import pytest

from tests.support.server import ExpectLog, ask, raised
from tornado import gen, web
from tornado.web import AuthenticationError, authenticated, format_challenge


class Api(web.RequestHandler):
    """A handler that identifies users by token: ``full`` may read and write, ``limited`` may only read."""

    authentication_scheme = "Bearer"
    authentication_realm = "orders"

    def get_current_user(self) -> str | None:
        token = self.get_bearer_token()
        if token == "full":
            self.granted_scopes = {"read", "write"}
        elif token == "limited":
            self.granted_scopes = {"read"}
        else:
            return None
        return "me"

    @authenticated
    def get(self) -> None:
        self.write(f"for {self.current_user}")

    head = get

    @authenticated(scopes=["read", "write"])
    async def post(self) -> None:
        self.write(f"from {self.current_user}")

    @authenticated(scopes="write")
    def put(self) -> None:
        self.write("put")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
async def test_request_without_credentials_gets_401(method: str) -> None:
    response = await ask(Api, method=method, body=b"" if method[0] == "P" else None, login_url="/login")
    assert response.code == 401
    scope = {"POST": ', scope="read write"', "PUT": ', scope="write"'}.get(method, "")
    assert response.get_all("www-authenticate") == [f'Bearer realm="orders"{scope}']


async def test_valid_token_is_accepted() -> None:
    assert (await ask(Api, "Authorization: bearer full")).body == b"for me"
    assert (await ask(Api, "Authorization: Bearer full", method="POST", body=b"")).body == b"from me"
    assert (await ask(Api, "Authorization: Bearer full", method="PUT", body=b"")).body == b"put"


async def test_unknown_token_gets_401(expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "invalid_token"):
        response = await ask(Api, "Authorization: Bearer other")
    assert response.code == 401
    assert response.get("www-authenticate") == 'Bearer realm="orders", error="invalid_token"'


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AuthenticationError("invalid_token"), 'Bearer realm="orders", error="invalid_token"'),
        (AuthenticationError(realm="own"), 'Bearer realm="own"'),
        (AuthenticationError(challenges=["Negotiate"]), "Negotiate"),
    ],
    ids=["default", "own", "challenges"],
)
async def test_error_raised_in_handler_has_realm_of_handler(
    error: AuthenticationError, expected: str, expect_log: ExpectLog
) -> None:
    class Raises(Api):
        def get(self) -> None:
            raise error

    with expect_log("tornado.general", "401|invalid_token", required=False):
        response = await ask(Raises)
    assert (response.code, response.get_all("www-authenticate")) == (401, [expected])


async def test_credentials_of_another_scheme_are_not_a_token() -> None:
    response = await ask(Api, "Authorization: Basic bWU6c2VjcmV0")
    assert (response.code, response.get("www-authenticate")) == (401, 'Bearer realm="orders"')


@pytest.mark.parametrize(
    ("fields", "code", "error"),
    [
        (["Authorization: Bearer"], 400, "invalid_request"),
        (["Authorization: Bearer full full"], 400, "invalid_request"),
        (["Authorization: Bearer full", "Authorization: Bearer full"], 400, "invalid_request"),
        (["Authorization: Bearer fu|l"], 401, "invalid_token"),
        (["Authorization: Bearer f\xfcll"], 401, "invalid_token"),
    ],
)
async def test_malformed_credentials_get_their_error_code(
    fields: list[str], code: int, error: str, expect_log: ExpectLog
) -> None:
    with expect_log("tornado.general", error) as expected:
        response = await ask(Api, *fields, "Accept: application/json")
    assert response.code == code
    assert f'realm="orders", error="{error}", error_description="' in response.get("www-authenticate")
    assert "full" not in expected.records[0].getMessage()
    assert json.loads(response.body)["error"]["status"] == code


@pytest.mark.parametrize("place", ["query", "form"])
async def test_token_outside_of_the_field_is_not_read(place: str) -> None:
    if place == "query":
        response = await ask(Api, path="/?access_token=full")
    else:
        kind = "Content-Type: application/x-www-form-urlencoded"
        response = await ask(Api, kind, method="POST", body=b"access_token=full")
    assert response.code == 401


async def test_missing_scope_gets_403(expect_log: ExpectLog) -> None:
    with expect_log("tornado.general", "insufficient_scope"):
        response = await ask(Api, "Authorization: Bearer limited", method="POST", body=b"")
    assert response.code == 403
    assert response.get("www-authenticate") == (
        'Bearer realm="orders", scope="read write", error="insufficient_scope", '
        'error_description="The token needs the scope read write"'
    )


async def test_scheme_of_one_method() -> None:
    class Mixed(web.RequestHandler):
        @authenticated
        def get(self) -> None:
            """Respond to browsers."""

        @authenticated(scheme="Basic", realm='the "stock"')
        def post(self) -> None:
            """Respond to programs."""

    page = await ask(Mixed, login_url="/login")
    assert (page.code, page.get("location")) == (302, "/login?next=%2F")
    answer = await ask(Mixed, method="POST", body=b"", login_url="/login")
    assert (answer.code, answer.get("www-authenticate")) == (401, 'Basic realm="the \\"stock\\""')


async def test_scopes_protect_pages_too(expect_log: ExpectLog) -> None:
    class Page(web.RequestHandler):
        def get_current_user(self) -> str:
            return "me"

        @authenticated(scopes="admin")
        def get(self) -> None:
            raise AssertionError("not reached")

    with expect_log("tornado.general", "insufficient_scope"):
        assert (await ask(Page)).code == 403


async def test_basic_without_a_realm_is_explained(expect_log: ExpectLog) -> None:
    class Handler(web.RequestHandler):
        authentication_scheme = "Basic"

        @authenticated
        def get(self) -> None:
            """Never called."""

    with expect_log("tornado.application", "Uncaught exception") as expected:
        assert (await ask(Handler)).code == 500
    assert "set authentication_realm" in str(raised(expected))


@pytest.mark.parametrize("realm", ["stock", None])
async def test_basic_challenge_takes_the_realm_of_the_handler(
    realm: str | None, expect_log: ExpectLog
) -> None:
    class Handler(web.RequestHandler):
        authentication_realm = realm

        def get(self) -> None:
            raise AuthenticationError(scheme="Basic")

    if realm is None:
        with expect_log("tornado.application", "set authentication_realm in Handler"):
            response = await ask(Handler)
    else:
        response = await ask(Handler)
    assert (response.code, response.get("www-authenticate")) == (401, f'Basic realm="{realm or ""}"')


@pytest.mark.parametrize("argument", ["Bearer", 401, {"scheme": "Bearer"}])
def test_positional_argument_of_the_decorator_is_rejected(argument: Any) -> None:
    with pytest.raises(TypeError, match="accepts keyword arguments"):
        authenticated(argument)


def test_decorated_class_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"must decorate methods such as get\(\).*class Decorated"):

        @web.authenticated  # type: ignore[type-var]
        class Decorated(web.RequestHandler):
            pass


def test_wrapper_of_each_use_is_recognised_by_audits() -> None:
    for name in ("get", "post"):
        wrapper: Any = vars(Api)[name]
        assert isinstance(wrapper, types.FunctionType)
        assert vars(wrapper)["__wrapped__"].__name__ == wrapper.__name__ == name
        assert wrapper.__code__.co_qualname.startswith("authenticated")


# -- asynchronous get_current_user --


@pytest.mark.parametrize("kind", ["async def", "gen.coroutine"])
@pytest.mark.parametrize("sent", ["me", None])
async def test_asynchronous_get_current_user_is_awaited(kind: str, sent: str | None) -> None:
    async def find(self: web.RequestHandler) -> Any:
        await asyncio.sleep(0)
        return self.get_cookie("user")

    class Handler(web.RequestHandler):
        authentication_scheme = "Bearer"
        get_current_user = find if kind == "async def" else gen.coroutine(find)

        @authenticated
        def get(self) -> None:
            self.write(f"for {self.current_user}")

        @authenticated
        async def post(self) -> None:
            self.write(f"from {self.current_user}")

    fields = [] if sent is None else [f"Cookie: user={sent}"]
    for method, body in (("GET", b"for me"), ("POST", b"from me")):
        response = await ask(Handler, *fields, method=method, body=b"" if method == "POST" else None)
        if sent is None:
            assert (response.code, response.get("www-authenticate")) == (401, "Bearer")
        else:
            assert (response.code, response.body) == (200, body)


async def test_asynchronous_user_that_fails(expect_log: ExpectLog) -> None:
    class Handler(web.RequestHandler):
        async def get_current_user(self) -> None:
            raise web.HTTPError(503)

        @authenticated
        def get(self) -> None:
            raise AssertionError("not reached")

    assert (await ask(Handler)).code == 503


# -- AuthenticationError --


async def test_challenges_are_sent_with_overridden_error_pages() -> None:
    class Handler(web.RequestHandler):
        def get(self) -> None:
            raise AuthenticationError(
                challenges=[format_challenge("Bearer"), format_challenge("Basic", realm="a, b")]
            )

        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.finish({"status": status_code})

    response = await ask(Handler)
    assert (response.code, response.body) == (401, b'{"status": 401}')
    assert response.get_all("www-authenticate") == ["Bearer", 'Basic realm="a, b"']


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, 401),
        ({"error": "invalid_token"}, 401),
        ({"error": "invalid_request"}, 400),
        ({"error": "insufficient_scope"}, 403),
        ({"error": "invalid_dpop_proof", "scheme": "DPoP"}, 401),
        ({"error": "invalid_token", "status_code": 400}, 400),
    ],
)
def test_status_depends_on_the_arguments(arguments: Any, code: int) -> None:
    assert AuthenticationError(**arguments).status_code == code


def test_challenges_as_one_text_are_rejected() -> None:
    with pytest.raises(TypeError, match="list of field values"):
        AuthenticationError(challenges="Basic realm=a")


def test_error_can_be_copied() -> None:
    error = AuthenticationError("invalid_token", "100 % wrong", realm="a")
    copy = pickle.loads(pickle.dumps(error))
    assert (
        str(copy)
        == str(error)
        == ("HTTP 401: Unauthorized (Bearer credentials refused: invalid_token: 100 % wrong)")
    )
    assert copy.www_authenticate == error.www_authenticate


@pytest.mark.parametrize("description", ["a\r\nb", "caf\xe9"])
def test_description_with_invalid_characters_is_rejected(description: str) -> None:
    with pytest.raises(ValueError, match="error_description must be printable ASCII"):
        AuthenticationError("invalid_token", description)


# -- forged requests --


class Both(Api):
    """A handler that accepts a cookie in place of a token."""

    def get_current_user(self) -> str | None:
        return super().get_current_user() or self.get_cookie("user")


PROTECTIONS: Any = [{"xsrf_cookies": True}, {"cross_origin_protection": True}]


@pytest.mark.parametrize("settings", PROTECTIONS)
async def test_request_with_bearer_token_skips_xsrf_and_origin_checks(settings: Any) -> None:
    fields = ("Authorization: Bearer full", "Sec-Fetch-Site: cross-site", "Origin: https://a.example")
    response = await ask(Both, *fields, method="POST", body=b"", **settings)
    assert response.body == b"from me"


@pytest.mark.parametrize("settings", PROTECTIONS)
@pytest.mark.parametrize("authorization", [None, "Basic bWU6c2VjcmV0", "Bearer", "Bearer a b"])
async def test_request_without_bearer_token_is_checked(
    settings: Any, authorization: str | None, expect_log: ExpectLog
) -> None:
    fields = ["Cookie: user=me", "Sec-Fetch-Site: cross-site", "Origin: https://a.example"]
    if authorization is not None:
        fields.append(f"Authorization: {authorization}")
    with expect_log("tornado.general", "403 POST"):
        assert (await ask(Both, *fields, method="POST", body=b"", **settings)).code == 403


@pytest.mark.parametrize("settings", PROTECTIONS)
async def test_handlers_without_authentication_scheme_are_checked(
    settings: Any, expect_log: ExpectLog
) -> None:
    class Page(web.RequestHandler):
        def post(self) -> None:
            raise AssertionError("not reached")

    fields = ("Authorization: Bearer full", "Sec-Fetch-Site: cross-site")
    with expect_log("tornado.general", "403 POST"):
        assert (await ask(Page, *fields, method="POST", body=b"", **settings)).code == 403
