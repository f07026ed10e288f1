"""`OpenIdMixin`: logins by OpenID 2.0, with attribute exchange."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from typing import Any

from tornado.auth._errors import AuthError
from tornado.auth._legacy_callbacks import login_step
from tornado.auth._provider import ProviderMixin, describe, post_form
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPResponse

_OPENID = "http://specs.openid.net/auth/2.0"
_SELECT = f"{_OPENID}/identifier_select"
_EXCHANGE = "http://openid.net/srv/ax/1.0"
_OAUTH = "http://specs.openid.net/extensions/oauth/1.0"

#: Maps each attribute name that `authenticate_redirect` accepts to its parts, and each part to its URI.
_ATTRIBUTES = {
    "name": {
        "fullname": "http://axschema.org/namePerson",
        "firstname": "http://axschema.org/namePerson/first",
        "lastname": "http://axschema.org/namePerson/last",
    },
    "email": {"email": "http://axschema.org/contact/email"},
    "language": {"language": "http://axschema.org/pref/language"},
    "username": {"username": "http://axschema.org/namePerson/friendly"},
}


class OpenIdMixin(ProviderMixin):
    """The base class for logins by OpenID 2.0, a protocol that OpenID Connect has replaced.

    A subclass for a provider sets the class attribute ``_OPENID_ENDPOINT`` to the provider's URL.
    """

    _OPENID_ENDPOINT: str

    def authenticate_redirect(
        self,
        callback_uri: str | None = None,
        ax_attrs: Sequence[str] = ["name", "email", "language", "username"],  # a list, as in upstream
    ) -> None:
        """Redirect the user to the provider to log in.

        :param callback_uri: the URL to which the provider redirects the user back, absolute or relative to
            the current URL; by default the current URL.
        :param ax_attrs: the attributes to request: ``name``, ``email``, ``language``, ``username``.
        """
        target = callback_uri or self._handler().request.uri
        assert target is not None
        arguments = self._openid_args(target, ax_attrs=ax_attrs)
        self._handler().redirect(f"{self._OPENID_ENDPOINT}?{urllib.parse.urlencode(arguments)}")

    @login_step(0)
    async def get_authenticated_user(self, http_client: AsyncHTTPClient | None = None) -> dict[str, Any]:
        """Complete the login in the handler of the callback URL, if the provider confirms it.

        :param http_client: the client to use in place of the one from `get_auth_http_client`.
        :returns: the attributes that the provider has sent: ``name``, ``first_name``, ``last_name``,
            ``email``, ``username``, ``locale``, ``claimed_id``. Any of them may be missing.
        :raises AuthError: if the provider does not confirm the login.
        """
        handler = self._handler()
        # All arguments are sent back unchanged, except the mode (OpenID Authentication 2.0 section
        # 11.4.2.1).
        fields = {name: values[-1] for name, values in handler.request.arguments.items()}
        fields["openid.mode"] = b"check_authentication"
        client = http_client if http_client is not None else self.get_auth_http_client()
        try:
            response = await post_form(client, self._OPENID_ENDPOINT, fields)
        except HTTPClientError as error:
            raise AuthError(f"OpenID: the provider did not confirm the login: {describe(error)}") from error
        return self._on_authentication_verified(response)

    def _openid_args(
        self, callback_uri: str, ax_attrs: Sequence[str] = (), oauth_scope: str | None = None
    ) -> dict[str, str]:
        """Return the arguments of the authentication request.

        :param callback_uri: the URL to which the provider redirects the user back.
        :param ax_attrs: the attributes to request.
        :param oauth_scope: if not None, request OAuth access with this scope too, for the host of the current
            request.
        """
        return_to = self._absolute_url(callback_uri)
        arguments = {
            "openid.ns": _OPENID,
            "openid.mode": "checkid_setup",
            "openid.claimed_id": _SELECT,
            "openid.identity": _SELECT,
            "openid.return_to": return_to,
            "openid.realm": urllib.parse.urljoin(return_to, "/"),
        }
        parts = {part: uri for name in ax_attrs for part, uri in _ATTRIBUTES.get(name, {}).items()}
        if parts:
            arguments["openid.ns.ax"] = _EXCHANGE
            arguments["openid.ax.mode"] = "fetch_request"
            arguments["openid.ax.required"] = ",".join(parts)
            arguments.update({f"openid.ax.type.{part}": uri for part, uri in parts.items()})
        if oauth_scope:
            arguments["openid.ns.oauth"] = _OAUTH
            arguments["openid.oauth.consumer"] = self._handler().request.host.partition(":")[0]
            arguments["openid.oauth.scope"] = oauth_scope
        return arguments

    def _on_authentication_verified(self, response: HTTPResponse) -> dict[str, Any]:
        """Return the user's attributes, if the provider's `response` confirms the callback."""
        # The response is in key-value form, with one pair per line (section 4.1.1).
        if b"is_valid:true" not in (line.strip() for line in response.body.split(b"\n")):
            raise AuthError("OpenID: the provider did not confirm the login")
        attributes = self._attributes()
        first, last = attributes.get("firstname", ""), attributes.get("lastname", "")
        email, full_name = attributes.get("email", ""), attributes.get("fullname", "")
        names = [name for name in (first, last) if name]
        user: dict[str, Any] = {"first_name": first, "last_name": last}
        user = {key: value for key, value in user.items() if value}
        name = full_name or " ".join(names) or email.partition("@")[0]
        username = attributes.get("username", "")
        known = {
            "name": name,
            "email": email,
            "locale": attributes.get("language", "").lower(),
            "username": username,
            "claimed_id": self._handler().get_argument("openid.claimed_id", ""),
        }
        user.update({key: value for key, value in known.items() if value})
        return user

    def _attributes(self) -> dict[str, str]:
        """Return the attributes in the callback, by the names of the parts in `_ATTRIBUTES`.

        A provider may use any alias for the extension and for each attribute, so the extension and the
        attributes are found by their URIs. Attributes that are not listed in ``openid.signed`` are omitted
        (section 10.1).
        """
        handler = self._handler()
        arguments = handler.request.arguments
        listed = handler.get_argument("openid.signed", None)
        signed = None if listed is None else set(listed.split(","))
        prefix = next(
            (
                name[len("openid.ns.") :]
                for name in arguments
                if name.startswith("openid.ns.") and handler.get_argument(name) == _EXCHANGE
            ),
            None,
        )
        if prefix is None or (signed is not None and f"ns.{prefix}" not in signed):
            return {}
        types = {
            handler.get_argument(name): name[len(f"openid.{prefix}.type.") :]
            for name in arguments
            if name.startswith(f"openid.{prefix}.type.")
        }
        found = {}
        for part, uri in ((part, uri) for parts in _ATTRIBUTES.values() for part, uri in parts.items()):
            alias = types.get(uri)
            if alias is None:
                continue
            for key in (f"{prefix}.value.{alias}", f"{prefix}.value.{alias}.1"):
                if (signed is None or key in signed) and f"openid.{key}" in arguments:
                    found[part] = handler.get_argument(f"openid.{key}")
                    break
        return found
