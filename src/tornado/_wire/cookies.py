r"""Cookies: parsing Cookie and serializing Set-Cookie (RFC 6265 section 4, and its successor
draft-ietf-httpbis-rfc6265bis, "6265bis" below).

Parsing is lenient, because browsers store and send any cookie that a server has set: the field is split at
semicolons, and a pair without a name has an empty name. A value in double quotes is unquoted, with the
escapes that Python's ``http.cookies`` writes (``\073`` and ``\"``). The cost is linear in the size of the
field (CVE-2024-52804), which cannot exceed the limit on the size of the head.

Serializing is strict: the name must be a token, and an attribute must not contain a control character or a
semicolon, which could begin another attribute (CVE-2026-35536). In the value, such characters are escaped.
`rejection_reason` finds cookies that every current browser would silently reject: a name with the prefix
``__Secure-`` or ``__Host-`` without the attributes that the prefix requires, and ``SameSite=None`` without
``Secure``. ``Partitioned`` without ``Secure`` is an error. Values are quoted, and attributes ordered, exactly
as in ``http.cookies``, so ``http.cookies`` and this module can read each other's cookies.

A prefix constrains a cookie only in the browser that stores it. In a request, a prefix does not prove that
the cookie met the requirements of the prefix, especially over plain HTTP, so such a name is parsed like any
other name.
"""

from __future__ import annotations

import http.cookies
import re
from collections.abc import Mapping

__all__ = [
    "InvalidCookie",
    "check_attribute",
    "format_set_cookie",
    "has_prefix",
    "is_cookie_name",
    "parse_cookie",
    "quote_value",
    "rejection_reason",
    "unquote_value",
]

_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)
# The characters of a token and the colon, which http.cookies permits in names and does not quote in values.
_PLAIN = re.compile(r"[!#$%&'*+\-.^_`|~:0-9A-Za-z]+")
# The names of attributes, which http.cookies rejects as names of cookies.
_RESERVED = frozenset(http.cookies.Morsel())
_TO_ESCAPE = re.compile(r'["\\,;]|[^\x20-\x7e]')
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f;]")
_BEYOND_LATIN_1 = re.compile(r"[^\x00-\xff]")

# RFC 6265 section 5.2 and 6265bis section 5.6: attribute names and their usual spelling.
ATTRIBUTES = {
    "comment": "Comment",
    "domain": "Domain",
    "expires": "expires",
    "httponly": "HttpOnly",
    "max-age": "Max-Age",
    "partitioned": "Partitioned",
    "path": "Path",
    "priority": "Priority",
    "samesite": "SameSite",
    "secure": "Secure",
    "version": "Version",
}
#: How to encode non-ASCII characters in an attribute.
_ENCODINGS = {
    "domain": "write the domain in its ASCII form: name.encode('idna').decode()",
    "path": "percent-encode the path with urllib.parse.quote()",
}
_SPELLINGS = {keyword: keyword for keyword in ATTRIBUTES} | {"max_age": "max-age"}
_FLAGS = frozenset(["secure", "httponly", "partitioned"])
_SAME_SITE = frozenset(["strict", "lax", "none"])

Attributes = Mapping[str, str | int | bool | None]


class InvalidCookie(http.cookies.CookieError, ValueError):
    """The name, the value or an attribute of a cookie to be set is invalid."""


def _unescape(match: re.Match[str]) -> str:
    octal: str | None = match[1]
    return chr(int(octal, 8)) if octal else match[2]


def unquote_value(value: str) -> str:
    r"""Return the content of a quoted cookie value, or any other text unchanged.

    >>> unquote_value('"a\\073b"')
    'a;b'
    """
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    value = value[1:-1]
    return _ESCAPE.sub(_unescape, value) if "\\" in value else value


def quote_value(value: str) -> str:
    r"""Return a cookie value, in double quotes if it contains anything but plain characters.

    >>> quote_value("a;b")
    '"a\\073b"'

    :raises InvalidCookie: if it contains a character outside Latin-1.
    """
    if _PLAIN.fullmatch(value):
        return value
    return '"' + _TO_ESCAPE.sub(_escape, value) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in '"\\':
        return "\\" + char
    if char > "\xff":
        raise InvalidCookie(
            f"Invalid cookie value: it contains {char!r}, which is not a Latin-1 character; "
            "encode the value first, for example with tornado.escape.url_escape()"
        )
    return f"\\{ord(char):03o}"


def parse_cookie(cookie: str) -> dict[str, str]:
    """Return the unquoted values of a Cookie field by name; the last value of a repeated name wins.

    >>> parse_cookie('a=b; c="d e"; f')
    {'a': 'b', 'c': 'd e', '': 'f'}
    """
    found: dict[str, str] = {}
    for pair in cookie.split(";"):
        if not pair:
            continue
        name, equals, value = pair.partition("=")
        if not equals:
            name, value = "", name
        name, value = name.strip(), value.strip()
        if value[:1] == '"':
            value = unquote_value(value)
            found[name] = value
        elif name or value:
            found[name] = value
    return found


