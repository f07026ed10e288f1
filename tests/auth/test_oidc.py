"""OpenID Connect with an independent provider, and with one that sends invalid responses."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.support.server import serving
from tornado import web
from tornado.auth import AuthError, OpenIDConnectMixin, OpenIDLoginResult
from tornado.auth._oidc_provider import OpenIDProvider, require_secure
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

jwt = pytest.importorskip("jwt")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Login(web.RequestHandler, OpenIDConnectMixin):
    """A handler as a program would write it."""

    async def get(self) -> None:
        if not self.get_argument("state", ""):
            redirect_uri = f"http://{self.request.host}/login"
            await self.authorize_redirect(redirect_uri, next_url=self.get_argument("next", "/"))
            return
        try:
            login = await self.get_authenticated_user()
        except AuthError as error:
            self.set_status(403)
            self.write({"error": str(error)})
            return
        self.settings["logins"].append(login)
        self.write({"claims": login.claims, "next": login.next_url})


class UserInfo(web.RequestHandler, OpenIDConnectMixin):
    async def get(self) -> None:
        login: OpenIDLoginResult = self.settings["logins"][-1]
        refreshed = await self.refresh_tokens(login.refresh_token or "", login.claims["sub"])
        self.write({"info": await self.get_userinfo(refreshed)})


class Logout(web.RequestHandler, OpenIDConnectMixin):
    async def get(self) -> None:
        await self.logout_redirect(self.settings["logins"][-1].id_token, f"http://{self.request.host}/")


class Browser:
    """A client that stores cookies and does not follow redirects."""

    def __init__(self) -> None:
        self.client = AsyncHTTPClient(force_instance=True)
        self.cookies: dict[str, str] = {}

    async def fetch(self, url: str, **options: Any) -> HTTPResponse:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        response = await self.client.fetch(
            url, raise_error=False, follow_redirects=False, headers=headers, **options
        )
        for line in response.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["expires"] and morsel.value == "":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return response


def program(issuer: str, **settings: Any) -> web.Application:
    return web.Application(
        [("/login", Login), ("/userinfo", UserInfo), ("/logout", Logout)],
        cookie_secret="a secret of the tests, long enough to be one",
        openid_connect={"issuer": issuer, "client_id": "client", "client_secret": "hidden", **settings},
        logins=[],
    )


@asynccontextmanager
async def browsing(application: web.Application) -> AsyncIterator[tuple[Browser, str]]:
    browser = Browser()
    async with serving(application) as server:
        try:
            yield browser, f"http://127.0.0.1:{server.port}"
        finally:
            browser.client.close()


# -- an independent provider --


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """Yield the URL of a running oidc-provider-mock."""
    pytest.importorskip("authlib")
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", "0", "--require-nonce", "true"]
    provider = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert provider.stderr is not None
    try:
        for line in provider.stderr:
            found = re.search(r"running on (http://\S+)", line)
            if found:
                break
        else:
            pytest.fail("the provider did not start")
        yield found.group(1)
    finally:
        provider.terminate()
        provider.wait()
        provider.stderr.close()


async def approve(browser: Browser, base: str, query: str = "") -> HTTPResponse:
    """Start a login, approve it, and return the response of the callback."""
    begun = await browser.fetch(f"{base}/login{query}")
    assert begun.code == 302
    agreed = await browser.fetch(begun.headers["Location"], method="POST", body="sub=alice@example.com")
    assert agreed.code == 302
    return await browser.fetch(agreed.headers["Location"])


async def test_login_refresh_userinfo_and_logout(issuer: str) -> None:
    async with browsing(program(issuer)) as (browser, base):
        response = await approve(browser, base, "?next=/account?tab=1")
        assert response.code == 200, response.body
        answer = json.loads(response.body)
        assert answer["claims"]["sub"] == "alice@example.com"
        assert answer["next"] == "/account?tab=1"
        assert browser.cookies == {}, "the state is good for one use"
        info = await browser.fetch(f"{base}/userinfo")
        assert json.loads(info.body)["info"]["sub"] == "alice@example.com"
        left = await browser.fetch(f"{base}/logout")
        target = urlsplit(left.headers["Location"])
        assert f"{target.scheme}://{target.netloc}" == issuer
        assert parse_qs(target.query)["post_logout_redirect_uri"] == [f"{base}/"]


async def test_login_denied_by_the_user_is_an_error(issuer: str) -> None:
    async with browsing(program(issuer)) as (browser, base):
        begun = await browser.fetch(f"{base}/login")
        refused = await browser.fetch(begun.headers["Location"], method="POST", body="action=deny")
        location = refused.headers["Location"]
        if "state=" not in location:
            state = parse_qs(urlsplit(begun.headers["Location"]).query)["state"][0]
            location += f"&state={state}"
        response = await browser.fetch(location)
        assert response.code == 403
        assert b"access_denied" in response.body


async def test_next_on_another_site_is_replaced(issuer: str) -> None:
    async with browsing(program(issuer)) as (browser, base):
        response = await approve(browser, base, "?next=//evil.example/")
        assert json.loads(response.body)["next"] == "/"


async def test_callback_of_another_browser_is_rejected(issuer: str) -> None:
    async with browsing(program(issuer)) as (browser, base):
        begun = await browser.fetch(f"{base}/login")
        agreed = await browser.fetch(begun.headers["Location"], method="POST", body="sub=mallory")
        browser.cookies.clear()
        response = await browser.fetch(agreed.headers["Location"])
        assert response.code == 403
        assert b"not match a login started in this browser" in response.body


async def test_code_cannot_be_used_twice(issuer: str) -> None:
    async with browsing(program(issuer)) as (browser, base):
        begun = await browser.fetch(f"{base}/login")
        kept = dict(browser.cookies)
        agreed = await browser.fetch(begun.headers["Location"], method="POST", body="sub=alice")
        assert (await browser.fetch(agreed.headers["Location"])).code == 200
        browser.cookies.update(kept)
        response = await browser.fetch(agreed.headers["Location"])
        assert response.code == 403
        assert b"token request failed" in response.body


# -- a provider with invalid responses --


class ConfigurableProvider(web.Application):
    """A provider whose responses a test can change."""

    def __init__(self) -> None:
        super().__init__(
            [
                ("/.well-known/openid-configuration", self.Document, {"name": "metadata"}),
                ("/jwks", self.Document, {"name": "jwks"}),
                ("/token", self.Token),
            ]
        )
        self.issuer = ""
        self.change_metadata: Callable[[dict[str, Any]], Any] = lambda metadata: None
        self.change_claims: Callable[[dict[str, Any]], Any] = lambda claims: None
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: signed(claims)
        self.keys = [public(KEY, "first")]
        self.key_requests = 0
        self.nonce = ""

    def metadata(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }
        self.change_metadata(document)
        return document

    def jwks(self) -> dict[str, Any]:
        self.key_requests += 1
        return {"keys": self.keys}

    def tokens(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "alice",
            "aud": "client",
            "iat": now,
            "exp": now + 60,
            "nonce": self.nonce,
            "at_hash": at_hash("an access token"),
        }
        self.change_claims(claims)
        return {"access_token": "an access token", "token_type": "Bearer", "id_token": self.sign(claims)}

    class Document(web.RequestHandler):
        application: ConfigurableProvider

        def initialize(self, name: str) -> None:
            self.name = name

        def get(self) -> None:
            self.write(getattr(self.application, self.name)())

    class Token(web.RequestHandler):
        application: ConfigurableProvider

        def post(self) -> None:
            self.write(self.application.tokens())


def public(key: Any, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**entry, "kid": name, "use": "sig", "alg": "RS256"}


def signed(claims: dict[str, Any], key: Any = KEY, name: str = "first", algorithm: str = "RS256") -> str:
    token: str = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": name})
    return token


def at_hash(token: str) -> str:
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


@asynccontextmanager
async def provider_with(change: Callable[[ConfigurableProvider], Any]) -> AsyncIterator[Callable[[], Any]]:
    """Start a provider that `change` has changed; yield a function that performs one login."""
    configurable = ConfigurableProvider()
    async with serving(configurable) as server:
        configurable.issuer = f"http://127.0.0.1:{server.port}"
        change(configurable)
        async with browsing(program(configurable.issuer)) as (browser, base):

            async def login(**extra: str) -> HTTPResponse:
                begun = await browser.fetch(f"{base}/login")
                if begun.code != 302:
                    return begun
                query = parse_qs(urlsplit(begun.headers["Location"]).query)
                configurable.nonce = query["nonce"][0]
                arguments = {"state": query["state"][0], "code": "a code", **extra}
                return await browser.fetch(f"{base}/login?{urlencode(arguments)}")

            yield login


async def test_valid_responses_are_accepted() -> None:
    async with provider_with(lambda configurable: None) as login:
        response = await login()
        assert response.code == 200, response.body


def changed(**values: Any) -> Callable[[ConfigurableProvider], None]:
    """Change the values of claims; None removes a claim."""

    def change(claims: dict[str, Any]) -> None:
        claims.update(values)
        for name in [name for name, value in values.items() if value is None]:
            del claims[name]

    def apply(configurable: ConfigurableProvider) -> None:
        configurable.change_claims = change

    return apply


def resigned(sign: Callable[[dict[str, Any]], str]) -> Callable[[ConfigurableProvider], None]:
    def apply(configurable: ConfigurableProvider) -> None:
        configurable.sign = sign

    return apply


def _unsigned(claims: dict[str, Any]) -> str:
    token: str = jwt.encode(claims, None, algorithm="none")
    return token


def _signed_with_public_key(claims: dict[str, Any]) -> str:
    """Return a token signed by HMAC with the public key."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    header = part(json.dumps({"alg": "HS256", "kid": "first"}).encode())
    message = f"{header}.{part(json.dumps(claims).encode())}"
    key = json.dumps(public(KEY, "first")).encode()
    return f"{message}.{part(hashlib.sha256(key + message.encode()).digest())}"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param(changed(nonce="another"), "another login", id="nonce of another login"),
        pytest.param(changed(nonce=None), "another login", id="no nonce"),
        pytest.param(changed(aud="somebody"), "not valid", id="audience"),
        pytest.param(changed(aud=["client", "other"]), "another client", id="audiences without azp"),
        pytest.param(changed(azp="other"), "another client", id="azp"),
        pytest.param(changed(iss="https://other.example"), "not valid", id="issuer"),
        pytest.param(changed(exp=1), "not valid", id="expired"),
        pytest.param(changed(exp=None), "not valid", id="no expiry"),
        pytest.param(changed(iat=4102444800), "not valid", id="from the future"),
        pytest.param(changed(sub=None), "not valid", id="no subject"),
        pytest.param(changed(at_hash="x"), "access token does not match", id="at_hash"),
        pytest.param(resigned(_unsigned), "algorithm 'none'", id="unsigned"),
        pytest.param(resigned(_signed_with_public_key), "algorithm 'HS256'", id="public key as a secret"),
        pytest.param(
            resigned(lambda claims: signed(claims, OTHER_KEY)), "not valid", id="signed with another key"
        ),
        pytest.param(
            resigned(lambda claims: signed(claims, OTHER_KEY, "third")), "unknown key", id="unknown key"
        ),
        pytest.param(resigned(lambda claims: "no token"), "not valid", id="no token"),
    ],
)
async def test_invalid_responses_are_rejected(
    change: Callable[[ConfigurableProvider], None], text: str
) -> None:
    async with provider_with(change) as login:
        response = await login()
        assert response.code == 403
        assert text in json.loads(response.body)["error"]


