"""Login with a Facebook account, and requests to the Graph API."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

from tornado.auth._errors import AuthError
from tornado.auth._legacy_callbacks import login_step
from tornado.auth._oauth2 import OAuth2Mixin
from tornado.auth._provider import request_token

#: The profile fields that are always requested.
_USER_FIELDS = frozenset({"id", "name", "first_name", "last_name", "locale", "picture", "link"})


class FacebookGraphMixin(OAuth2Mixin):
    """A mixin for logins with a Facebook account and for requests to the Graph API.

    ::

        class Login(tornado.web.RequestHandler, tornado.auth.FacebookGraphMixin):
            async def get(self):
                redirect_uri = f"{self.request.protocol}://{self.request.host}/login"
                code = self.get_argument("code", "")
                if not code:
                    self.authorize_redirect(redirect_uri, self.settings["facebook_api_key"])
                    return
                user = await self.get_authenticated_user(
                    redirect_uri, self.settings["facebook_api_key"], self.settings["facebook_secret"], code
                )
                self.set_signed_cookie("user", user["id"])
                self.redirect("/")
    """

    _OAUTH_ACCESS_TOKEN_URL = "https://graph.facebook.com/oauth/access_token?"
    _OAUTH_AUTHORIZE_URL = "https://www.facebook.com/dialog/oauth?"
    _OAUTH_NO_CALLBACKS = False
    _FACEBOOK_BASE_URL = "https://graph.facebook.com"

    @login_step(4)
    async def get_authenticated_user(
        self,
        redirect_uri: str,
        client_id: str,
        client_secret: str,
        code: str,
        extra_fields: Iterable[str] | None = None,
    ) -> dict[str, Any] | None:
        """Exchange the authorization code for a token, and fetch the user's profile.

        :param redirect_uri: the same value as for `authorize_redirect`.
        :param client_id: the program's client identifier at Facebook.
        :param client_secret: the program's client secret.
        :param code: the ``code`` argument of the callback.
        :param extra_fields: further profile fields to fetch.
        :returns: the profile, with ``access_token`` and ``session_expires`` (seconds, as text) added; None if
            Facebook returns no profile.
        :raises AuthError: if Facebook rejects the code.
        """
        # Facebook's endpoint expects the arguments in the query.
        url = self._oauth_request_token_url(redirect_uri, client_id, client_secret, code)
        tokens = await request_token("Facebook", self.get_auth_http_client(), url)
        access_token = tokens.get("access_token")
        if not isinstance(access_token, str):
            raise AuthError("Facebook: the token response has no access_token")
        wanted = _USER_FIELDS.union(extra_fields or ())
        # The proof shows that the token is used by the program to which it was issued.
        proof = hmac.new(client_secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()
        profile = await self.facebook_request(
            "/me", access_token, appsecret_proof=proof, fields=",".join(sorted(wanted))
        )
        if profile is None:
            return None
        user = {field: profile.get(field) for field in wanted}
        return {**user, "access_token": access_token, "session_expires": str(tokens.get("expires_in"))}

    @login_step(1)
    async def facebook_request(
        self,
        path: str,
        access_token: str | None = None,
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Fetch a path of the Graph API, such as ``/btaylor/picture``.

        :param path: the path, or an absolute URL.
        :param access_token: the token from `get_authenticated_user`; not required for public data.
        :param post_args: form fields to send in a POST request; without them the request is a GET.
        :param args: further query arguments.
        :returns: the response's body, decoded from JSON.
        :raises HTTPClientError: for a status code other than 2xx.
        """
        url = path if path.startswith(("https://", "http://")) else self._FACEBOOK_BASE_URL + path
        return await self.oauth2_request(url, access_token=access_token, post_args=post_args, **args)
