"""What to ask for after a redirect (RFC 9110 section 15.4)."""

from __future__ import annotations

import copy
from urllib.parse import urljoin, urlsplit

from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders

DEFAULT_PORTS = {"http": 80, "https": 443}
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
    """
    new = copy.copy(request)
    new.url = urljoin(request.url, headers["Location"])
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


def _becomes_get(code: int, method: str) -> bool:
    """A 303 says "now GET this"; clients have always read 301 and 302 so when they answer a POST."""
    if code == 303:
        return method != "HEAD"
    return method == "POST" and code in (301, 302)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port (RFC 6454 section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
