"""Adapters that let a standard-library cookie jar work with the client's requests and responses.

`http.cookiejar` stores, expires and matches cookies; the jar's policy decides which cookies it accepts. This
module presents requests and responses in the form that the jar expects. It first removes cookies that
RFC 6265bis section 5.7 rejects but the standard library accepts: ``Secure`` cookies received over plain HTTP,
cookies whose name begins with ``__Secure-`` or ``__Host-`` but whose attributes do not match that prefix, and
cookies for a parent domain of an IP address. A cookie without a ``Domain`` attribute is sent only to the host
that set it.

`http.cookiejar.DefaultCookiePolicy` has no list of public suffixes. It rejects cookies for a whole top-level
domain and, with ``strict_domain=True``, cookies for domains such as ``co.uk``, but not cookies for
``github.io``. If several servers below such a domain do not trust each other, a program needs a separate jar
for each of them, or a policy that knows these suffixes.

Limits
------
`MAX_SET_COOKIE` characters per Set-Cookie field, `MAX_FIELDS` Set-Cookie fields per response, `MAX_COOKIES`
cookies per jar; cookies that exceed a limit are ignored. RFC 6265bis section 6.1 recommends at least 4096
octets per cookie and 3000 cookies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from tornado._wire.cookies import rejection_reason
from tornado.httputil import HTTPHeaders
from tornado.netutil import is_valid_ip

if TYPE_CHECKING:
    from http.cookiejar import Cookie, CookieJar

__all__ = ["cookie_field", "store_cookies"]

MAX_SET_COOKIE = 8192
MAX_FIELDS = 64
MAX_COOKIES = 3000

# Browsers treat these hosts as secure, because their traffic does not leave the machine.
_LOCAL_HOSTS = frozenset(["localhost", "127.0.0.1", "::1"])


def cookie_field(jar: CookieJar, url: str) -> str | None:
    """Return the Cookie field for a request, or None if no cookie matches.

    :param url: the URL of this request; after a redirect, the URL of the redirect's target.
    """
    request = _Request(url)
    jar.add_cookie_header(request)  # type: ignore[arg-type]
    if request.cookie is not None and any(_belongs_to_parent_domain(cookie, request) for cookie in jar):
        # The default policy sends the cookies of a host to its subdomains too. RFC 6265bis section 5.8.3
        # allows that only for cookies with a Domain attribute.
        filtered_jar = _empty_jar(jar)
        for cookie in jar:
            if not _belongs_to_parent_domain(cookie, request):
                filtered_jar.set_cookie(cookie)
        request.cookie = None
        filtered_jar.add_cookie_header(request)  # type: ignore[arg-type]
    return request.cookie


def _empty_jar(jar: CookieJar) -> CookieJar:
    """Return an empty jar with the policy of ``jar``."""
    from http.cookiejar import CookieJar  # slow, but a program that uses a jar has already imported it

    return CookieJar(jar._policy)  # type: ignore[attr-defined]


def _belongs_to_parent_domain(cookie: Cookie, request: _Request) -> bool:
    """Whether a cookie without a Domain attribute belongs to a parent domain of the request's host."""
    return not cookie.domain_specified and request.origin_req_host.endswith(f".{cookie.domain}")


def store_cookies(jar: CookieJar, url: str, headers: HTTPHeaders) -> None:
    """Store the cookies of a response, including a redirect.

    :param url: the URL of the request.
    """
    fields = headers.get_list("Set-Cookie")
    if not fields:
        return
    request = _Request(url)
    acceptable = [
        field
        for field in fields[:MAX_FIELDS]
        if len(field) <= MAX_SET_COOKIE and _is_acceptable(field, request)
    ]
    if not acceptable:
        return
    if len(jar) >= MAX_COOKIES:
        jar.clear_expired_cookies()
        if len(jar) >= MAX_COOKIES:
            return
    jar.extract_cookies(_Response(acceptable), request)  # type: ignore[arg-type]


def _is_acceptable(field: str, request: _Request) -> bool:
    """Whether a Set-Cookie field obeys the rules of RFC 6265bis that the standard library does not check."""
    pair, _, rest = field.partition(";")
    attributes: dict[str, str | bool] = {}
    for part in rest.split(";"):
        name, equals, value = part.partition("=")
        attributes[name.strip().lower()] = value.strip() if equals else True
    if "secure" in attributes:
        if not request.secure:
            return False
        attributes["secure"] = True
    domain, host = str(attributes.get("domain", "")).lstrip(".").lower(), request.origin_req_host
    if domain and domain != host and is_valid_ip(host):
        return False  # an IP address has no parent domain
    name = pair.partition("=")[0].strip()
    # SameSite restricts requests from embedded documents, which this client does not make.
    attributes.pop("samesite", None)
    return rejection_reason(name, attributes) is None


class _Request:
    """The part of the interface of `urllib.request.Request` that `http.cookiejar` uses."""

    #: False, because no request is made for a third party: the program itself makes every request.
    unverifiable = False

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc.rpartition("@")[2]
        # User information is removed, because the jar would treat it as part of the host.
        self._url = urlunsplit((parts.scheme, self.host, parts.path, parts.query, ""))
        self.type = parts.scheme
        self.origin_req_host = parts.hostname or ""
        self.secure = parts.scheme == "https" or self.origin_req_host in _LOCAL_HOSTS
        self.cookie: str | None = None

    def get_full_url(self) -> str:
        return self._url

    def has_header(self, name: str) -> bool:
        return False

    def get_header(self, name: str, default: Any = None) -> Any:
        return default

    def add_unredirected_header(self, name: str, value: str) -> None:
        if name == "Cookie":
            self.cookie = value


class _Response:
    """The part of a response that `http.cookiejar` uses: the Set-Cookie fields."""

    def __init__(self, fields: list[str]) -> None:
        self._fields = fields

    def info(self) -> _Response:
        return self

    def get_all(self, name: str, default: Any = None) -> Any:
        return self._fields if name == "Set-Cookie" else default
