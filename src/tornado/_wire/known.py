"""Field lines of requests that were seen before and need no second check.

Theory of operation
-------------------
Two requests of one client have most field lines in common, but seldom all of them: the cookie changes, or a
proxy adds a number and an address. So lines are kept one by one, and only those of fields that repeat by
their nature and identify neither a user nor a request (`REPEATING`): the client's name, its preferences, the
host. A cookie, a token, an address, a request's number or a path is never kept, nor is any line of a field
that is not in the list.

A known line is well formed and has no effect on how an HTTP/1.1 message is read. ``Connection: keep-alive``
is such a line there (RFC 9112 section 9.3), but not in HTTP/1.0; heads of that version are read without this
module. Lines of Host are kept apart, with the authority that they name, because a request has exactly one.

`kind_of` tells by its name, as spelled, what a field means to the reader. Names are kept: they are not
secret.

Limits
------
`MAX_LINES` lines and `MAX_HOSTS` lines of Host, of at most `MAX_LINE_SIZE` characters each; `MAX_NAMES` names
of at most `MAX_NAME_SIZE` characters. A full table is emptied.
"""

from __future__ import annotations

import re
from typing import Final

from tornado._wire.startline import TCHAR

__all__ = [
    "CONDITION",
    "CONNECTION",
    "DECISIVE",
    "HOST",
    "LENGTH",
    "MAX_HOSTS",
    "MAX_LINES",
    "MAX_LINE_SIZE",
    "MAX_NAMES",
    "MAX_NAME_SIZE",
    "MUTE",
    "REPEATING",
    "STEADY",
    "TYPE",
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

#: Fields that are the same in each request of a client and do not identify it; in lower case.
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

#: A field that means nothing to the reader, and whose lines are not kept.
MUTE: Final = 0
#: A field that means nothing to the reader, and whose lines are kept: see `REPEATING`.
STEADY: Final = 1
#: Host.
HOST: Final = 2
#: Content-Length.
LENGTH: Final = 3
#: If-None-Match.
CONDITION: Final = 4
#: Connection.
CONNECTION: Final = 5
#: Content-Type, which repeats unless it names a boundary.
TYPE: Final = 6
#: Any other field that decides how the message is read, or a name that is not a token.
DECISIVE: Final = 7

_KINDS: Final = {
    **dict.fromkeys(REPEATING, STEADY),
    "host": HOST,
    "content-length": LENGTH,
    "if-none-match": CONDITION,
    "connection": CONNECTION,
    "content-type": TYPE,
    **dict.fromkeys(("expect", "transfer-encoding", "upgrade"), DECISIVE),
}
_is_token = re.compile(rf"[{TCHAR}]++").fullmatch


class _Kinds(dict[str, int]):
    """Names, as spelled -> kinds."""

    def __missing__(self, name: str) -> int:
        if _is_token(name) is None:
            return DECISIVE
        kind = _KINDS.get(name.lower(), MUTE)
        if len(name) <= MAX_NAME_SIZE:
            if len(self) >= MAX_NAMES:
                self.clear()
            self[name] = kind
        return kind


#: ``kind_of[name]`` is the kind of a field.
kind_of: Final = _Kinds()

#: The known lines, without their ends.
lines: Final[set[str]] = set()
#: Known lines of Host -> the authority.
hosts: Final[dict[str, str]] = {}


def keep_line(line: str) -> None:
    """Keep a line of the kind `STEADY`, of a Content-Type without a boundary, or of Connection that says
    keep-alive; all of its characters are printable.
    """
    if len(line) <= MAX_LINE_SIZE:
        if len(lines) >= MAX_LINES:
            lines.clear()
        lines.add(line)


def keep_host(line: str, authority: str) -> None:
    """Keep a line of Host, which names a valid authority."""
    if len(line) <= MAX_LINE_SIZE:
        if len(hosts) >= MAX_HOSTS:
            hosts.clear()
        hosts[line] = authority


def forget() -> None:
    """Empty all tables, for tests."""
    kind_of.clear()
    hosts.clear()
    lines.clear()
