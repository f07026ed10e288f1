"""`OpenIDConnectMixin`: logins by OpenID Connect, with the authorization code flow and PKCE.

A login is protected by these checks:

* ``state`` binds the callback to the browser that started the login (RFC 6749 section 10.12), ``nonce`` binds
  the ID token to the same login (OpenID Connect Core 1.0 section 15.5.2), and the PKCE verifier binds the
  code to it (RFC 7636). All three are random and stored in a signed cookie for ten minutes.
* ``iss`` in the callback, if the provider sends it, must be the configured issuer (RFC 9207).
* The ID token's signature, issuer, audience, times and nonce are verified (Core section 3.1.3.7).
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import secrets
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from tornado.auth._errors import AuthError
from tornado.auth._oidc_provider import ALGORITHMS, OpenIDProvider, load_jwt
from tornado.auth._provider import ProviderMixin, json_object, request_token, with_query
from tornado.auth._redirect_targets import is_local_path
from tornado.httpclient import HTTPClientError

#: Maximum time between the two steps of a login in days: ten minutes.
_LOGIN_AGE = 10 / (24 * 60)
#: Maximum number of concurrent logins of one browser, in several tabs. A cookie is set for each login.
_SLOTS = 4
#: Maximum difference between the provider's clock and the clock of this machine, in seconds.
_LEEWAY = 60

#: The provider's metadata entry for the methods of client authentication.
_METHODS = "token_endpoint_auth_methods_supported"

_providers: dict[str, OpenIDProvider] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class OpenIDLoginResult:
    """The result of a completed login.

    :ivar claims: the verified claims of the ID token: ``sub``, the user's permanent identifier at the
        provider, and other requested claims, such as ``name`` and ``email``.
    :ivar next_url: the path to redirect the user to, from `~OpenIDConnectMixin.authorize_redirect`.
    :ivar id_token: the ID token, for `~OpenIDConnectMixin.logout_redirect`.
    :ivar access_token: the token for requests to the provider's API, or None.
    :ivar refresh_token: the token for `~OpenIDConnectMixin.refresh_tokens`, or None.
    :ivar expires_in: the lifetime of the access token in seconds, or None.
    """

    claims: dict[str, Any]
    next_url: str = "/"
    id_token: str = dataclasses.field(default="", repr=False)
    access_token: str | None = dataclasses.field(default=None, repr=False)
    refresh_token: str | None = dataclasses.field(default=None, repr=False)
    expires_in: int | None = None


class OpenIDConnectMixin(ProviderMixin):
    """A mixin for logins through any provider that supports OpenID Connect.

    It requires the extra ``auth`` (PyJWT) and the application setting ``cookie_secret``. The application
    setting ``openid_connect`` identifies the provider and the program::

        openid_connect={"issuer": "https://login.example.com", "client_id": "...", "client_secret": "..."}

    One handler performs both steps::

        class Login(tornado.web.RequestHandler, tornado.auth.OpenIDConnectMixin):
            async def get(self):
                redirect_uri = f"{self.request.protocol}://{self.request.host}/login"
                if not self.get_argument("state", "") and not self.get_argument("error", ""):
                    await self.authorize_redirect(redirect_uri, next_url=self.get_argument("next", "/"))
                    return
                try:
                    login = await self.get_authenticated_user()
                except tornado.auth.AuthError as error:  # the user denied access, or the login has expired
                    raise tornado.web.HTTPError(403, str(error), public_message="Login failed.")
                self.set_signed_cookie("user", login.claims["sub"], httponly=True, samesite="Lax")
                self.redirect(login.next_url)
    """

    def get_openid_connect_settings(self) -> Mapping[str, Any]:
        """Return ``issuer``, ``client_id`` and, for confidential clients, ``client_secret``.

        Override this method to choose between several providers.

        :raises Exception: if the application does not have the setting ``openid_connect``.
        :raises ValueError: if the setting has no ``issuer`` or no ``client_id``.
        """
        handler = self._handler()
        handler.require_setting("openid_connect", "OpenID Connect")
        client_config: Mapping[str, Any] = handler.settings["openid_connect"]
        missing = [name for name in ("issuer", "client_id") if not client_config.get(name)]
        if missing:
            raise ValueError(f"the setting openid_connect has no {' and no '.join(missing)}")
        return client_config

    async def authorize_redirect(
        self,
        redirect_uri: str,
        *,
        scope: Sequence[str] = ("openid", "profile", "email"),
        next_url: str = "/",
        extra_params: Mapping[str, str] | None = None,
    ) -> None:
        """Redirect the user to the provider to log in.

        :param redirect_uri: the absolute URL of the handler that completes the login; it must be registered
            with the provider.
        :param scope: the permissions to request; ``openid`` is added if it is missing.
        :param next_url: the path on this site to redirect the user to afterwards. A target on another site,
            for example from a forged ``next`` argument, is replaced by ``/``.
        :param extra_params: further arguments, such as ``prompt`` or ``login_hint``.
        :raises AuthError: if the provider's metadata cannot be fetched.
        """
        handler = self._handler()
        client_config = self.get_openid_connect_settings()
        metadata = await self._provider().metadata(self.get_auth_http_client())
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        pending = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "issuer": client_config["issuer"],
            "redirect_uri": redirect_uri,
            "next": next_url if is_local_path(next_url) else "/",
        }
        handler.set_signed_cookie(
            _cookie_name(state),
            json.dumps(pending),
            expires_days=_LOGIN_AGE,
            httponly=True,
            secure=handler.request.protocol == "https",
            samesite="Lax",
        )
        arguments = {
            **(extra_params or {}),
            "response_type": "code",
            "client_id": client_config["client_id"],
            "redirect_uri": redirect_uri,
            "scope": " ".join(scope if "openid" in scope else ["openid", *scope]),
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        handler.redirect(with_query(metadata["authorization_endpoint"], arguments))

    async def get_authenticated_user(self) -> OpenIDLoginResult:
        """Complete the login in the handler of the redirect URI.

        :raises AuthError: if the callback does not match a login that was started in this browser, the user
            or the provider rejected the login, or a token is not valid.
        """
        client_config = self.get_openid_connect_settings()
        pending = self._take_pending(client_config["issuer"])
        handler = self._handler()
        provider, client = self._provider(), self.get_auth_http_client()
        metadata = await provider.metadata(client)
        issuer = handler.get_query_argument("iss", None)
        expects_issuer = metadata.get("authorization_response_iss_parameter_supported") is True
        if issuer != provider.issuer and (issuer is not None or expects_issuer):
            raise AuthError(f"{provider.issuer}: the callback is from another issuer")
        failure = handler.get_query_argument("error", None)
        if failure is not None:
            raise AuthError(f"{provider.issuer}: the login was rejected: {failure[:200]!r}")
        code = handler.get_query_argument("code", None)
        if not code:
            raise AuthError(f"{provider.issuer}: the callback has no code")
        tokens = await self._request_tokens(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": pending["redirect_uri"],
                "code_verifier": pending["verifier"],
            }
        )
        return await self._login(tokens, pending["nonce"], pending["next"])

    async def refresh_tokens(self, refresh_token: str, subject: str) -> OpenIDLoginResult:
        """Exchange a refresh token for new tokens (Core section 12).

        :param refresh_token: the refresh token of an earlier `OpenIDLoginResult`.
        :param subject: ``claims["sub"]`` of that login: a new ID token must be for the same user.
        :returns: the new tokens; ``claims`` contains only ``sub`` if the provider sends no new ID token.
        :raises AuthError: if the provider rejects the token.
        """
        tokens = await self._request_tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})
        tokens.setdefault("refresh_token", refresh_token)
        if "id_token" not in tokens:
            return _login({"sub": subject}, tokens)
        login = await self._login(tokens, None, "/")
        if login.claims["sub"] != subject:
            raise AuthError(f"{self._provider().issuer}: the refreshed ID token belongs to another user")
        return login

    async def get_userinfo(self, login: OpenIDLoginResult) -> dict[str, Any]:
        """Fetch the claims of the provider's UserInfo endpoint (Core section 5.3).

        :raises AuthError: if there is no such endpoint, it rejects the access token, or its response is for
            another user.
        """
        provider, client = self._provider(), self.get_auth_http_client()
        url = (await provider.metadata(client)).get("userinfo_endpoint")
        if url is None or login.access_token is None:
            raise AuthError(
                f"{provider.issuer}: the provider has no UserInfo endpoint or did not issue an access token"
            )
        try:
            response = await client.fetch(url, headers={"Authorization": f"Bearer {login.access_token}"})
        except HTTPClientError as error:
            raise AuthError(
                f"{provider.issuer}: the UserInfo request failed: HTTP status {error.code}"
            ) from error
        claims = json_object(provider.issuer, response.body)
        if claims.get("sub") != login.claims["sub"]:
            raise AuthError(f"{provider.issuer}: the UserInfo response belongs to another user")
        return claims

    async def logout_redirect(self, id_token: str = "", post_logout_redirect_uri: str | None = None) -> None:
        """Redirect the user to the provider to end the session there too (RP-Initiated Logout 1.0).

        :param id_token: the ID token of the `OpenIDLoginResult`. Without it, some providers ask the user to
            confirm.
        :param post_logout_redirect_uri: the URL to which the provider redirects the user afterwards; it must
            be registered with the provider.
        :raises AuthError: if the provider has no logout endpoint.
        """
        provider = self._provider()
        url = (await provider.metadata(self.get_auth_http_client())).get("end_session_endpoint")
        if url is None:
            raise AuthError(f"{provider.issuer}: the provider has no end_session_endpoint")
        arguments = {
            "id_token_hint": id_token or None,
            "client_id": self.get_openid_connect_settings()["client_id"],
            "post_logout_redirect_uri": post_logout_redirect_uri,
        }
        self._handler().redirect(with_query(url, arguments))

    def _provider(self) -> OpenIDProvider:
        issuer = self.get_openid_connect_settings()["issuer"]
        return _providers.setdefault(issuer, OpenIDProvider(issuer))

    def _take_pending(self, issuer: str) -> dict[str, str]:
        """Return the data that the first step stored for this callback's ``state``, and clear its cookie."""
        handler = self._handler()
        state = handler.get_query_argument("state", "")
        name = _cookie_name(state)
        cookie = handler.get_signed_cookie(name, max_age_days=_LOGIN_AGE)
        pending: dict[str, str] = json.loads(cookie) if cookie else {}
        if not state or not secrets.compare_digest(pending.get("state", "").encode(), state.encode()):
            raise AuthError(
                "OpenID Connect: the callback does not match a login started in this browser: start it again"
            )
        handler.clear_cookie(name)
        if pending["issuer"] != issuer:
            raise AuthError("OpenID Connect: the login was started with another provider: start it again")
        return pending

    async def _request_tokens(self, fields: dict[str, str]) -> dict[str, Any]:
        client_config = self.get_openid_connect_settings()
        provider, client = self._provider(), self.get_auth_http_client()
        metadata = await provider.metadata(client)
        secret = client_config.get("client_secret")
        headers = {}
        # Every provider must support Basic authentication for a client with a secret (Discovery section 3).
        if secret and "client_secret_basic" in metadata.get(_METHODS, ["client_secret_basic"]):
            headers["Authorization"] = _basic(client_config["client_id"], secret)
        else:
            fields = {**fields, "client_id": client_config["client_id"]}
            if secret:
                fields["client_secret"] = secret
        return await request_token(provider.issuer, client, metadata["token_endpoint"], fields, headers)

    async def _login(self, tokens: dict[str, Any], nonce: str | None, next_url: str) -> OpenIDLoginResult:
        token = tokens.get("id_token")
        if not isinstance(token, str):
            raise AuthError(f"{self._provider().issuer}: the token response has no id_token")
        claims = await self._verify(token, nonce, tokens.get("access_token"))
        return _login(claims, tokens, next_url)

    async def _verify(self, token: str, nonce: str | None, access_token: object) -> dict[str, Any]:
        """Verify an ID token as specified in Core section 3.1.3.7, and return its claims."""
        jwt = load_jwt()
        provider = self._provider()
        client_id = self.get_openid_connect_settings()["client_id"]
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm not in ALGORITHMS:
                raise AuthError(f"{provider.issuer}: the ID token has an unsupported algorithm {algorithm!r}")
            key = await provider.key(self.get_auth_http_client(), header.get("kid"), algorithm)
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=client_id,
                issuer=provider.issuer,
                leeway=_LEEWAY,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as error:
            raise AuthError(f"{provider.issuer}: the ID token is not valid: {error}") from error
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if claims.get("azp", None if several else client_id) != client_id:
            raise AuthError(f"{provider.issuer}: the ID token is for another client")
        if nonce is not None and not _equal(claims.get("nonce"), nonce):
            raise AuthError(f"{provider.issuer}: the ID token belongs to another login")
        if "at_hash" in claims and isinstance(access_token, str):
            if not _equal(claims["at_hash"], _token_hash(access_token, algorithm)):
                raise AuthError(f"{provider.issuer}: the access token does not match the ID token")
        return claims


