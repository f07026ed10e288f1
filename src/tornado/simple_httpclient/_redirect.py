"""Redirects: the request that follows a redirect (RFC 9110 section 15.4)."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient._url import DEFAULT_PORTS, url_without_secrets

REDIRECT_CODES = frozenset((301, 302, 303, 307, 308))

# Fields that describe a body or its transfer. They are removed if the new request has no body.
_BODY_FIELDS = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Expect")
# Fields that must not be sent to another origin.
_SECRET_FIELDS = ("Authorization", "Cookie", "Proxy-Authorization")
#: Settings that apply to one origin only, whether they come from the request or from the client.
_ORIGIN_SETTINGS = ("auth_username", "auth_password", "client_cert", "client_key")
_CERTIFICATE_OPTIONS = ("certfile", "keyfile")

_ASCII = "".join(map(chr, range(128)))
_match_authority = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//[^/?#]*").match


def redirected_request(
    request: HTTPRequest, effective: HTTPRequest, code: int, headers: HTTPHeaders
) -> HTTPRequest:
    """Return the request that follows a redirect.

    :param request: the request that was redirected; it is not changed.
    :param effective: the same request with the client's defaults filled in.
    :param code: the response's status code, one of `REDIRECT_CODES`.
    :param headers: the response's header fields, including ``Location``.
    :raises ValueError: if the location is not a URL, or is the URL of a different Unix socket.

    If the origin changes, all credentials are removed: user name and password, the header fields that carry
    them, ``client_cert`` and ``client_key``, and the certificate in an ``ssl_options`` dictionary. An
    `ssl.SSLContext` is passed on unchanged, because a certificate cannot be removed from it.
    """
    new = copy.copy(request)
    new.url = _resolve_location(request.url, _encode_location(headers["Location"]))
    if "#" not in new.url:
        # RFC 9110 section 10.2.2: a redirect without a fragment inherits the request's fragment.
        _, mark, fragment = request.url.partition("#")
        new.url += mark + fragment
    socket = _unix_socket(new.url)
    if socket is not None and socket != _unix_socket(request.url):
        # A server must not be able to direct the client to other sockets of the client's machine.
        raise ValueError(f"{url_without_secrets(new.url)} is a Unix socket of this machine")
    new.headers = HTTPHeaders(request.headers)
    new.max_redirects = (effective.max_redirects or 1) - 1
    dropped = ["Host"]
    if _becomes_get(code, request.method):
        new.method = "GET"
        new.body = new.body_producer = None
        new.expect_100_continue = False
        dropped += _BODY_FIELDS
    if not is_same_origin(request.url, new.url):
        for setting in _ORIGIN_SETTINGS:
            setattr(new, setting, None)
        new.ssl_options = _without_certificate(new.ssl_options)
        dropped += _SECRET_FIELDS
    for name in dropped:
        if name in new.headers:
            del new.headers[name]
    return new


def check_downgrade(effective: HTTPRequest, new: HTTPRequest) -> None:
    """Reject a redirect from ``https`` to ``http`` unless the request allows it.

    :param effective: the request that was redirected, with the client's defaults.
    :param new: the request that follows the redirect.
    :raises ValueError: if the redirect must not be followed.
    """
    if not _has_scheme(effective.url, "https") or not _has_scheme(new.url, "http"):
        return
    if not getattr(effective, "allow_downgrade", None):
        origin, target = url_without_secrets(effective.url), url_without_secrets(new.url)
        raise ValueError(
            f"{target} is not protected by TLS, but {origin} is: set allow_downgrade=True to follow it"
        )


def defaults_for_other_origin(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a client's defaults for a redirect to another origin.

    Credentials are removed, as `redirected_request` removes them from the settings of the request.
    """
    kept = {name: value for name, value in defaults.items() if name not in _ORIGIN_SETTINGS}
    if "ssl_options" in kept:
        kept["ssl_options"] = _without_certificate(kept["ssl_options"])
    return kept


def _without_certificate(ssl_options: Any) -> Any:
    if not isinstance(ssl_options, dict):
        return ssl_options
    return {name: value for name, value in ssl_options.items() if name not in _CERTIFICATE_OPTIONS}


def is_same_origin(url: str, other: str) -> bool:
    """Whether two URLs have the same origin, so credentials for one may be sent to the other."""
    return _origin(url) == _origin(other)


def _encode_location(value: str) -> str:
    """Return the URL reference of a Location field, with non-ASCII octets percent-encoded.

    Non-ASCII octets are not allowed there, but servers send them, as UTF-8 or in another encoding. The octets
    are percent-encoded unchanged, as browsers do. A non-ASCII host name in UTF-8 is returned as text.

    :param value: the octets of the field, decoded as Latin-1.
    """
    if value.isascii():
        return value
    try:
        octets = value.encode("latin-1")
    except UnicodeEncodeError:  # the field was not received but set by a program
        octets = value.encode()
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return quote(octets, safe=_ASCII)
    authority = _match_authority(text)
    end = 0 if authority is None else authority.end()
    return text[:end] + quote(text[end:], safe=_ASCII)


def _resolve_location(base: str, location: str) -> str:
    """Return the URL of a redirect's target.

    :param base: the URL of the request.
    :param location: the URL reference in the Location field.
    """
    scheme, separator, rest = base.partition("+unix://")
    if not separator:
        return urljoin(base, location)
    # urljoin() does not support this scheme. The server's URL for itself is http://localhost.
    socket, slash, path = rest.partition("/")
    inside = f"{scheme}://localhost/"
    joined = urljoin(f"{inside[:-1]}{slash}{path}", location)
    return f"{scheme}+unix://{socket}/{joined.removeprefix(inside)}" if joined.startswith(inside) else joined


def _has_scheme(url: str, scheme: str) -> bool:
    return url.partition(":")[0].lower() in (scheme, f"{scheme}+unix")


def _becomes_get(code: int, method: str) -> bool:
    """Whether the new request uses GET: after a 303, and by common practice a 301 or 302 to a POST."""
    if code == 303:
        return method != "HEAD"
    return method == "POST" and code in (301, 302)


def _unix_socket(url: str) -> str | None:
    """Return the path of the Unix socket in a URL, or None."""
    parts = urlsplit(url)
    return unquote(parts.netloc.rpartition("@")[2]) if parts.scheme.endswith("+unix") else None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port (RFC 6454 section 4). The path of a Unix socket replaces the host."""
    parts = urlsplit(url)
    if parts.scheme.endswith("+unix"):
        return parts.scheme, _unix_socket(url), None
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
