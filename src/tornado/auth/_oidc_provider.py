"""`OpenIDProvider`: the metadata and keys of an OpenID provider, fetched and cached.

The metadata (OpenID Connect Discovery 1.0) is fetched again after an hour. The keys are fetched again when a
token refers to an unknown key, because providers rotate keys. The keys are fetched at most once per minute,
because otherwise every token with an invented key name would cause a request.
"""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from tornado.auth._errors import AuthError
from tornado.auth._provider import json_object
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

#: Maximum age of cached metadata and keys in seconds.
_MAX_AGE = 3600.0
#: Minimum time between two requests for the keys in seconds.
_MIN_REFRESH = 60.0
#: Maximum size of a metadata or key document in bytes.
_MAX_DOCUMENT = 1024 * 1024
#: Maximum time for fetching a document in seconds.
_TIMEOUT = 10.0

#: The accepted signature algorithms. ``none`` is not accepted. Symmetric algorithms are not accepted either,
#: because a library that confuses public and symmetric keys would accept tokens signed with the public key.
ALGORITHMS = frozenset(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)


class OpenIDProvider:
    """The metadata and the keys of one provider.

    :param issuer: the provider's URL, exactly as it is configured in the program.
    :param clock: a monotonic clock that returns seconds.
    """

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self._clock = clock
        self._metadata: dict[str, Any] = {}
        self._metadata_time = 0.0
        self._keys: dict[str | None, Any] = {}
        self._keys_time: float | None = None

    async def metadata(self, client: AsyncHTTPClient) -> dict[str, Any]:
        """Return the provider's metadata.

        :raises AuthError: if the metadata cannot be fetched, has another issuer, or has an endpoint that is
            not secure.
        """
        if not self._metadata or self._clock() - self._metadata_time > _MAX_AGE:
            require_secure("issuer", self.issuer)
            url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = await self._fetch(client, url)
            # Discovery section 4.3 requires this check. Without it, one provider could impersonate another.
            if found.get("issuer") != self.issuer:
                raise AuthError(
                    f"{self.issuer}: the provider's metadata has the issuer {found.get('issuer')!r}: "
                    "if you trust it, set issuer in openid_connect to exactly that URL"
                )
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not isinstance(found.get(name), str):
                    raise AuthError(f"{self.issuer}: the provider's metadata has no {name}")
            for name, value in found.items():
                if name.endswith("_endpoint") or name == "jwks_uri":
                    require_secure(name, value)
            self._metadata, self._metadata_time = found, self._clock()
        return self._metadata

    async def key(self, client: AsyncHTTPClient, key_id: str | None, algorithm: str) -> Any:
        """Return the key that a token was signed with.

        :param key_id: ``kid`` from the token's header; None means the provider's only key.
        :param algorithm: ``alg`` from the token's header.
        :raises AuthError: if the provider has no such key.
        """
        key = self._find(key_id, algorithm)
        now = self._clock()
        if self._keys_time is None or now - self._keys_time > (_MAX_AGE if key else _MIN_REFRESH):
            await self._fetch_keys(client)
            key = self._find(key_id, algorithm)
        if key is None:
            raise AuthError(f"{self.issuer}: the ID token is signed with an unknown key")
        return key

    def _find(self, key_id: str | None, algorithm: str) -> Any:
        if key_id is not None:
            candidates = [self._keys[key_id]] if key_id in self._keys else []
        else:
            candidates = list(self._keys.values())
        fitting = [key for key in candidates if key.algorithm_name in (None, algorithm)]
        return fitting[0] if len(fitting) == 1 else None

    async def _fetch_keys(self, client: AsyncHTTPClient) -> None:
        jwt = load_jwt()
        metadata = await self.metadata(client)
        self._keys_time = self._clock()
        document = await self._fetch(client, metadata["jwks_uri"])
        entries = document.get("keys")
        keys: dict[str | None, Any] = {}
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
                continue
            try:
                key = jwt.PyJWK(entry)
            except jwt.PyJWTError:
                continue  # a key type that the library does not support; other keys may be usable
            if entry.get("kty") != "oct":
                keys[key.key_id] = key
        self._keys = keys

    async def _fetch(self, client: AsyncHTTPClient, url: str) -> dict[str, Any]:
        try:
            response = await client.fetch(
                url, connect_timeout=_TIMEOUT, request_timeout=_TIMEOUT, follow_redirects=False
            )
        except (HTTPClientError, OSError) as error:
            raise AuthError(f"{self.issuer}: cannot fetch {url}: {error}") from error
        if len(response.body) > _MAX_DOCUMENT:
            raise AuthError(f"{self.issuer}: {url} is larger than {_MAX_DOCUMENT} bytes")
        return json_object(self.issuer, response.body)


def load_jwt() -> Any:
    """Import PyJWT.

    :raises ImportError: if PyJWT is not installed.
    """
    try:
        import jwt
    except ImportError as error:
        raise ImportError("OpenIDConnectMixin needs the package PyJWT (the extra 'auth')") from error
    return jwt


def require_secure(name: str, url: object) -> None:
    """Reject a provider's URL unless it uses ``https``, or ``http`` on this machine.

    :param name: the name of the URL, for the error message.
    :raises AuthError: for any other URL.
    """
    parts = urllib.parse.urlsplit(url if isinstance(url, str) else "")
    local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise AuthError(f"OpenID Connect: the {name} must be an https URL, got {url!r}")
