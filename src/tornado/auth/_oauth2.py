"""`OAuth2Mixin`: logins by OAuth 2.0 with the authorization code grant (RFC 6749)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tornado.auth._legacy_callbacks import login_step
from tornado.auth._provider import ProviderMixin, post_form, with_query
from tornado.escape import json_decode


class OAuth2Mixin(ProviderMixin):
    """The base class for logins by OAuth 2.0.

    A subclass for a provider sets these class attributes:

    * ``_OAUTH_AUTHORIZE_URL``: the provider's authorization endpoint.
    * ``_OAUTH_ACCESS_TOKEN_URL``: the provider's token endpoint.

    New programs should prefer `OpenIDConnectMixin`, which performs checks that OAuth 2.0 leaves to the
    program.
    """

    _OAUTH_AUTHORIZE_URL: str
    _OAUTH_ACCESS_TOKEN_URL: str

    def authorize_redirect(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        extra_params: dict[str, Any] | None = None,
        scope: Sequence[str] | None = None,
        response_type: str = "code",
    ) -> None:
        """Redirect the user to the provider to log in (RFC 6749 section 4.1.1).

        :param redirect_uri: the URL to which the provider redirects the user back; it must be registered with
            the provider.
        :param client_id: the program's client identifier at the provider.
        :param client_secret: accepted for compatibility and ignored: it must never reach the browser.
        :param extra_params: further query arguments. Pass a ``state`` here and compare it in the callback.
            Otherwise another site can log the user in to its own account (RFC 6749 section 10.12).
        :param scope: the permissions to request.
        :param response_type: ``code`` for the authorization code grant.

        The handler must not write to the response afterwards.
        """
        arguments: dict[str, Any] = {"response_type": response_type}
        if redirect_uri is not None:
            arguments["redirect_uri"] = redirect_uri
        if client_id is not None:
            arguments["client_id"] = client_id
        arguments.update(extra_params or {})
        if scope:
            arguments["scope"] = " ".join(scope)
        self._handler().redirect(with_query(self._OAUTH_AUTHORIZE_URL, arguments))

    def _oauth_request_token_url(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        code: str | None = None,
        extra_params: dict[str, Any] | None = None,
    ) -> str:
        """Return the URL for exchanging a code for a token, with the arguments in its query."""
        arguments = {
            "redirect_uri": redirect_uri,
            "code": code,
            "client_id": client_id,
            "client_secret": client_secret,
            **(extra_params or {}),
        }
        return with_query(self._OAUTH_ACCESS_TOKEN_URL, arguments)

    @login_step(1)
    async def oauth2_request(
        self,
        url: str,
        access_token: str | None = None,
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Fetch a URL of the provider's API, with an access token as authorization.

        :param url: the URL to fetch.
        :param access_token: the token to send as the ``access_token`` query argument, or None.
        :param post_args: form fields to send in a POST request; without them the request is a GET.
        :param args: further query arguments.
        :returns: the response's body, decoded from JSON.
        :raises HTTPClientError: for a status code other than 2xx.
        """
        if access_token:
            args = {"access_token": access_token, **args}
        if args:
            url = with_query(url, args)
        client = self.get_auth_http_client()
        response = await (client.fetch(url) if post_args is None else post_form(client, url, post_args))
        return json_decode(response.body)
