"""Start lines: the first line of a request or response, as text."""

from __future__ import annotations

import re
from typing import NamedTuple

from tornado._wire.errors import HTTPInputError
from tornado._wire.start_line import FIELD_CHAR, TCHAR


class RequestStartLine(NamedTuple):
    """The first line of a request."""

    #: The method as sent; methods are case-sensitive.
    method: str
    #: The request target, including the query.
    path: str
    #: ``HTTP/1.1``
    version: str


class ResponseStartLine(NamedTuple):
    """The first line of a response."""

    #: ``HTTP/1.1``
    version: str
    #: The status code.
    code: int
    #: The reason phrase; None if the parsed line has none. To send a line without one, use an empty string.
    reason: str


class _ABNF:
    """Compiled grammar rules with their names in the RFCs, for ``fullmatch`` on Latin-1 text."""

    # RFC 9110 section 5.6.2
    token = re.compile(rf"[{TCHAR}]+")
    # RFC 9110 sections 5.1 and 5.5
    field_name = token
    field_value = re.compile(rf"(?:[\x21-\x7e\x80-\xff](?:[{FIELD_CHAR}]*[\x21-\x7e\x80-\xff])?)?")
    # RFC 9112 section 3
    method = token
    request_target = re.compile(r"[\x21-\x7e\x80-\xff]+")  # browsers send non-ASCII bytes
    http_version = re.compile(r"HTTP/[0-9]\.[0-9]")
    request_line = re.compile(rf"({method.pattern}) ({request_target.pattern}) ({http_version.pattern})")
    # RFC 9112 section 4
    reason_phrase = re.compile(rf"[{FIELD_CHAR}]+")
    status_code = re.compile(r"[0-9]{3}")
    status_line = re.compile(rf"({http_version.pattern}) ({status_code.pattern}) ({reason_phrase.pattern})?")


def _checked_version(version: str) -> str:
    if not version.startswith("HTTP/1."):
        raise HTTPInputError(f"unexpected HTTP version {version!r}: expected HTTP/1.x")
    return version


def parse_request_start_line(line: str) -> RequestStartLine:
    """Parse the first line of a request, without its line break.

    :raises HTTPInputError: if it does not have the form ``method SP target SP HTTP/1.x`` (RFC 9112 section
        3).

    >>> parse_request_start_line("DELETE /item/5 HTTP/1.0").method
    'DELETE'
    """
    match = _ABNF.request_line.fullmatch(line)
    if match is None:
        raise HTTPInputError(f"malformed HTTP request line {line!r:.100}: expected 'METHOD target HTTP/1.1'")
    method, target, version = match.groups()
    return RequestStartLine(method, target, _checked_version(version))


def parse_response_start_line(line: str) -> ResponseStartLine:
    """Parse the first line of a response, without its line break.

    :raises HTTPInputError: if it does not have the form ``HTTP/1.x SP code SP [reason]`` (RFC 9112 section
        4).

    >>> parse_response_start_line("HTTP/1.0 404 Not Found").code
    404
    """
    match = _ABNF.status_line.fullmatch(line)
    if match is None:
        raise HTTPInputError(f"malformed HTTP status line {line!r:.100}: expected 'HTTP/1.1 code reason'")
    version, code, reason = match.groups()
    return ResponseStartLine(_checked_version(version), int(code), reason)
