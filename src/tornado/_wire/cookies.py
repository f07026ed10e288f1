r"""Cookies: what a Cookie field brings, and what a Set-Cookie field may say (RFC 6265 section 4, and its
successor draft-ietf-httpbis-rfc6265bis, here "6265bis").

Reading is lenient, as browsers store and send whatever they were given: the field is cut at semicolons, and a
pair without a name is kept under the empty name. A value in double quotes is unquoted, with the escapes that
Python's ``http.cookies`` writes (``\073`` and ``\"``). The cost is linear in the field's size
(CVE-2024-52804), which the head's limit bounds.

Writing is strict: the name must be a token, and nothing may hold a control character or a semicolon, by which
a value could become an attribute (CVE-2026-35536). `broken_promise` tells what every current browser would
throw away without a word: a name with the prefix ``__Secure-`` or ``__Host-`` whose attributes break its
promise, and ``SameSite=None`` without ``Secure``; ``Partitioned`` without it is an error. Values are quoted,
and attributes ordered, as ``http.cookies`` does both, octet for octet, so that either side reads what the
other wrote.

A prefix says something about a cookie only to the browser that keeps it. In a request it proves nothing,
least of all over plain HTTP, and it is read like any other name.
"""

from __future__ import annotations

import http.cookies
import re
from collections.abc import Mapping

__all__ = [
    "InvalidCookie",
    "broken_promise",
    "check_attribute",
    "format_set_cookie",
    "has_prefix",
    "is_cookie_name",
    "parse_cookie",
    "quote_value",
    "unquote_value",
]

_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)
# A token's characters and the colon: what http.cookies takes in a name, and leaves unquoted in a value.
_PLAIN = re.compile(r"[!#$%&'*+\-.^_`|~:0-9A-Za-z]+")
# Names of attributes, which http.cookies refuses as names of cookies.
_RESERVED = frozenset(http.cookies.Morsel())
_TO_ESCAPE = re.compile(r'["\\,;]|[^\x20-\x7e]')
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f;]")
_BEYOND_LATIN_1 = re.compile(r"[^\x00-\xff]")

# RFC 6265 section 5.2 and 6265bis section 5.6: attribute keyword -> its usual spelling.
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
#: How to write other characters in an attribute.
_ENCODINGS = {
    "domain": "write the domain in its ASCII form: name.encode('idna').decode()",
    "path": "percent-encode the path with urllib.parse.quote()",
}
_SPELLINGS = {keyword: keyword for keyword in ATTRIBUTES} | {"max_age": "max-age"}
_FLAGS = frozenset(["secure", "httponly", "partitioned"])
_SAME_SITE = frozenset(["strict", "lax", "none"])

Attributes = Mapping[str, str | int | bool | None]


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
    if _PLAIN.fullmatch(value):
        return value
    return '"' + _TO_ESCAPE.sub(_escape, value) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in '"\\':
        return "\\" + char
    if char > "\xff":
        raise InvalidCookie(
            f"Invalid cookie value: it holds {char!r}, which is not a Latin-1 character; "
            "encode the value first, with tornado.escape.url_escape() for example"
        )
    return f"\\{ord(char):03o}"


def parse_cookie(cookie: str) -> dict[str, str]:
    """The pairs of a Cookie field by name, values unquoted; of a repeated name the last counts.

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
    """Whether a cookie may be called this: a token (colons welcome), and no attribute's name."""
    return _PLAIN.fullmatch(name) is not None and name.lower() not in _RESERVED


def has_prefix(name: str, prefix: str = "__") -> bool:
    """Whether a name begins with ``__Secure-`` or ``__Host-``, in any case, as browsers compare it.

    :arg prefix: ``__host-`` to ask for that one alone.

    >>> has_prefix("__HOST-id"), has_prefix("__Secure-id", "__host-"), has_prefix("__id")
    (True, False, False)
    """
    lowered = name[:9].lower()
    return lowered.startswith(prefix) and lowered.startswith(("__host-", "__secure-"))


def format_set_cookie(name: str, value: str, attributes: Attributes | None = None) -> str:
    """A Set-Cookie value.

    :arg name: a token; colons are welcome.
    :arg value: any latin-1 text; it is quoted where need be.
    :arg attributes: by keyword in any case (``max_age`` counts as ``max-age``), written in alphabetical
        order. ``Secure``, ``HttpOnly`` and ``Partitioned`` are written when true; of the others those that
        are None or empty are left out.
    :raises InvalidCookie: which is a `ValueError` and an ``http.cookies.CookieError``: on a bad name, an
        unknown attribute, a control character or a semicolon in an attribute's value, a SameSite that is no
        text, and Partitioned without Secure.

    >>> format_set_cookie("a", "b", {"path": "/", "max_age": 60, "secure": True})
    'a=b; Max-Age=60; Path=/; Secure'
    """
    if not is_cookie_name(name):
        raise InvalidCookie(
            f"Invalid cookie name {name!r}: a name is one or more letters, digits or !#$%&'*+-.^_`|~: "
            "and not the name of an attribute"
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
        raise InvalidCookie(f"Invalid cookie {name!r}: partitioned=True demands secure=True")
    same_site = given.get("samesite")
    if same_site and not isinstance(same_site, str):
        raise InvalidCookie(f"Invalid cookie attribute samesite: it is text, not {same_site!r}")
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
        raise InvalidCookie(
            f"Invalid cookie attribute {key}: there is none of that name; known are {', '.join(ATTRIBUTES)}"
        )
    return keyword


def broken_promise(name: str, attributes: Attributes) -> str | None:
    """Why browsers would throw a cookie away, or take an attribute of it for none: a word in it demands
    another one. None if nothing is wrong.

    :arg attributes: by keyword in lower case; ``secure``, ``domain``, ``path`` and ``samesite`` count.

    >>> broken_promise("a", {"samesite": "None"})
    "samesite='None' demands secure=True"
    """
    secure = attributes.get("secure")
    # 6265bis section 5.7: the prefixes are compared without regard to case.
    if name.startswith("__") and has_prefix(name):
        if not secure:
            return "its prefix demands secure=True"
        if has_prefix(name, "__host-"):
            if attributes.get("domain"):
                return "the prefix __Host- forbids a domain"
            if attributes.get("path") != "/":
                return f"the prefix __Host- demands path='/', not {attributes.get('path')!r}"
    same_site = attributes.get("samesite")
    if same_site:
        lowered = str(same_site).lower()
        if lowered not in _SAME_SITE:
            return f"samesite is 'Strict', 'Lax' or 'None', not {same_site!r}"
        # 6265bis section 5.7
        if lowered == "none" and not secure:
            return "samesite='None' demands secure=True"
    return None


def check_attribute(key: str, content: str) -> None:
    """Refuse an attribute's value that could be read as more than a value.

    :raises InvalidCookie: if it holds a control character or a semicolon (RFC 6265 section 4.1.1), or a
        character that a header field cannot carry.
    """
    if _FORBIDDEN.search(content):
        raise InvalidCookie(
            f"Invalid cookie attribute {key}: {content!r} holds a control character or semicolon"
        )
    if not content.isascii() and (found := _BEYOND_LATIN_1.search(content)) is not None:
        raise InvalidCookie(
            f"Invalid cookie attribute {key}: {content!r} holds {found[0]!r}, which is not a Latin-1 "
            f"character; {_ENCODINGS.get(key.lower(), 'use ASCII characters')}"
        )
