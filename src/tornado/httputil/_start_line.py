"""Start lines: the first line of a request or of a response, as text."""

from __future__ import annotations

import re
from typing import NamedTuple

from tornado._wire.errors import HTTPInputError
from tornado._wire.start_line import FIELD_CHAR, TCHAR


class RequestStartLine(NamedTuple):
    """The first line of a request."""

    #: As sent; methods are case-sensitive.
    method: str
    #: The request target, query included.
    path: str
    #: ``HTTP/1.1``
    version: str


class ResponseStartLine(NamedTuple):
    """The first line of a response."""

    #: ``HTTP/1.1``
    version: str
    #: The status code.
    code: int
    #: The reason phrase; empty, or None as read from the wire, where there is none.
    reason: str


class _ABNF:
    """Compiled rules of the grammar, by their names in the RFCs, for ``fullmatch`` on latin-1 text."""

    # RFC 9110 section 5.6.2
    token = re.compile(rf"[{TCHAR}]+")
    # RFC 9110 sections 5.1 and 5.5
    field_name = token
    field_value = re.compile(rf"(?:[\x21-\x7e\x80-\xff](?:[{FIELD_CHAR}]*[\x21-\x7e\x80-\xff])?)?")
    # RFC 9112 section 3
    method = token
    request_target = re.compile(r"[\x21-\x7e\x80-\xff]+")  # browsers send bytes beyond ASCII
    http_version = re.compile(r"HTTP/[0-9]\.[0-9]")
    request_line = re.compile(rf"({method.pattern}) ({request_target.pattern}) ({http_version.pattern})")
    # RFC 9112 section 4
    reason_phrase = re.compile(rf"[{FIELD_CHAR}]+")
    status_code = re.compile(r"[0-9]{3}")
    status_line = re.compile(rf"({http_version.pattern}) ({status_code.pattern}) ({reason_phrase.pattern})?")


def _checked_version(version: str) -> str:
    if not version.startswith("HTTP/1."):
        raise HTTPInputError(f"unexpected HTTP version {version!r}: this is HTTP/1")
    return version


def parse_request_start_line(line: str) -> RequestStartLine:
    """Cut the first line of a request, given without its line end.

    :raises HTTPInputError: if it is not of the form ``method SP target SP HTTP/1.x`` (RFC 9112 section 3).

    >>> parse_request_start_line("DELETE /item/5 HTTP/1.0").method
    'DELETE'
    """
    match = _ABNF.request_line.fullmatch(line)
    if match is None:
        raise HTTPInputError("malformed HTTP request line: it must read 'METHOD target HTTP/1.1'")
    method, target, version = match.groups()
    return RequestStartLine(method, target, _checked_version(version))


def parse_response_start_line(line: str) -> ResponseStartLine:
    """Cut the first line of a response, given without its line end.

    :raises HTTPInputError: if it is not of the form ``HTTP/1.x SP code SP [reason]`` (RFC 9112 section 4).

    >>> parse_response_start_line("HTTP/1.0 404 Not Found").code
    404
    """
    match = _ABNF.status_line.fullmatch(line)
    if match is None:
        raise HTTPInputError("malformed HTTP status line: it must read 'HTTP/1.1 code reason'")
    version, code, reason = match.groups()
    return ResponseStartLine(_checked_version(version), int(code), reason)
