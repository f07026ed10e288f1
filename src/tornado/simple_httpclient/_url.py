"""URL parsing for the client: the origin to connect to, and the target for the request line.

Nearly every URL is plain: it consists of ``http`` or ``https`` in lower case, a host name without user
information, and a path. One regular expression matches plain URLs. All other URLs are parsed by
`urllib.parse.urlsplit`.

The URL of a server that listens on a Unix socket is ``http+unix://%2Frun%2Fapp.sock/path``: the host is the
percent-encoded path of the socket (``https+unix`` for TLS).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from tornado import httputil

__all__ = [
    "DEFAULT_PORTS",
    "Origin",
    "ParsedURL",
    "match_plain_url",
    "origin_of",
    "parse_url",
    "url_without_secrets",
]

DEFAULT_PORTS = {"http": 80, "https": 443}
_UNIX_SCHEMES = {"http+unix": "http", "https+unix": "https"}

#: Matches a plain URL. Its groups are the scheme with the authority, and the target, which may be empty.
#: Neither group includes the fragment.
match_plain_url = re.compile(
    r"(https?://[A-Za-z0-9.\-]++(?::[0-9]{1,5}+)?+)((?:/[^\x00-\x20\x7f#]*+)?+)(?:#.*)?+", re.DOTALL
).fullmatch

_find_illegal = re.compile(r"[\x00-\x20\x7f]").search
_find_illegal_in_host = re.compile(r"[\x00-\x20\x7f\s]").search


class Origin(NamedTuple):
    """The origin of a URL.

    :ivar scheme: ``http`` or ``https``.
    :ivar host: a name or an address; IPv6 without brackets.
    :ivar port: the TCP port.
    :ivar authority: the value of the Host field: the URL's authority without user information.
    :ivar unix_path: the path of a Unix socket; None for TCP.
    """

    scheme: str
    host: str
    port: int
    authority: str
    unix_path: str | None = None


class ParsedURL(NamedTuple):
    """The parts of a URL.

    :ivar origin: the origin to connect to.
    :ivar target: path and query; never empty.
    :ivar userinfo: the percent-decoded user name and password, or None.
    """

    origin: Origin
    target: str
    userinfo: tuple[str, str] | None


def origin_of(prefix: str) -> Origin:
    """Return the origin for the first group of a plain URL's match.

    :raises ValueError: if the port is out of range.
    """
    return parse_url(prefix).origin


def parse_url(url: str) -> ParsedURL:
    """Parse a URL.

    :raises ValueError: if the scheme is not supported, the host is missing, the port is out of range, or the
        host or the target contains whitespace or a control character.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if _find_illegal(target) is not None:
        raise ValueError(f"Illegal characters in request line: {target!r} in {url_without_secrets(url)!r}")
    userinfo = None
    if parts.username is not None:
        userinfo = unquote(parts.username), unquote(parts.password or "")
    authority = parts.netloc.rpartition("@")[2]
    if parts.scheme in _UNIX_SCHEMES:
        path = unquote(authority)
        if not path:
            raise ValueError(
                f"the URL {url_without_secrets(url)!r} has no socket path: expected http+unix://%2Fpath/"
            )
        scheme = _UNIX_SCHEMES[parts.scheme]
        return ParsedURL(
            Origin(scheme, "localhost", DEFAULT_PORTS[scheme], "localhost", path), target, userinfo
        )
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError(f"Unsupported url scheme {parts.scheme!r} in {url!r}: expected http:// or https://")
    if _find_illegal_in_host(authority) is not None:
        # The host is sent in the Host field and, to a proxy, in the request line.
        raise ValueError(f"Illegal characters in host: {authority!r}")
    # RFC 3986 section 3.2.3: a port may be empty, which means the default port.
    host, port = httputil.split_host_and_port(authority.removesuffix(":"))
    if not host:
        raise ValueError(f"the URL {url!r} has no host")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]  # an IPv6 address; only URLs have the brackets
    if port is None:
        port = DEFAULT_PORTS[parts.scheme]
    return ParsedURL(Origin(parts.scheme, host, port, authority), target, userinfo)


def url_without_secrets(url: str) -> str:
    """Return a URL for messages, without user information, query or fragment, which may contain secrets."""
    match = match_plain_url(url)
    if match is not None and "?" not in url and "#" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return quote(url.partition("?")[0], safe="/:[]%")
    query = "..." if parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))
