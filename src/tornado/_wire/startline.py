"""The first line of an HTTP/1 message, and the authority that a request is meant for.

Theory of operation
-------------------
A request in origin-form, which is nearly every one, is recognised by one regular expression over the head's
bytes (`match_origin_form`). Whatever that does not match goes to `parse_request_line`, which knows the other
three forms and which names the fault of a line that is none of them. Both are linear in the line's length: no
repetition in a pattern can give back what another one takes.

What is refused, and why:

* a method that is no token, more or other white space than one space between the parts, a control character
  or a space in the target: the message's end, or the resource meant, could be read in two ways;
* ``#`` in a target in absolute-form, which is a URI: readers disagree on whether it ends the authority, and a
  fragment is never sent;
* a major version other than 1: answered with 505 where it is written as a version at all;
* an authority with user information, with a port over 65535 or with brackets around what is no IPv6 address:
  each has been used to make a proxy and an origin see different hosts.

Accepted beyond the grammar of RFC 9112:

* octets from 0x80 up in targets and reasons: browsers and old servers send them unescaped. They are read as
  Latin-1, one character an octet, so that nothing is lost;
* a percent sign without two hexadecimal digits: browsers send it as it was typed (URL Standard, sections 4.1
  and 4.4). The target is passed on as it came; a decoder leaves such a sign as it is;
* ``#`` in a target in origin-form: it is a character of the path, or of the query if it comes after the first
  ``?``, as it is for Tornado. Only ``?`` divides such a target, so it cannot be misread.

A version 1.x with x above 1 is read as 1.1, the highest that is known here (RFC 9110 section 2.5).

Limits
------
The length of a line is bounded by the reader (`Limits.max_request_line`); a port has at most five digits.
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
# RFC 9110 section 5.5: what a field value or a reason phrase is made of, inner white space included.
FIELD_CHAR: Final = r"\t\x20-\x7e\x80-\xff"

# RFC 9112 section 3.2.1: origin-form = absolute-path [ "?" query ]. CONNECT has a form of its own.
_ORIGIN_FORM = rf"(?!CONNECT )([{TCHAR}]++) (/[^\x00-\x20\x7f]*+) (HTTP/1\.[01])\r?"
#: Matches a whole request line in origin-form, with or without its CR; groups: method, target, version.
match_origin_form = re.compile(_ORIGIN_FORM).fullmatch

# RFC 9112 section 3: request-line = method SP request-target SP HTTP-version
_REQUEST_LINE = re.compile(rf"([{TCHAR}]++) ([^\x00-\x20\x7f]++) (HTTP/[0-9]\.[0-9])")
# RFC 9112 section 3.2.2. Only the schemes that HTTP itself defines: what another one asks for is not ours to
# say.
_ABSOLUTE_FORM = r"([Hh][Tt][Tt][Pp][Ss]?)://([^/?#]*+)([^#]*+)"

# RFC 9110 section 7.2: Host = uri-host [ ":" port ]; RFC 3986 section 3.2.2: host = IP-literal / IPv4address
# / reg-name. A comma, though a sub-delim, is refused: it is what joins two Host lines into one.
_AUTHORITY = (
    r"(?:\[([0-9A-Fa-f:.]++)\]"
    r"|\[[Vv][0-9A-Fa-f]++\.[A-Za-z0-9\-._~!$&'()*+;=:]++\]"
    r"|([A-Za-z0-9\-._~!$&'()*+;=]*+(?:%[0-9A-Fa-f]{2}[A-Za-z0-9\-._~!$&'()*+;=]*+)*))"
    r"(?::([0-9]{0,5}+))?"
)

# Most of them look like this, and need no second look.
_PLAIN_AUTHORITY = re.compile(r"[A-Za-z0-9.\-]++(?::[0-9]{1,4}+)?")

# RFC 9112 section 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]. The second space is left
# out by many servers that have no reason to give.
_STATUS_LINE = rf"(HTTP/[0-9]\.[0-9]) ([1-9][0-9]{{2}})(?: ([{FIELD_CHAR}]*+))?"
_REASON = re.compile(rf"[{FIELD_CHAR}]*+")
_VERSION = re.compile(r"HTTP/[0-9]\.[0-9]")

# What a server rarely meets is compiled on first use, not at every program's start.
_compiled = functools.cache(re.compile)

_SUPPORTED = frozenset(["HTTP/1.0", "HTTP/1.1"])
_MAX_SHOWN = 100


class RequestLine(NamedTuple):
    """What a request line says.

    :ivar method: as sent, case included.
    :ivar target: path and query for the origin- and the absolute-form; ``*``; or the authority for CONNECT.
    :ivar raw_target: the target as sent.
    :ivar version: ``HTTP/1.0`` or ``HTTP/1.1``.
    :ivar authority: the authority named by the target itself, if any.
    """

    method: str
    target: str
    raw_target: str
    version: str
    authority: str | None


class StatusLine(NamedTuple):
    """What a status line says: version, three-digit code and a reason that may be empty."""

    version: str
    code: int
    reason: str


def shown(text: str) -> str:
    """Quote ``text`` for an error message, cut to a length that does no harm in a log."""
    return repr(text) if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]!r}... ({len(text)} characters)"


def parse_request_line(line: str) -> RequestLine:
    """Read a request line of any form.

    :param line: the line as Latin-1 text, without its end.
    :raises VersionNotSupported: for a major version other than 1.
    :raises HTTPInputError: for anything else that is refused; see the module's text.
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise HTTPInputError(f"Malformed HTTP request line {shown(line)}: expected METHOD target HTTP/1.1")
    method, raw, version = match.groups()
    version = _known_version(version)
    target, authority = _read_target(method, raw)
    return RequestLine(method, target, raw, version, authority)


