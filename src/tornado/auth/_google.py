"""Login with a Google account."""

from __future__ import annotations

from typing import Any

from tornado.auth._legacy_callbacks import login_step
from tornado.auth._oauth2 import OAuth2Mixin
from tornado.auth._provider import request_token


class GoogleOAuth2Mixin(OAuth2Mixin):
    """A mixin for logins with a Google account, by OAuth 2.0.

    Register the program at https://console.cloud.google.com, and set its client identifier and secret in the
    application's settings::

        google_oauth={"key": CLIENT_ID, "secret": CLIENT_SECRET}

    A handler for both steps::

        class Login(tornado.web.RequestHandler, tornado.auth.GoogleOAuth2Mixin):
            async def get(self):
                redirect_uri = f"{self.request.protocol}://{self.request.host}/login"
                if not self.get_argument("code", ""):
                    self.authorize_redirect(
                        redirect_uri=redirect_uri,
                        client_id=self.get_google_oauth_settings()["key"],
                        scope=["profile", "email"],
                    )
                    return
                tokens = await self.get_authenticated_user(redirect_uri, self.get_argument("code"))
                user = await self.oauth2_request(
                    "https://www.googleapis.com/oauth2/v1/userinfo", access_token=tokens["access_token"]
                )
                self.set_signed_cookie("user", user["email"])
                self.redirect("/")
    """

    #: The name of the application setting with the client identifier and secret.
    _OAUTH_SETTINGS_KEY = "google_oauth"
    _OAUTH_NO_CALLBACKS = False

    # https://accounts.google.com/.well-known/openid-configuration lists the current endpoints.
    _OAUTH_USERINFO_URL = "https://www.googleapis.com/oauth2/v1/userinfo"
    _OAUTH_ACCESS_TOKEN_URL = "https://www.googleapis.com/oauth2/v4/token"
    _OAUTH_AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth"

    def get_google_oauth_settings(self) -> dict[str, str]:
        """Return the client identifier (``key``) and the client secret (``secret``).

        Override this method if they are stored elsewhere.

        :raises KeyError: if the application does not have the setting ``google_oauth``.
        """
        handler, name = self._handler(), self._OAUTH_SETTINGS_KEY
        if name not in handler.settings:
            raise KeyError(f"You must define the {name!r} setting in your application to use Google login")
        client: dict[str, str] = handler.settings[name]
        return client

    @login_step(2)
    async def get_authenticated_user(
        self, redirect_uri: str, code: str, client_id: str | None = None, client_secret: str | None = None
    ) -> dict[str, Any]:
        """Exchange the authorization code for tokens.

        :param redirect_uri: the same value as for `authorize_redirect`.
        :param code: the ``code`` argument of the callback.
        :param client_id: the client identifier; by default ``key`` from `get_google_oauth_settings`.
        :param client_secret: the client secret; by default ``secret`` from `get_google_oauth_settings`.
        :returns: the token response: ``access_token``, ``expires_in`` (seconds), ``id_token`` and more.
        :raises AuthError: if Google rejects the code.
        """
        if client_id is None or client_secret is None:
            configured = self.get_google_oauth_settings()
            client_id = configured["key"] if client_id is None else client_id
            client_secret = configured["secret"] if client_secret is None else client_secret
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": client_id,
            "client_secret": client_secret,
        }
        client = self.get_auth_http_client()
        return await request_token("Google", client, self._OAUTH_ACCESS_TOKEN_URL, fields)
