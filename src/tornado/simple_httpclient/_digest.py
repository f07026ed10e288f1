"""`DigestExtension`: a fetch extension for digest authentication (RFC 7616)."""

from __future__ import annotations

import copy
import secrets

from tornado import httputil
from tornado._wire.digest import DigestAuth
from tornado._wire.h1 import ResponseHead
from tornado.httpclient import HTTPRequest
from tornado.simple_httpclient._extension import FollowUp
from tornado.simple_httpclient._url import parse_url

__all__ = ["DigestExtension", "CredentialsCache"]

#: Maximum number of credentials to cache.
_MAX_CACHED = 128

_Login = tuple[str, str, str]


class CredentialsCache:
    """A client's cache of digest credentials, so that later requests do not need another challenge."""

    def __init__(self) -> None:
        self._cache: dict[_Login, DigestAuth] = {}

    def find(self, request: HTTPRequest) -> DigestAuth | None:
        """Return the credentials for a request, or None if it has no user name.

        :raises ValueError: if the user name contains a colon.
        """
        address = parse_url(request.url)
        if request.auth_username is not None:
            username, password = request.auth_username, request.auth_password or ""
        elif address.userinfo is not None:
            username, password = address.userinfo
        else:
            return None
        origin = address.origin
        login = f"{origin.scheme}://{origin.unix_path or ''}{origin.host}:{origin.port}", username, password
        auth = self._cache.get(login)
        if auth is None:
            auth = DigestAuth(username, password)
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            self._cache[login] = auth
        return auth


class DigestExtension:
    """A fetch extension that responds to the digest challenges of one fetch.

    :param logins: the client's credentials.
    """

    def __init__(self, logins: CredentialsCache) -> None:
        self._logins = logins
        self._auth: DigestAuth | None = None
        self._has_credentials = False

    def prepare(self, request: HTTPRequest, target: str, headers: httputil.HTTPHeaders) -> None:
        """Add credentials if the server's challenge is known."""
        # The user name is None after a redirect to another origin.
        self._auth = self._logins.find(request) if request.auth_mode == "digest" else None
        self._has_credentials = self._auth is not None and self._auth.ready
        if self._auth is not None and self._has_credentials:
            body = b"" if request.body is None and request.body_producer is None else request.body
            content = body if isinstance(body, bytes) else None
            headers["Authorization"] = self._auth.authorize(request.method, target, content)

    def responded(self, request: HTTPRequest, head: ResponseHead) -> FollowUp | None:
        """Repeat a request after a 401 response if new credentials may be accepted."""
        auth = self._auth
        if auth is None:
            return None
        headers: httputil.HTTPHeaders = head.headers
        if head.code != 401:
            if self._has_credentials:
                auth.receive_success(headers.get("Authentication-Info"))
            return None
        challenges = headers.get_list("WWW-Authenticate")
        if not auth.receive_challenge(challenges, secrets.token_hex(16), answered=self._has_credentials):
            return None
        source = request.body_source
        if source is not None and not source.available:
            return None  # the body cannot be sent again: deliver the 401 response
        return FollowUp(copy.copy(request))

    def failed(self, request: HTTPRequest, error: BaseException) -> FollowUp | None:
        """Return None: errors are not handled here."""
        return None