def _read_target(method: str, raw: str) -> tuple[str, str | None]:
    """Tell the forms of RFC 9112 section 3.2 apart: the target to route by, and the authority it names."""
    if method == "CONNECT":
        # Section 3.2.3: authority-form = uri-host ":" port, and nothing else.
        check_authority(raw, "CONNECT target")
        if not raw.rpartition(":")[2].isdigit():
            raise HTTPInputError(f"A CONNECT target is host:port, got {shown(raw)}")
        return raw, raw
    if raw[0] == "/":
        return raw, None
    if raw == "*" and method == "OPTIONS":
        return raw, None
    match = _compiled(_ABSOLUTE_FORM).fullmatch(raw)
    if match is None:
        if "#" in raw:
            raise HTTPInputError(f"Fragment in the request target {shown(raw)}")
        raise HTTPInputError(f"The request target {shown(raw)} of {shown(method)} has none of HTTP's forms")
    authority, rest = match.group(2, 3)
    if authority == "":
        # RFC 9110 section 4.2.1
        raise HTTPInputError(f"The request target {shown(raw)} names no host")
    check_authority(authority, "request target")
    if rest == "" and method == "OPTIONS":
        # RFC 9112 section 3.2.4: this is how a client asks a proxy for the server-wide OPTIONS.
        return "*", authority
    return rest if rest[:1] == "/" else "/" + rest, authority


def _known_version(version: str) -> str:
    """The version to read and answer a message by.

    :raises VersionNotSupported: for a major version other than 1.
    """
    if version in _SUPPORTED:
        return version
    if version.startswith("HTTP/1."):
        # RFC 9110 section 2.5: as if it were the highest minor version that the recipient conforms to.
        return "HTTP/1.1"
    raise VersionNotSupported(
        f"Unexpected HTTP version {shown(version)}: only HTTP/1.0 and 1.1 are supported"
    )


def check_authority(text: str, what: str = "Host header") -> None:
    """Check ``host`` or ``host:port`` as RFC 9110 section 7.2 writes it; an empty one is allowed.

    :param text: the field value or the part of a target, without white space around it.
    :param what: how to name it in the error.
    :raises HTTPInputError: if it is not valid.
    """
    if _PLAIN_AUTHORITY.fullmatch(text) is not None:
        return
    match = _compiled(_AUTHORITY).fullmatch(text)
    if match is None:
        raise HTTPInputError(f"Invalid {what}: {shown(text)}")
    address, name, port = match.groups()
    if port is not None:
        if name == "" or (port and int(port) > 65535):
            raise HTTPInputError(
                f"Invalid {what}: {shown(text)}: expected host:port, a port being at most 65535"
            )
    if address is not None:
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            raise HTTPInputError(f"Invalid {what}: {shown(text)}: no IPv6 address in the brackets") from None


def parse_status_line(line: str) -> StatusLine:
    """Read a status line.

    :param line: the line as Latin-1 text, without its end.
    :raises VersionNotSupported: for a version other than 1.0 and 1.1.
    :raises HTTPInputError: for anything else that RFC 9112 section 4 does not allow.
    """
    match = _compiled(_STATUS_LINE).fullmatch(line)
    if match is None:
        raise HTTPInputError(f"Malformed HTTP status line {shown(line)}: expected HTTP/1.1 200 reason")
    version, code, reason = match.groups()
    return StatusLine(_known_version(version), int(code), reason or "")


@functools.lru_cache(maxsize=256)
def status_line(version: str, code: int, reason: str) -> bytes:
    """Write a status line, its end included; what was asked for lately is kept.

    :param version: such as ``"HTTP/1.1"``.
    :param code: three digits.
    :param reason: may be empty; Latin-1 without control characters.
    :raises HTTPOutputError: if one of them cannot be sent (CVE-2025-67724: a reason must not end the line).

    >>> status_line("HTTP/1.1", 200, "OK")
    b'HTTP/1.1 200 OK\\r\\n'
    """
    if _VERSION.fullmatch(version) is None:
        raise HTTPOutputError(f"an HTTP version is written like HTTP/1.1, got {version!r}")
    if not 100 <= code <= 999:
        raise HTTPOutputError(f"a status code has three digits, got {code!r}")
    if _REASON.fullmatch(reason) is None:
        raise HTTPOutputError(f"control or non-Latin-1 character in the reason phrase {shown(reason)}")
    return f"{version} {code} {reason}\r\n".encode("latin-1")