async def test_several_audiences_with_azp_are_accepted() -> None:
    async with provider_with(changed(aud=["client", "other"], azp="client")) as login:
        assert (await login()).code == 200


async def test_callback_of_another_issuer_is_rejected() -> None:
    async with provider_with(lambda configurable: None) as login:
        response = await login(iss="https://other.example")
        assert response.code == 403
        assert b"another issuer" in response.body


async def test_callback_without_promised_issuer_is_rejected() -> None:
    def change(configurable: ConfigurableProvider) -> None:
        promise = {"authorization_response_iss_parameter_supported": True}
        configurable.change_metadata = lambda metadata: metadata.update(promise)

    async with provider_with(change) as login:
        assert (await login()).code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://example.com/token"},
        {"jwks_uri": 5},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_wrong_metadata_are_rejected(wrong: dict[str, Any], expect_log: Any) -> None:
    def change(configurable: ConfigurableProvider) -> None:
        configurable.change_metadata = lambda metadata: metadata.update(wrong)

    with expect_log("tornado.application", "Uncaught exception GET /login"):
        async with provider_with(change) as login:
            assert (await login()).code == 500


# -- keys --


class Clock:
    now: ClassVar[float] = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_new_key_is_fetched_and_unknown_keys_cost_one_request_per_minute() -> None:
    configurable = ConfigurableProvider()
    client = AsyncHTTPClient(force_instance=True)
    async with serving(configurable) as server:
        configurable.issuer = f"http://127.0.0.1:{server.port}"
        clock = Clock()
        provider = OpenIDProvider(configurable.issuer, clock)
        assert await provider.key(client, "first", "RS256")
        assert await provider.key(client, None, "RS256"), "the only key"
        assert configurable.key_requests == 1
        configurable.keys.append(public(OTHER_KEY, "second"))
        with pytest.raises(AuthError, match="unknown key"):
            await provider.key(client, "second", "RS256")
        assert configurable.key_requests == 1
        clock.now += 61  # type: ignore[misc]
        assert await provider.key(client, "second", "RS256")
        assert configurable.key_requests == 2
        with pytest.raises(AuthError, match="unknown key"):
            await provider.key(client, None, "RS256")
        with pytest.raises(AuthError, match="unknown key"):
            await provider.key(client, "second", "ES256")
        clock.now += 3601  # type: ignore[misc]
        assert await provider.key(client, "first", "RS256")
        assert configurable.key_requests == 3, "keys that were withdrawn are used for a limited time"
    client.close()


@pytest.mark.parametrize(
    "url", ["https://example.com", "http://localhost:9", "http://127.0.0.1", "http://[::1]"]
)
def test_secure_urls_pass(url: str) -> None:
    require_secure("issuer", url)


@pytest.mark.parametrize("url", ["http://example.com", "ftp://localhost", "https://", "", None, 5])
def test_urls_that_are_not_secure_are_rejected(url: Any) -> None:
    with pytest.raises(AuthError, match="https"):
        require_secure("issuer", url)


# -- settings --


async def test_error_names_missing_settings(expect_log: Any) -> None:
    application = program("https://example.com")
    del application.settings["openid_connect"]["client_id"]
    async with browsing(application) as (browser, base):
        with expect_log("tornado.application", "Uncaught exception GET /login") as expected:
            assert (await browser.fetch(f"{base}/login")).code == 500
        assert "has no client_id" in str(expected.records[0].exc_info[1])


def test_repr_shows_no_token() -> None:
    login = OpenIDLoginResult({"sub": "alice"}, "/", "an ID token", "an access token", "a refresh token")
    assert "token" not in repr(login).replace("_token", "")
