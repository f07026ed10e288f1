"""The start line of an HTTP/1 message, and the authority of a request.

Theory of operation
-------------------
Nearly every request line is in origin-form. One regular expression recognizes it (`match_origin_form`).
`parse_request_line` handles every other line: it parses the other three forms, and reports the fault of a
malformed line. Both take linear time, because the repetitions in the patterns are possessive and disjoint.

The following input is rejected:

* a method that is not a token, anything but one space between the parts, a control character or a space in
  the target: two recipients could disagree about the end of the message or about the resource;
* ``#`` in a target in absolute-form: parsers of URIs disagree about whether it ends the authority, and a
  client never sends a fragment;
* a major version other than 1, with 505 if it has the form of a version;
* an authority with user information, with a port above 65535, or with something other than an IPv6 address in
  brackets: each has been used to make a proxy and an origin server see different hosts.

The following input is accepted although the grammar of RFC 9112 does not permit it:

* bytes from 0x80 in targets and reason phrases, because browsers and old servers send them unescaped. They
  are decoded as Latin-1, which is lossless;
* a percent sign without two hexadecimal digits, because browsers send it as typed (URL Standard, sections 4.1
  and 4.4). The target is passed on unchanged, and decoders leave such a sign unchanged;
* ``#`` in a target in origin-form: it is part of the path, or of the query after the first ``?``, as in
  Tornado. Only ``?`` divides such a target, so it is unambiguous.

A minor version above 1 is treated as 1.1, the highest version supported (RFC 9110 section 2.5).

Limits
------
The reader bounds the length of a line (`Limits.max_request_line`); a port has at most five digits.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Final, NamedTuple

from tornado._wire.errors import HTTPInputError, HTTPOutputError, VersionNotSupported

__all__ = [
    "RequestLine",
    "StatusLine",
    "check_authority",
    "match_origin_form",
    "parse_request_line",
    "parse_status_line",
    "shown",
    "status_line",
]

# RFC 9110 section 5.6.2: the characters of a token, for use inside a character class.
TCHAR: Final = r"!#$%&'*+\-.^_`|~0-9A-Za-z"
# RFC 9110 section 5.5: the characters of a field value or a reason phrase, including inner whitespace.
FIELD_CHAR: Final = r"\t\x20-\x7e\x80-\xff"

# RFC 9112 section 3.2.1: origin-form = absolute-path [ "?" query ]. CONNECT requires authority-form.
_ORIGIN_FORM = rf"(?!CONNECT )([{TCHAR}]++) (/[^\x00-\x20\x7f]*+) (HTTP/1\.[01])\r?"
#: Match a whole request line in origin-form, with or without its CR; groups: method, target, version.
match_origin_form = re.compile(_ORIGIN_FORM).fullmatch

# RFC 9112 section 3: request-line = method SP request-target SP HTTP-version
_REQUEST_LINE = re.compile(rf"([{TCHAR}]++) ([^\x00-\x20\x7f]++) (HTTP/[0-9]\.[0-9])")
# RFC 9112 section 3.2.2. The pattern matches only the schemes that HTTP defines, because targets with other
# schemes have no meaning here.
_ABSOLUTE_FORM = r"([Hh][Tt][Tt][Pp][Ss]?)://([^/?#]*+)([^#]*+)"

# RFC 9110 section 7.2: Host = uri-host [ ":" port ]; RFC 3986 section 3.2.2: host = IP-literal / IPv4address
# / reg-name. A comma is rejected although it is a sub-delim, because a proxy may join two Host lines with
# a comma.
_AUTHORITY = (
    r"(?:\[([0-9A-Fa-f:.]++)\]"
    r"|\[[Vv][0-9A-Fa-f]++\.[A-Za-z0-9\-._~!$&'()*+;=:]++\]"
    r"|([A-Za-z0-9\-._~!$&'()*+;=]*+(?:%[0-9A-Fa-f]{2}[A-Za-z0-9\-._~!$&'()*+;=]*+)*))"
    r"(?::([0-9]{0,5}+))?"
)

# This pattern matches most authorities. A match needs no further check.
_PLAIN_AUTHORITY = re.compile(r"[A-Za-z0-9.\-]++(?::[0-9]{1,4}+)?")

# RFC 9112 section 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]. Many servers omit the
# second space if the reason phrase is empty.
_STATUS_LINE = rf"(HTTP/[0-9]\.[0-9]) ([1-9][0-9]{{2}})(?: ([{FIELD_CHAR}]*+))?"
_REASON = re.compile(rf"[{FIELD_CHAR}]*+")
_VERSION = re.compile(r"HTTP/[0-9]\.[0-9]")

# Rarely needed patterns are compiled on first use rather than at import.
_compiled = functools.cache(re.compile)

_SUPPORTED = frozenset(["HTTP/1.0", "HTTP/1.1"])
_MAX_SHOWN = 100


class RequestLine(NamedTuple):
    """A parsed request line.

    :ivar method: the method as sent, including its case.
    :ivar target: path and query, for origin-form and absolute-form; ``*``; or the authority for CONNECT.
    :ivar raw_target: the target as sent.
    :ivar version: ``HTTP/1.0`` or ``HTTP/1.1``.
    :ivar authority: the authority in the target, or None.
    """

    method: str
    target: str
    raw_target: str
    version: str
    authority: str | None


class StatusLine(NamedTuple):
    """A parsed status line: version, three-digit status code, and a reason phrase that may be empty."""

    version: str
    code: int
    reason: str


def shown(text: str) -> str:
    """Quote ``text`` for an error message, truncated to `_MAX_SHOWN` characters."""
    return repr(text) if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]!r}... ({len(text)} characters)"


def parse_request_line(line: str) -> RequestLine:
    """Parse a request line of any form.

    :param line: the line as Latin-1 text, without its line end.
    :raises VersionNotSupported: for a major version other than 1.
    :raises HTTPInputError: if the line is malformed; see the module docstring.
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise HTTPInputError(f"Malformed HTTP request line {shown(line)}: expected METHOD target HTTP/1.1")
    method, raw, version = match.groups()
    version = _known_version(version)
    target, authority = _read_target(method, raw)
    return RequestLine(method, target, raw, version, authority)


