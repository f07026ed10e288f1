"""A cache of validated field lines of requests.

Theory of operation
-------------------
Successive requests of a client share most field lines but seldom all of them: the cookie changes, or a proxy
adds a request number and an address. The cache therefore contains single lines, and only lines of fields
whose values repeat and identify neither a user nor a request (`REPEATING`): the user agent, its preferences,
the host. It never contains a cookie, a token, an address, a request number or a path.

A cached line is valid and does not affect how an HTTP/1.1 message is read. The exceptions are the lines in
`HANDSHAKE`, for which the parser searches if the request contains Upgrade. ``Connection: keep-alive`` has no
effect in HTTP/1.1 (RFC 9112 section 9.3) but does in HTTP/1.0, whose heads are parsed without the cache.
Lines of Host are stored in a separate table, together with the authority that they contain, because a request
has exactly one.

The name and the value of each cached line are also stored for `HTTPHeaders` (`headers.known_lines`).

`kind_of` maps the name of a field, as spelled, to its meaning for the parser. It caches names, which are not
secret.

Limits
------
The cache contains at most `MAX_LINES` lines and `MAX_HOSTS` lines of Host, each of at most `MAX_LINE_SIZE`
characters, and `MAX_NAMES` names of at most `MAX_NAME_SIZE` characters. A full table is emptied.
"""

from __future__ import annotations

import re
from typing import Final

from tornado._wire.headers import known_lines, split_line
from tornado._wire.start_line import TCHAR

__all__ = [
    "IF_NONE_MATCH",
    "CONNECTION",
    "DECISIVE",
    "HOST",
    "CONTENT_LENGTH",
    "MAX_HOSTS",
    "MAX_LINES",
    "MAX_LINE_SIZE",
    "MAX_NAMES",
    "MAX_NAME_SIZE",
    "NOT_CACHED",
    "HANDSHAKE",
    "REPEATING",
    "UPGRADE",
    "CACHED",
    "CONTENT_TYPE",
    "forget",
    "hosts",
    "keep_host",
    "keep_line",
    "kind_of",
    "lines",
]

MAX_LINES: Final = 1024
MAX_HOSTS: Final = 256
MAX_LINE_SIZE: Final = 256
MAX_NAMES: Final = 1024
MAX_NAME_SIZE: Final = 64

#: Fields that have the same value in each request of a client and do not identify it, in lower case.
REPEATING: Final = frozenset(
    [
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "dnt",
        "origin",
        "pragma",
        "priority",
        "save-data",
        "sec-ch-ua",
        "sec-ch-ua-mobile",
        "sec-ch-ua-platform",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-user",
        "sec-gpc",
        "upgrade-insecure-requests",
        "user-agent",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-forwarded-server",
        "x-requested-with",
        "x-scheme",
    ]
)

#: A field that does not affect parsing and whose lines are not cached.
NOT_CACHED: Final = 0
#: A field that does not affect parsing and whose lines are cached: see `REPEATING`.
CACHED: Final = 1
#: The field Host.
HOST: Final = 2
#: The field Content-Length.
CONTENT_LENGTH: Final = 3
#: The field If-None-Match.
IF_NONE_MATCH: Final = 4
#: The field Connection.
CONNECTION: Final = 5
#: The field Content-Type, whose lines are cached unless they contain a boundary.
CONTENT_TYPE: Final = 6
#: The field Upgrade.
UPGRADE: Final = 7
#: Any other field that affects how the message is read, or a name that is not a token.
DECISIVE: Final = 8

_KINDS: Final = {
    **dict.fromkeys(REPEATING, CACHED),
    "host": HOST,
    "content-length": CONTENT_LENGTH,
    "if-none-match": IF_NONE_MATCH,
    "connection": CONNECTION,
    "content-type": CONTENT_TYPE,
    "upgrade": UPGRADE,
    **dict.fromkeys(("expect", "transfer-encoding"), DECISIVE),
}
_is_token = re.compile(rf"[{TCHAR}]++").fullmatch


class _FieldKindByName(dict[str, int]):
    """A cache from names, as spelled, to kinds."""

    def __missing__(self, name: str) -> int:
        if _is_token(name) is None:
            return DECISIVE
        kind = _KINDS.get(name.lower(), NOT_CACHED)
        if len(name) <= MAX_NAME_SIZE:
            if len(self) >= MAX_NAMES:
                self.clear()
            self[name] = kind
        return kind


#: ``kind_of[name]`` is the kind of a field.
kind_of: Final = _FieldKindByName()

#: The lines of the opening handshake of a WebSocket that are always cached, without their line ends.
HANDSHAKE: Final = frozenset(
    (
        "Connection: Upgrade",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Version: 13",
    )
)
#: A line that is not in `lines`, because the parser must find it, but in `known_lines`.
_UPGRADE: Final = "Upgrade: websocket"
#: The cached lines, without their line ends.
lines: Final[set[str]] = set(HANDSHAKE)
#: The cached lines of Host and their authority.
hosts: Final[dict[str, str]] = {}


def keep_line(line: str) -> None:
    """Cache a line, whose characters are all printable.

    :param line: a line of the kind `CACHED`, Content-Type without a boundary, or ``Connection: keep-alive``.
    """
    if len(line) <= MAX_LINE_SIZE:
        if len(lines) >= MAX_LINES:
            lines.clear()
            _forget_fields()
        lines.add(line)
        known_lines[line] = split_line(line)


def keep_host(line: str, authority: str) -> None:
    """Cache a line of Host and its valid authority."""
    if len(line) <= MAX_LINE_SIZE:
        if len(hosts) >= MAX_HOSTS:
            hosts.clear()
            _forget_fields()
        hosts[line] = authority
        known_lines[line] = split_line(line)


def _forget_fields() -> None:
    """Empty `known_lines`, whose size the sizes of both tables limit, and cache the constant lines again."""
    lines.update(HANDSHAKE)
    known_lines.clear()
    for line in (*HANDSHAKE, _UPGRADE):
        known_lines[line] = split_line(line)


_forget_fields()


def forget() -> None:
    """Empty all caches, for tests."""
    kind_of.clear()
    hosts.clear()
    lines.clear()
    _forget_fields()
