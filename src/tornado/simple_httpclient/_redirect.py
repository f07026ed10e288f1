"""What to ask for after a redirect (RFC 9110 section 15.4)."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient._url import DEFAULT_PORTS, shown_url

REDIRECT_CODES = frozenset((301, 302, 303, 307, 308))

# They describe a body, or the sending of it: gone when the new request has none.
_BODY_FIELDS = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Expect")
# Another origin must not receive them.
_SECRET_FIELDS = ("Authorization", "Cookie", "Proxy-Authorization")
#: Settings of a request that are meant for one origin, whether they come from the request or from the client.
_ORIGIN_SETTINGS = ("auth_username", "auth_password", "client_cert", "client_key")
_CERTIFICATE_OPTIONS = ("certfile", "keyfile")

_ASCII = "".join(map(chr, range(128)))
_match_authority = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//[^/?#]*").match


def redirected_request(
    request: HTTPRequest, effective: HTTPRequest, code: int, headers: HTTPHeaders
) -> HTTPRequest:
    """The request that follows a redirect.

    :param request: the request that was redirected, left as it is.
    :param effective: the same with the client's defaults filled in.
    :param code: the response's status code, one of `REDIRECT_CODES`.
    :param headers: the response's, with a ``Location``.
    :raises ValueError: if the location is not a URL, or a Unix socket that the request did not go to.

    Another origin gets none of the request's credentials: neither user name and password, nor the fields
    that carry them, nor ``client_cert`` and ``client_key``, nor the certificate of an ``ssl_options``
    dictionary. An `ssl.SSLContext` is passed on whole, since a certificate cannot be removed from it.
    """
    new = copy.copy(request)
    new.url = _join(request.url, _location(headers["Location"]))
    if "#" not in new.url:
        # RFC 9110 section 10.2.2: a redirect without a fragment inherits that of the request.
        _, mark, fragment = request.url.partition("#")
        new.url += mark + fragment
    socket = _unix_socket(new.url)
    if socket is not None and socket != _unix_socket(request.url):
        # It is this machine's. A server must not choose among its sockets.
        raise ValueError(f"{shown_url(new.url)} is a Unix socket of this machine")
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
    """Refuse a redirect from ``https`` to ``http``, unless the request allows that.

    :param effective: the request that was redirected, with the client's defaults.
    :param new: the request that follows.
    :raises ValueError: if the redirect must not be followed.
    """
    if not _has_scheme(effective.url, "https") or not _has_scheme(new.url, "http"):
        return
    if not getattr(effective, "allow_downgrade", None):
        raise ValueError(f"{shown_url(new.url)} is not protected by TLS, as {shown_url(effective.url)} is")


def defaults_elsewhere(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of a client for another origin than that of its request, as `redirected_request`
    does for the settings of the request itself.
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
    """Whether two URLs have the same origin, so that credentials for one may be sent to the other."""
    return _origin(url) == _origin(other)


def _location(value: str) -> str:
    """Return the URL reference of a Location field in ASCII, as far as it can be.

    Octets beyond ASCII are not allowed there, but servers send them: as UTF-8, or in another encoding. They
    are percent-encoded as they are, which is how browsers send them back. A host name is left as text.

    :param value: the field's octets as Latin-1.
    """
    if value.isascii():
        return value
    try:
        octets = value.encode("latin-1")
    except UnicodeEncodeError:  # set by a program
        octets = value.encode()
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return quote(octets, safe=_ASCII)
    authority = _match_authority(text)
    end = 0 if authority is None else authority.end()
    return text[:end] + quote(text[end:], safe=_ASCII)


def _join(base: str, location: str) -> str:
    """The URL that a Location field means."""
    scheme, separator, rest = base.partition("+unix://")
    if not separator:
        return urljoin(base, location)
    # urljoin() knows nothing of this scheme. As seen from the server it is http://localhost.
    socket, slash, path = rest.partition("/")
    inside = f"{scheme}://localhost/"
    joined = urljoin(f"{inside[:-1]}{slash}{path}", location)
    return f"{scheme}+unix://{socket}/{joined.removeprefix(inside)}" if joined.startswith(inside) else joined


def _has_scheme(url: str, scheme: str) -> bool:
    return url.partition(":")[0].lower() in (scheme, f"{scheme}+unix")


def _becomes_get(code: int, method: str) -> bool:
    """A 303 says "now GET this"; clients have always read 301 and 302 so when they answer a POST."""
    if code == 303:
        return method != "HEAD"
    return method == "POST" and code in (301, 302)


def _unix_socket(url: str) -> str | None:
    """The path of the Unix socket that a URL names, or None."""
    parts = urlsplit(url)
    return unquote(parts.netloc.rpartition("@")[2]) if parts.scheme.endswith("+unix") else None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port (RFC 6454 section 4); the path of a Unix socket in place of the host."""
    parts = urlsplit(url)
    if parts.scheme.endswith("+unix"):
        return parts.scheme, _unix_socket(url), None
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
