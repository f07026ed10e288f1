r"""Cookies: what a Cookie field brings, and what a Set-Cookie field may say (RFC 6265 section 4).

Reading is lenient, as browsers store and send whatever they were given: the field is cut at semicolons, and a
pair without a name is kept under the empty name. A value in double quotes is unquoted, with the escapes that
Python's ``http.cookies`` writes (``\073`` and ``\"``). The cost is linear in the field's size
(CVE-2024-52804), which the head's limit bounds.

Writing is strict: the name must be a token, and nothing may hold a control character or a semicolon, by which
a value could become an attribute (CVE-2026-35536). Values that need it are quoted as ``http.cookies`` quotes
them, so that either side reads what the other wrote.
"""

from __future__ import annotations

import http.cookies
import re
from collections.abc import Mapping

from tornado._wire.headers import is_token

__all__ = ["InvalidCookie", "format_set_cookie", "parse_cookie", "quote_value", "unquote_value"]

_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)
# The characters that http.cookies leaves unquoted: those of a token, and a few that no browser minds.
_PLAIN_VALUE = re.compile(r"[!#$%&'*+\-./:<=>?@^_`|~0-9A-Za-z\[\](){}]*")
_TO_ESCAPE = re.compile(r'["\\,;]|[^\x20-\x7e]')
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f;]")

# RFC 6265 section 5.2 and draft-ietf-httpbis-rfc6265bis: attribute keyword -> its usual spelling.
ATTRIBUTES = {
    "expires": "expires",
    "path": "Path",
    "comment": "Comment",
    "domain": "Domain",
    "max-age": "Max-Age",
    "secure": "Secure",
    "httponly": "HttpOnly",
    "version": "Version",
    "samesite": "SameSite",
    "partitioned": "Partitioned",
    "priority": "Priority",
}
_FLAGS = frozenset(["secure", "httponly", "partitioned"])


class InvalidCookie(http.cookies.CookieError, ValueError):
    """The name, the value or an attribute of a cookie that this program sets cannot be sent."""


def _unescape(match: re.Match[str]) -> str:
    octal: str | None = match[1]
    return chr(int(octal, 8)) if octal else match[2]


def unquote_value(value: str) -> str:
    r"""The content of a quoted cookie value; other text as it is.

    >>> unquote_value('"a\\073b"')
    'a;b'
    """
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    value = value[1:-1]
    return _ESCAPE.sub(_unescape, value) if "\\" in value else value


def quote_value(value: str) -> str:
    r"""A cookie value as it is sent: in double quotes where it has anything but plain characters.

    >>> quote_value("a;b")
    '"a\\073b"'

    :raises InvalidCookie: if it has a character beyond latin-1.
    """
    if _PLAIN_VALUE.fullmatch(value):
        return value
    return '"' + _TO_ESCAPE.sub(_escape, value) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in '"\\':
        return "\\" + char
    if char > "\xff":
        raise InvalidCookie(
            f"cookie value has a character beyond latin-1, {char!r}; encode it first, as url_escape does"
        )
    return f"\\{ord(char):03o}"


def parse_cookie(cookie: str) -> dict[str, str]:
    """The pairs of a Cookie field by name, values unquoted; of a repeated name the last counts.

    >>> parse_cookie('a=b; c="d e"; f')
    {'a': 'b', 'c': 'd e', '': 'f'}
    """
    found: dict[str, str] = {}
    for pair in cookie.split(";"):
        name, equals, value = pair.partition("=")
        if not equals:
            name, value = "", name
        name, value = name.strip(), value.strip()
        if name or value:
            found[name] = unquote_value(value)
    return found


def format_set_cookie(
    name: str, value: str, attributes: Mapping[str, str | int | bool | None] | None = None
) -> str:
    """A Set-Cookie value.

    :arg name: a token.
    :arg value: any latin-1 text; it is quoted where need be.
    :arg attributes: by keyword in any case (``max_age`` counts as ``max-age``), written in the order given.
        ``Secure``, ``HttpOnly`` and ``Partitioned`` are written when true; of the others those that are None
        or empty are left out.
    :raises InvalidCookie: which is a `ValueError` and an ``http.cookies.CookieError``: on a bad name, an
        unknown attribute, or a control character or a semicolon in an attribute's value.

    >>> format_set_cookie("a", "b", {"path": "/", "max_age": 60, "secure": True})
    'a=b; Path=/; Max-Age=60; Secure'
    """
    if not is_token(name):
        raise InvalidCookie(
            f"invalid cookie name {name!r}: a name is one or more letters, digits or !#$%&'*+-.^_`|~"
        )
    parts = [f"{name}={quote_value(value)}"]
    for key, content in (attributes or {}).items():
        keyword = key.lower().replace("_", "-")
        spelling = ATTRIBUTES.get(keyword)
        if spelling is None:
            raise InvalidCookie(f"unknown cookie attribute {key!r}; known are {', '.join(ATTRIBUTES)}")
        if keyword in _FLAGS:
            if content:
                parts.append(spelling)
        elif content is not None and content != "":
            check_attribute(key, str(content))
            parts.append(f"{spelling}={content}")
    return "; ".join(parts)


def check_attribute(key: str, content: str) -> None:
    """Refuse an attribute's value that could be read as more than a value.

    :raises InvalidCookie: if it holds a control character or a semicolon (RFC 6265 section 4.1.1).
    """
    if _FORBIDDEN.search(content):
        raise InvalidCookie(
            f"invalid cookie attribute {key}={content!r}: control characters and ';' are not allowed"
        )
