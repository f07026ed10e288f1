"""`OAuthMixin`: logins by OAuth 1.0 and 1.0a (RFC 5849)."""

from __future__ import annotations

import base64
import secrets
import time
import urllib.parse
from collections.abc import Awaitable, Mapping
from typing import Any

from tornado.auth import _oauth1_signature
from tornado.auth._errors import AuthError
from tornado.auth._legacy_callbacks import login_step
from tornado.auth._provider import ProviderMixin, describe, with_query
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPResponse
from tornado.util import import_object

#: The cookie that stores the request token and its secret between the two steps of a login.
_COOKIE = "_oauth_request_token"


class OAuthMixin(ProviderMixin):
    """The base class for logins by OAuth 1.0 or 1.0a.

    A subclass for a provider sets these class attributes:

    * ``_OAUTH_REQUEST_TOKEN_URL``, ``_OAUTH_AUTHORIZE_URL``, ``_OAUTH_ACCESS_TOKEN_URL``: the provider's
      endpoints.
    * ``_OAUTH_VERSION``: ``"1.0"`` or ``"1.0a"`` (the default).
    * ``_OAUTH_NO_CALLBACKS``: True if the provider does not accept a callback URL in the request.

    The subclass also overrides `_oauth_get_user_future` and `_oauth_consumer_token`.
    """

    _OAUTH_REQUEST_TOKEN_URL: str
    _OAUTH_AUTHORIZE_URL: str
    _OAUTH_ACCESS_TOKEN_URL: str
    _OAUTH_VERSION = "1.0a"
    _OAUTH_NO_CALLBACKS = False

    # -- the two steps --

    @login_step(3)
    async def authorize_redirect(
        self,
        callback_uri: str | None = None,
        extra_params: dict[str, Any] | None = None,
        http_client: AsyncHTTPClient | None = None,
    ) -> None:
        """Get a request token and redirect the user to the provider to approve it.

        Await this method: it sends a request to the provider before it redirects.

        :param callback_uri: the URL to which the provider redirects the user back, absolute or relative to
            the current URL. ``"oob"`` requests a code that the user types in.
        :param extra_params: further parameters of the token request (version 1.0a only).
        :param http_client: the client to use in place of the one from `get_auth_http_client`.
        :raises AuthError: if the provider does not return a request token.
        :raises ValueError: if there is a ``callback_uri`` and the provider does not accept one.

        The token's secret is stored in a cookie until `get_authenticated_user` is called.
        """
        if callback_uri and self._OAUTH_NO_CALLBACKS:
            raise ValueError(f"{type(self).__name__}: this provider does not accept a callback_uri")
        client = http_client if http_client is not None else self.get_auth_http_client()
        if self._OAUTH_VERSION == "1.0a":
            url = self._oauth_request_token_url(callback_uri=callback_uri, extra_params=extra_params)
        else:
            url = self._oauth_request_token_url()
        response = await self._fetch_token(client, url, "request token")
        self._on_request_token(self._OAUTH_AUTHORIZE_URL, callback_uri, response)

    @login_step(0)
    async def get_authenticated_user(self, http_client: AsyncHTTPClient | None = None) -> dict[str, Any]:
        """Complete the login in the handler of the callback URL.

        :param http_client: the client to use in place of the one from `get_auth_http_client`.
        :returns: the user from `_oauth_get_user_future`, with ``access_token`` added: a dictionary with
            ``key``, ``secret`` and any other fields that the provider sends.
        :raises AuthError: if the token does not belong to a login that this browser started, the user denied
            access, or the provider does not return an access token.
        """
        handler = self._handler()
        key = handler.get_argument("oauth_token")
        verifier = handler.get_argument("oauth_verifier", None)
        cookie = handler.get_cookie(_COOKIE)
        if not cookie:
            raise AuthError("OAuth: the request token cookie is missing: start the login again")
        handler.clear_cookie(_COOKIE)
        try:
            cookie_key, cookie_secret = (base64.b64decode(part).decode() for part in cookie.split("|"))
        except ValueError:
            raise AuthError("OAuth: the request token cookie is malformed: start the login again") from None
        if not secrets.compare_digest(cookie_key.encode(), key.encode()):
            raise AuthError("OAuth: the request token does not match the cookie: start the login again")
        token: dict[str, Any] = {"key": cookie_key, "secret": cookie_secret}
        if verifier:
            token["verifier"] = verifier
        client = http_client if http_client is not None else self.get_auth_http_client()
        response = await self._fetch_token(client, self._oauth_access_token_url(token), "access token")
        access_token = _parse_token(response.body)
        user = await self._oauth_get_user_future(access_token)
        if not user:
            raise AuthError("OAuth: the provider returned no user for the access token")
        user["access_token"] = access_token
        return user

    # -- for subclasses --

    def _oauth_consumer_token(self) -> dict[str, Any]:
        """Return the program's ``key`` and ``secret`` at the provider. Subclasses must override this."""
        raise NotImplementedError(f"{type(self).__name__} does not define _oauth_consumer_token()")

    def _oauth_get_user_future(self, access_token: dict[str, Any]) -> Awaitable[dict[str, Any]]:
        """Return an awaitable of the user's profile, a dictionary. Subclasses must override this.

        :param access_token: ``key``, ``secret`` and any other fields that the provider has sent.
        """
        classic = getattr(self, "_oauth_get_user", None)  # in Tornado 4: passes the user to a callback
        if classic is not None:
            started: Awaitable[dict[str, Any]] = import_object("tornado._tornado4.gen_engine.Task")(
                classic, access_token
            )
            return started
        raise NotImplementedError(f"{type(self).__name__} does not define _oauth_get_user_future()")

    def _oauth_request_parameters(
        self,
        url: str,
        access_token: dict[str, Any],
        parameters: Mapping[str, Any] | None = None,
        method: str = "GET",
    ) -> dict[str, Any]:
        """Return the ``oauth_`` parameters of a request to the provider's API, including the signature.

        :param url: the URL of the request.
        :param access_token: the token from `get_authenticated_user`.
        :param parameters: the query arguments and the form fields of the request.
        :param method: the HTTP method of the request.
        """
        return self._signed(url, {**(parameters or {})}, access_token, method, only_oauth=True)

    # -- requests for tokens --

    def _oauth_request_token_url(
        self, callback_uri: str | None = None, extra_params: dict[str, Any] | None = None
    ) -> str:
        """Return the signed URL for fetching a request token (RFC 5849 section 2.1)."""
        parameters: dict[str, Any] = {}
        if self._OAUTH_VERSION == "1.0a":
            if callback_uri == "oob":
                parameters["oauth_callback"] = "oob"
            elif callback_uri:
                parameters["oauth_callback"] = self._absolute_url(callback_uri)
            parameters.update(extra_params or {})
        return self._signed_url(self._OAUTH_REQUEST_TOKEN_URL, parameters, None)

    def _oauth_access_token_url(self, request_token: dict[str, Any]) -> str:
        """Return the signed URL for exchanging a request token for an access token (RFC 5849 section 2.3)."""
        parameters = {}
        if request_token.get("verifier"):
            parameters["oauth_verifier"] = request_token["verifier"]
        return self._signed_url(self._OAUTH_ACCESS_TOKEN_URL, parameters, request_token)

    def _signed_url(self, url: str, parameters: dict[str, Any], token: dict[str, Any] | None) -> str:
        return f"{url}?{urllib.parse.urlencode(self._signed(url, parameters, token))}"

    def _signed(
        self,
        url: str,
        parameters: dict[str, Any],
        token: dict[str, Any] | None,
        method: str = "GET",
        only_oauth: bool = False,
    ) -> dict[str, Any]:
        """Return `parameters` with the ``oauth_`` parameters and the signature added.

        :param only_oauth: whether to omit `parameters` from the result.
        """
        consumer = self._oauth_consumer_token()
        protocol: dict[str, Any] = {
            "oauth_consumer_key": consumer["key"],
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_timestamp": str(int(time.time())),
            "oauth_nonce": secrets.token_hex(16),
            "oauth_version": "1.0",
        }
        if token is not None:
            protocol["oauth_token"] = token["key"]
        signed = {**protocol, **parameters}
        signature = _oauth1_signature.signature(consumer, method, url, signed, token, self._OAUTH_VERSION)
        return {**(protocol if only_oauth else signed), "oauth_signature": signature}

    def _on_request_token(self, authorize_url: str, callback_uri: str | None, response: HTTPResponse) -> None:
        """Store the request token in a cookie and redirect the user to approve it (RFC 5849 section 2.2)."""
        handler = self._handler()
        token = _parse_token(response.body)
        value = "|".join(base64.b64encode(token[part].encode()).decode("ascii") for part in ("key", "secret"))
        secure = handler.request.protocol == "https"
        handler.set_cookie(_COOKIE, value, httponly=True, secure=secure, samesite="Lax")
        arguments: dict[str, Any] = {"oauth_token": token["key"]}
        if callback_uri == "oob":
            _ = handler.finish(with_query(authorize_url, arguments))
            return
        if callback_uri:
            arguments["oauth_callback"] = self._absolute_url(callback_uri)
        handler.redirect(with_query(authorize_url, arguments))

    async def _fetch_token(self, client: AsyncHTTPClient, url: str, what: str) -> HTTPResponse:
        try:
            return await client.fetch(url)
        except HTTPClientError as error:
            raise AuthError(f"OAuth: the provider did not return the {what}: {describe(error)}") from error


def _parse_token(body: bytes) -> dict[str, Any]:
    """Parse a token response, which is form-encoded.

    :returns: ``oauth_token`` as ``key``, ``oauth_token_secret`` as ``secret``, and the other fields.
    :raises AuthError: if one of the two is missing.
    """
    fields = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        token = {"key": fields.pop("oauth_token"), "secret": fields.pop("oauth_token_secret")}
    except KeyError as missing:
        raise AuthError(f"OAuth: the token response has no {missing.args[0]}") from None
    return {**fields, **token}
