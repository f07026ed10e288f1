"""What to ask for after a redirect (RFC 9110 section 15.4)."""

from __future__ import annotations

import copy
from urllib.parse import unquote, urljoin, urlsplit

from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient._url import DEFAULT_PORTS, shown_url

REDIRECT_CODES = frozenset((301, 302, 303, 307, 308))

# They describe a body, or the sending of it: gone when the new request has none.
_BODY_FIELDS = ("Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Expect")
# Another origin must not learn them.
_SECRET_FIELDS = ("Authorization", "Cookie", "Proxy-Authorization")


def redirected_request(
    request: HTTPRequest, effective: HTTPRequest, code: int, headers: HTTPHeaders
) -> HTTPRequest:
    """The request that follows a redirect.

    :param request: the request that was redirected, left as it is.
    :param effective: the same with the client's defaults filled in.
    :param code: the response's status code, one of `REDIRECT_CODES`.
    :param headers: the response's, with a ``Location``.
    :raises ValueError: if the location is not a URL, or a Unix socket that the request did not go to.
    """
    new = copy.copy(request)
    new.url = _join(request.url, headers["Location"])
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
    if _origin(request.url) != _origin(new.url):
        new.auth_username = new.auth_password = None
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
