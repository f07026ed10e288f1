"""Signatures of OAuth 1.0 (RFC 5849 section 3), as pure functions.

The signed message consists of the method, the URL without its query, and all parameters, including those of
the query. The parameters are percent-encoded in one fixed way and sorted.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

#: Ports that are omitted from the signed URL (RFC 5849 section 3.4.1.2).
_DEFAULT_PORTS = {"http": 80, "https": 443}


def escape(value: object) -> str:
    """Percent-encode all characters of `value` except letters, digits and ``-._~`` (RFC 5849 section 3.6).

    >>> escape("a b+c/é")
    'a%20b%2Bc%2F%C3%A9'
    """
    return urllib.parse.quote(value if isinstance(value, (str, bytes)) else str(value), safe="-._~")


def base_string_url(url: str) -> str:
    """Return the base string URI of `url` (RFC 5849 section 3.4.1.2).

    It has no query and no default port, and the scheme and host are in lower case.

    >>> base_string_url("HTTPS://Example.COM:443/a?b=c")
    'https://example.com/a'
    """
    parts = urllib.parse.urlsplit(url)
    scheme = parts.scheme.lower()
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    if parts.port is not None and parts.port != _DEFAULT_PORTS.get(scheme):
        host = f"{host}:{parts.port}"
    return f"{scheme}://{host}{parts.path or '/'}"


def signature(
    consumer: Mapping[str, Any],
    method: str,
    url: str,
    parameters: Mapping[str, Any],
    token: Mapping[str, Any] | None = None,
    version: str = "1.0a",
) -> str:
    """Return the HMAC-SHA1 signature of a request in base64 (RFC 5849 section 3.4.2).

    :param consumer: ``key`` and ``secret`` of the program.
    :param method: the HTTP method.
    :param url: the URL. The parameters in its query are signed too.
    :param parameters: the ``oauth_`` parameters and the form fields.
    :param token: ``key`` and ``secret`` of the token, or None.
    :param version: ``1.0a`` percent-encodes the secrets in the key, as section 3.4.2 requires. ``1.0`` uses
        them unchanged, as providers of the first version of the protocol expect.
    """
    query = urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True)
    pairs: Iterable[tuple[Any, Any]] = [*query, *parameters.items()]
    normalized = "&".join(
        f"{name}={value}" for name, value in sorted((escape(n), escape(v)) for n, v in pairs)
    )
    message = "&".join((escape(method.upper()), escape(base_string_url(url)), escape(normalized)))
    secrets = (consumer["secret"], token["secret"] if token is not None else "")
    key = "&".join(map(escape, secrets) if version == "1.0a" else secrets)
    digest = hmac.new(key.encode(), message.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")


# Programs import these from `tornado.auth`.
_oauth_escape = escape


def _oauth10a_signature(
    consumer_token: Mapping[str, Any],
    method: str,
    url: str,
    parameters: Mapping[str, Any] | None = None,
    token: Mapping[str, Any] | None = None,
    version: str = "1.0a",
) -> bytes:
    """Return the signature of a request, as `signature` does, as bytes."""
    return signature(consumer_token, method, url, parameters or {}, token, version).encode()


_oauth_signature = functools.partial(_oauth10a_signature, version="1.0")