def _read_target(method: str, raw: str) -> tuple[str, str | None]:
    """Return the target to route and the authority in it, for a target of any form (RFC 9112 section 3.2)."""
    if method == "CONNECT":
        # Section 3.2.3: authority-form = uri-host ":" port, and nothing else.
        check_authority(raw, "CONNECT target")
        if not raw.rpartition(":")[2].isdigit():
            raise HTTPInputError(f"expected host:port as the target of CONNECT, got {shown(raw)}")
        return raw, raw
    if raw[0] == "/":
        return raw, None
    if raw == "*" and method == "OPTIONS":
        return raw, None
    match = _compiled(_ABSOLUTE_FORM).fullmatch(raw)
    if match is None:
        if "#" in raw:
            raise HTTPInputError(f"Fragment in the request target {shown(raw)}")
        raise HTTPInputError(
            f"Invalid request target {shown(raw)} of {shown(method)}: "
            "expected a path, an absolute URL, or * for OPTIONS"
        )
    authority, rest = match.group(2, 3)
    if authority == "":
        # RFC 9110 section 4.2.1
        raise HTTPInputError(f"The request target {shown(raw)} has no host")
    check_authority(authority, "request target")
    if rest == "" and method == "OPTIONS":
        # RFC 9112 section 3.2.4: the form of a server-wide OPTIONS request to a proxy.
        return "*", authority
    return rest if rest[:1] == "/" else "/" + rest, authority


def _known_version(version: str) -> str:
    """Return the version by whose rules a message is processed.

    :raises VersionNotSupported: for a major version other than 1.
    """
    if version in _SUPPORTED:
        return version
    if version.startswith("HTTP/1."):
        # RFC 9110 section 2.5: process the message as the highest minor version that the recipient conforms
        # to.
        return "HTTP/1.1"
    raise VersionNotSupported(
        f"Unexpected HTTP version {shown(version)}: only HTTP/1.0 and 1.1 are supported"
    )


def check_authority(text: str, what: str = "Host header") -> None:
    """Check that text is empty, ``host`` or ``host:port`` (RFC 9110 section 7.2).

    :param text: a field value or a part of a target, without surrounding whitespace.
    :param what: the name of the text in the error message.
    :raises HTTPInputError: if the text is invalid.
    """
    if _PLAIN_AUTHORITY.fullmatch(text) is not None:
        return
    match = _compiled(_AUTHORITY).fullmatch(text)
    if match is None:
        raise HTTPInputError(f"Invalid {what}: {shown(text)}: expected host or host:port")
    address, name, port = match.groups()
    if port is not None:
        if name == "" or (port and int(port) > 65535):
            raise HTTPInputError(
                f"Invalid {what}: {shown(text)}: expected host:port with a port of at most 65535"
            )
    if address is not None:
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            raise HTTPInputError(
                f"Invalid {what}: {shown(text)}: expected an IPv6 address in brackets"
            ) from None


def parse_status_line(line: str) -> StatusLine:
    """Parse a status line.

    :param line: the line as Latin-1 text, without its line end.
    :raises VersionNotSupported: for a major version other than 1.
    :raises HTTPInputError: if the line is malformed (RFC 9112 section 4).
    """
    match = _compiled(_STATUS_LINE).fullmatch(line)
    if match is None:
        raise HTTPInputError(f"Malformed HTTP status line {shown(line)}: expected HTTP/1.1 200 reason")
    version, code, reason = match.groups()
    return StatusLine(_known_version(version), int(code), reason or "")


@functools.lru_cache(maxsize=256)
def status_line(version: str, code: int, reason: str) -> bytes:
    """Serialize a status line, including its line end. Recent results are cached.

    :param version: such as ``"HTTP/1.1"``.
    :param code: the status code, three digits.
    :param reason: the reason phrase; Latin-1 without control characters, possibly empty.
    :raises HTTPOutputError: if an argument is invalid. A reason phrase that contains a line end is such an
        argument (CVE-2025-67724).

    >>> status_line("HTTP/1.1", 200, "OK")
    b'HTTP/1.1 200 OK\\r\\n'
    """
    if _VERSION.fullmatch(version) is None:
        raise HTTPOutputError(f"expected an HTTP version such as HTTP/1.1, got {version!r}")
    if not 100 <= code <= 999:
        raise HTTPOutputError(f"expected a status code of three digits, got {code!r}")
    if _REASON.fullmatch(reason) is None:
        raise HTTPOutputError(f"control or non-Latin-1 character in the reason phrase {shown(reason)}")
    return f"{version} {code} {reason}\r\n".encode("latin-1")