def _login(claims: dict[str, Any], tokens: Mapping[str, Any], next_url: str = "/") -> OpenIDLoginResult:
    expires = tokens.get("expires_in")
    return OpenIDLoginResult(
        claims,
        next_url,
        tokens.get("id_token", ""),
        tokens.get("access_token"),
        tokens.get("refresh_token"),
        expires if isinstance(expires, int) else None,
    )


def _cookie_name(state: str) -> str:
    """Return the name of a login's cookie, which is one of `_SLOTS` names.

    The number of names is limited, because any site can start logins by redirecting a browser to this
    handler. It must not be able to fill the browser with cookies in this way.
    """
    return f"_openid_connect_{sum(state.encode()) % _SLOTS}"


def _challenge(verifier: str) -> str:
    """Return the PKCE challenge of a verifier (RFC 7636 section 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def _basic(client_id: str, client_secret: str) -> str:
    """Return the Authorization field of a client.

    The identifier and the secret are form-encoded first (RFC 6749 section 2.3.1).
    """
    pair = f"{urllib.parse.quote_plus(client_id)}:{urllib.parse.quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


def _token_hash(token: str, algorithm: str) -> str:
    """Return ``at_hash`` of an access token (Core section 3.1.3.6).

    It is the first half of the token's digest. The algorithm's name ends with the size of the digest.
    """
    size = algorithm[-3:]
    digest = hashlib.new(f"sha{size}" if size.isdigit() else "sha512", token.encode()).digest()
    return _base64url(digest[: len(digest) // 2])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _equal(value: object, expected: str) -> bool:
    return isinstance(value, str) and secrets.compare_digest(value.encode(), expected.encode())
