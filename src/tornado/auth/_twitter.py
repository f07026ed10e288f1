"""Login with a Twitter account by OAuth 1.0a."""

from __future__ import annotations

from typing import Any

from tornado.auth._legacy_callbacks import login_step
from tornado.auth._oauth1 import OAuthMixin
from tornado.auth._provider import post_form, with_query
from tornado.escape import json_decode


class TwitterMixin(OAuthMixin):
    """A mixin for logins with a Twitter account and for requests to version 1.1 of its API.

    Set the program's key and secret in the application settings ``twitter_consumer_key`` and
    ``twitter_consumer_secret``. The service no longer offers this interface to new programs; the mixin is for
    programs that use compatible servers.

    ::

        class Login(tornado.web.RequestHandler, tornado.auth.TwitterMixin):
            async def get(self):
                if self.get_argument("oauth_token", None):
                    user = await self.get_authenticated_user()
                    self.set_signed_cookie("user", user["username"])
                    self.redirect("/")
                else:
                    await self.authorize_redirect()
    """

    #: The base URL for the paths that are passed to `twitter_request`.
    _TWITTER_BASE_URL = "https://api.twitter.com/1.1"
    _OAUTH_NO_CALLBACKS = False

    #: The endpoint that does not ask users for approval again.
    _OAUTH_AUTHENTICATE_URL = "https://api.twitter.com/oauth/authenticate"
    _OAUTH_AUTHORIZE_URL = "https://api.twitter.com/oauth/authorize"
    _OAUTH_REQUEST_TOKEN_URL = "https://api.twitter.com/oauth/request_token"
    _OAUTH_ACCESS_TOKEN_URL = "https://api.twitter.com/oauth/access_token"

    @login_step(1)
    async def authenticate_redirect(self, callback_uri: str | None = None) -> None:
        """Redirect as `authorize_redirect` does, but do not ask the user for approval again.

        :param callback_uri: the URL to which the user is redirected back, absolute or relative to the current
            URL.
        :raises AuthError: if the provider does not return a request token.
        """
        url = self._oauth_request_token_url(callback_uri=callback_uri)
        response = await self._fetch_token(self.get_auth_http_client(), url, "request token")
        self._on_request_token(self._OAUTH_AUTHENTICATE_URL, None, response)

    @login_step(1)
    async def twitter_request(
        self,
        path: str,
        access_token: dict[str, Any],
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Fetch a path of the API, such as ``/statuses/user_timeline``.

        :param path: the path without ``.json``, or an absolute URL.
        :param access_token: the ``access_token`` of the user from `get_authenticated_user`.
        :param post_args: form fields to send in a POST request; without them the request is a GET.
        :param args: query arguments.
        :returns: the response's body, decoded from JSON.
        :raises HTTPClientError: for a status code other than 2xx.
        """
        is_url = path.startswith(("https://", "http://"))
        url = path if is_url else f"{self._TWITTER_BASE_URL}{path}.json"
        method = "GET" if post_args is None else "POST"
        signed = {**args, **(post_args or {})}
        args.update(self._oauth_request_parameters(url, access_token, signed, method=method))
        url = with_query(url, args)
        client = self.get_auth_http_client()
        response = await (client.fetch(url) if post_args is None else post_form(client, url, post_args))
        return json_decode(response.body)

    def _oauth_consumer_token(self) -> dict[str, Any]:
        handler = self._handler()
        handler.require_setting("twitter_consumer_key", "Twitter login")
        handler.require_setting("twitter_consumer_secret", "Twitter login")
        settings = handler.settings
        return {"key": settings["twitter_consumer_key"], "secret": settings["twitter_consumer_secret"]}

    async def _oauth_get_user_future(self, access_token: dict[str, Any]) -> dict[str, Any]:
        user: dict[str, Any] = await self.twitter_request("/account/verify_credentials", access_token)
        if user:
            user["username"] = user["screen_name"]
        return user
