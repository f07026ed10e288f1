"""Signatures of OAuth 1.0 (RFC 5849 section 3): pure functions.

The message that is signed is made of the method, the URL without its query, and all parameters, those of the
query included, each percent-encoded in one fixed way and sorted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

#: Ports that section 3.4.1.2 leaves out of the signed URL.
_DEFAULT_PORTS = {"http": 80, "https": 443}


def escape(value: object) -> str:
    """Percent-encode `value` as RFC 5849 section 3.6 requires: everything but letters, digits and ``-._~``.

    >>> escape("a b+c/é")
    'a%20b%2Bc%2F%C3%A9'
    """
    return urllib.parse.quote(value if isinstance(value, (str, bytes)) else str(value), safe="-._~")


def base_string_url(url: str) -> str:
    """Return `url` as it is signed (section 3.4.1.2): no query, lower-case scheme and host, no default port.

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
    """Return the HMAC-SHA1 signature of a request (section 3.4.2), in base64.

    :param consumer: ``key`` and ``secret`` of the program.
    :param method: the HTTP method.
    :param url: its query counts as parameters.
    :param parameters: the ``oauth_`` parameters and those of a form body.
    :param token: ``key`` and ``secret`` of the token, where there is one.
    :param version: ``1.0a`` percent-encodes the secrets in the key, as section 3.4.2 requires; ``1.0`` uses
        them as they are, which providers of the first version of the protocol expect.
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