def is_cookie_name(name: str) -> bool:
    """Return whether a name is valid: a token, possibly with colons, that is not the name of an attribute."""
    return _PLAIN.fullmatch(name) is not None and name.lower() not in _RESERVED


def has_prefix(name: str, prefix: str = "__") -> bool:
    """Return whether a name begins with ``__Secure-`` or ``__Host-``, compared without regard to case as in
    browsers.

    :param prefix: ``__host-`` to test only for that prefix.

    >>> has_prefix("__HOST-id"), has_prefix("__Secure-id", "__host-"), has_prefix("__id")
    (True, False, False)
    """
    lowered = name[:9].lower()
    return lowered.startswith(prefix) and lowered.startswith(("__host-", "__secure-"))


def format_set_cookie(name: str, value: str, attributes: Attributes | None = None) -> str:
    """Return the value of a Set-Cookie field.

    :param name: a token, in which colons are permitted.
    :param value: any Latin-1 text, quoted if necessary.
    :param attributes: values by name, in any case (``max_age`` means ``max-age``), written in alphabetical
        order. ``Secure``, ``HttpOnly`` and ``Partitioned`` are written if true, the other attributes unless
        they are None or empty.
    :raises InvalidCookie: a `ValueError` and an ``http.cookies.CookieError``, for an invalid name, an unknown
        attribute, a control character or a semicolon in an attribute, a SameSite that is not a str, and
        Partitioned without Secure.

    >>> format_set_cookie("a", "b", {"path": "/", "max_age": 60, "secure": True})
    'a=b; Max-Age=60; Path=/; Secure'
    """
    if not is_cookie_name(name):
        raise InvalidCookie(
            f"Invalid cookie name {name!r}: expected one or more letters, digits or !#$%&'*+-.^_`|~: "
            "that are not the name of an attribute"
        )
    try:
        line = f"{name}={quote_value(value)}"
    except InvalidCookie as error:
        raise InvalidCookie(f"{error} (cookie {name!r})") from None
    if not attributes:
        return line
    given = {_SPELLINGS.get(key) or _keyword(key): content for key, content in attributes.items()}
    # draft-cutler-httpbis-partitioned-cookies section 2.1
    if given.get("partitioned") and not given.get("secure"):
        raise InvalidCookie(f"Invalid cookie {name!r}: partitioned=True requires secure=True")
    same_site = given.get("samesite")
    if same_site and not isinstance(same_site, str):
        raise InvalidCookie(f"Invalid cookie attribute samesite: expected a str, got {same_site!r}")
    for keyword in sorted(given):
        content = given[keyword]
        if keyword in _FLAGS:
            if content:
                line += "; " + ATTRIBUTES[keyword]
        elif content is not None and content != "":
            text = str(content)
            check_attribute(keyword, text)
            line += f"; {ATTRIBUTES[keyword]}={text}"
    return line


def _keyword(key: str) -> str:
    keyword = key.lower().replace("_", "-")
    if keyword not in ATTRIBUTES:
        raise InvalidCookie(f"Invalid cookie attribute {key}: expected one of {', '.join(ATTRIBUTES)}")
    return keyword


def rejection_reason(name: str, attributes: Attributes) -> str | None:
    """Return why browsers would reject a cookie or ignore one of its attributes, or None if they would not.

    :param attributes: values by name in lower case; ``secure``, ``domain``, ``path`` and ``samesite`` matter.

    >>> rejection_reason("a", {"samesite": "None"})
    "samesite='None' requires secure=True"
    """
    secure = attributes.get("secure")
    # 6265bis section 5.7: the prefixes are compared without regard to case.
    if name.startswith("__") and has_prefix(name):
        if not secure:
            return "its prefix requires secure=True"
        if has_prefix(name, "__host-"):
            if attributes.get("domain"):
                return "the prefix __Host- forbids a domain"
            if attributes.get("path") != "/":
                return f"the prefix __Host- requires path='/', not {attributes.get('path')!r}"
    same_site = attributes.get("samesite")
    if same_site:
        lowered = str(same_site).lower()
        if lowered not in _SAME_SITE:
            return f"samesite must be 'Strict', 'Lax' or 'None', not {same_site!r}"
        # 6265bis section 5.7
        if lowered == "none" and not secure:
            return "samesite='None' requires secure=True"
    return None


def check_attribute(key: str, content: str) -> None:
    """Reject an attribute value that contains characters that must not be sent.

    :raises InvalidCookie: if it contains a control character or a semicolon (RFC 6265 section 4.1.1), or a
        character outside Latin-1.
    """
    if _FORBIDDEN.search(content):
        raise InvalidCookie(
            f"Invalid cookie attribute {key}: {content!r} contains a control character or semicolon"
        )
    if not content.isascii() and (found := _BEYOND_LATIN_1.search(content)) is not None:
        raise InvalidCookie(
            f"Invalid cookie attribute {key}: {content!r} contains {found[0]!r}, which is not a Latin-1 "
            f"character; {_ENCODINGS.get(key.lower(), 'use ASCII characters')}"
        )
