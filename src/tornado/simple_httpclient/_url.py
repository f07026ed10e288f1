"""URLs as the client reads them: an origin to connect to, and a target for the request line.

Nearly every URL is plain: ``http`` or ``https`` in lower case, a host name without user information, a path.
One regular expression recognises these. All others are taken apart by `urllib.parse.urlsplit`.

A server that listens on a Unix socket is addressed as ``http+unix://%2Frun%2Fapp.sock/path``, the socket's
path being the percent-encoded host (``https+unix`` for TLS).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from tornado import httputil

__all__ = ["DEFAULT_PORTS", "Address", "Origin", "match_plain_url", "origin_of", "parse_url", "shown_url"]

DEFAULT_PORTS = {"http": 80, "https": 443}
_UNIX_SCHEMES = {"http+unix": "http", "https+unix": "https"}

#: Matches a plain URL; groups: scheme and authority together, then the target, which may be empty. The
#: fragment stays out.
match_plain_url = re.compile(
    r"(https?://[A-Za-z0-9.\-]++(?::[0-9]{1,5}+)?+)((?:/[^\x00-\x20\x7f#]*+)?+)(?:#.*)?+", re.DOTALL
).fullmatch

_find_illegal = re.compile(r"[\x00-\x20\x7f]").search
_find_illegal_in_host = re.compile(r"[\x00-\x20\x7f\s]").search


class Origin(NamedTuple):
    """Where a request goes.

    :ivar scheme: ``http`` or ``https``.
    :ivar host: a name or an address; IPv6 without brackets.
    :ivar port: the TCP port.
    :ivar authority: the value of the Host field: as in the URL, without user information.
    :ivar unix_path: the path of a Unix socket, None for TCP.
    """

    scheme: str
    host: str
    port: int
    authority: str
    unix_path: str | None = None


class Address(NamedTuple):
    """A URL taken apart.

    :ivar origin: where to connect.
    :ivar target: path and query, never empty.
    :ivar userinfo: user name and password from the URL, decoded, or None.
    """

    origin: Origin
    target: str
    userinfo: tuple[str, str] | None


def origin_of(prefix: str) -> Origin:
    """Return the origin of a plain URL's first group.

    :raises ValueError: if its port is out of range.
    """
    return parse_url(prefix).origin


def parse_url(url: str) -> Address:
    """Take a URL apart.

    :raises ValueError: if the scheme is not supported, or the host is missing, or the port is out of range,
        or there is white space or a control character in the host or the target.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if _find_illegal(target) is not None:
        raise ValueError(f"Illegal characters in request line: {target!r} in {shown_url(url)!r}")
    userinfo = None
    if parts.username is not None:
        userinfo = unquote(parts.username), unquote(parts.password or "")
    authority = parts.netloc.rpartition("@")[2]
    if parts.scheme in _UNIX_SCHEMES:
        path = unquote(authority)
        if not path:
            raise ValueError(f"the URL {shown_url(url)!r} names no socket: expected http+unix://%2Fpath/")
        scheme = _UNIX_SCHEMES[parts.scheme]
        return Address(
            Origin(scheme, "localhost", DEFAULT_PORTS[scheme], "localhost", path), target, userinfo
        )
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError(
            f"Unsupported url scheme {parts.scheme!r} in {url!r}: "
            "a URL for this client begins with http:// or https://"
        )
    if _find_illegal_in_host(authority) is not None:
        # It goes into the Host field, and through a proxy into the request line.
        raise ValueError(f"Illegal characters in host: {authority!r}")
    # RFC 3986 section 3.2.3: a port may be empty, and stands for the default one.
    host, port = httputil.split_host_and_port(authority.removesuffix(":"))
    if not host:
        raise ValueError(f"the URL {url!r} names no host")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]  # an IPv6 address, without the brackets that only URLs need
    if port is None:
        port = DEFAULT_PORTS[parts.scheme]
    return Address(Origin(parts.scheme, host, port, authority), target, userinfo)


def shown_url(url: str) -> str:
    """Return a URL for messages: without user information, query or fragment, which may hold secrets."""
    match = match_plain_url(url)
    if match is not None and "?" not in url and "#" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return quote(url.partition("?")[0], safe="/:[]%")
    query = "..." if parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))
