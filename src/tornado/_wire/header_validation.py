"""The header section of an HTTP/1 message: its validation, and its fields that affect framing.

Theory of operation
-------------------
One regular expression validates the whole section, and a second one finds the few fields that decide how the
message is read: where its body ends, whether the connection persists, which host it is for. No object is
created for any other field; `HTTPHeaders` creates such objects when they are needed, from text that has been
validated. If the first expression does not match, the section is examined line by line, so that the error
message can show the invalid line.

This module is the specification: it accepts any valid section. Most requests take the fast path,
`tornado._wire.heads.read_usual_head`.

Rejected input
--------------
The following input is rejected, because two recipients may read different fields from it (RFC 9112 sections
2.2, 5.1 and 5.2): CR without LF, NUL and other control characters, whitespace before the colon, a name that
is not a token, and a folded line. Also rejected are a Content-Length that does not consist of digits, several
Content-Length fields that differ, a Transfer-Encoding other than exactly ``chunked``, and a message with both
Content-Length and Transfer-Encoding, which may be request smuggling (section 6.3). A line may end in a bare
LF, as section 2.2 permits.

Limits
------
`Limits.max_header_count` bounds the number of fields, `Limits.max_length_digits` the digits of
Content-Length. The reader bounds the size of the section.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tornado._wire.errors import BodyTooLarge, HeadTooLarge, HTTPInputError
from tornado._wire.limits import DEFAULT, Limits
from tornado._wire.start_line import FIELD_CHAR, TCHAR, check_authority, shown

__all__ = [
    "MIN_LINE_SIZE",
    "RequestFields",
    "ResponseFraming",
    "check_field_lines",
    "parse_request_fields",
    "parse_response_fields",
]

#: The size of the shortest field line, in bytes: a name of one character, the colon and LF.
MIN_LINE_SIZE: Final = 3

# RFC 9112 section 5: field-line = field-name ":" OWS field-value OWS
_FIELD_LINES = re.compile(rf"(?:[{TCHAR}]++:[{FIELD_CHAR}]*+(?:\r\n|\n))*")
_TOKEN = re.compile(rf"[{TCHAR}]++")
# RFC 9110 section 8.6: 1*DIGIT, which excludes signs, underscores and the digits of other scripts.
_DIGITS = re.compile(r"[0-9]++")


def _any_case(name: str) -> str:
    """Return a pattern for ``name`` in any case. Character classes match faster than the IGNORECASE flag."""
    return "".join(f"[{c.upper()}{c}]" if c.isalpha() else re.escape(c) for c in name)


_DECISIVE = ("host", "connection", "content-length", "transfer-encoding", "expect", "upgrade")
# The pattern is for text with "\n" prepended: a pattern that begins with a literal character is searched
# fastest.
_find_decisive = re.compile(rf"\n({'|'.join(_any_case(name) for name in _DECISIVE)}):([^\r\n]*+)").findall
_LENGTH_LINE = re.compile(rf"^{_any_case('content-length')}:[^\n]*\n", re.MULTILINE)


#: The values that a request's header section and version imply. `RequestHead` documents them under the same
#: names: version, headers_block, host (here always the value of Host), content_length, chunked, has_body,
#: keep_alive, upgrade, expect_continue, expect_unknown. This is a plain tuple, because unpacking a named one,
#: which happens for each request, costs twice as much.
RequestFields = tuple[str, str, str | None, int | None, bool, bool, bool, bool, bool, bool]


class ResponseFraming(NamedTuple):
    """The values that a response's header section implies.

    The framing of the response also depends on its status and on the method of the request.

    :ivar headers_block: as in `RequestFields`.
    :ivar content_length: the value of Content-Length in bytes, or None.
    :ivar chunked: whether the body is in the chunked coding.
    :ivar keep_alive: whether the server permits another request on the connection.
    """

    headers_block: str
    content_length: int | None
    chunked: bool
    keep_alive: bool


_Found = dict[str, list[str]]


def parse_request_fields(block: bytes, version: str, limits: Limits = DEFAULT) -> RequestFields:
    """Validate a request's header section and return the values that decide how the message is read.

    :param block: the field lines and the empty line, and nothing more.
    :param version: ``HTTP/1.0`` or ``HTTP/1.1``.
    :param limits: bounds on the fields.
    :raises HTTPInputError: for invalid fields; see the module docstring. It may be a subclass.
    """
    lines, found = _read_block(block, limits)
    is_11 = version == "HTTP/1.1"
    length, chunked = _read_framing(found, limits)
    options = _connection_options(found)
    has_body = chunked or bool(length)
    expectations = _list_members(found["expect"]) if is_11 and "expect" in found else []
    return (
        version,
        lines if length is None else _with_one_length(lines, found, length),
        _read_host(found, is_11),
        length,
        chunked,
        has_body,
        _keeps_alive(is_11, chunked, options),
        # RFC 9110 section 7.8: a server must ignore Upgrade in an HTTP/1.0 request.
        is_11 and "upgrade" in options and "upgrade" in found,
        # RFC 9110 section 10.1.1: ignore the expectation in a request without a body and in HTTP/1.0.
        has_body and "100-continue" in expectations,
        any(each != "100-continue" for each in expectations),
    )


def parse_response_fields(block: bytes, version: str, limits: Limits = DEFAULT) -> ResponseFraming:
    """Validate a response's header section and return the values that affect framing.

    :param block: the field lines and the empty line, and nothing more.
    :param version: ``HTTP/1.0`` or ``HTTP/1.1``.
    :param limits: bounds on the fields.
    :raises HTTPInputError: for invalid fields; see the module docstring.
    """
    lines, found = _read_block(block, limits)
    length, chunked = _read_framing(found, limits)
    return ResponseFraming(
        headers_block=lines if length is None else _with_one_length(lines, found, length),
        content_length=length,
        chunked=chunked,
        keep_alive=_keeps_alive(version == "HTTP/1.1", chunked, _connection_options(found)),
    )


def _read_block(block: bytes, limits: Limits) -> tuple[str, _Found]:
    """Validate the field lines; return them, without the empty line, and the values of `_DECISIVE` fields."""
    if not block.endswith(b"\n"):
        raise HTTPInputError("The header section does not end in an empty line")
    lines = block[: -2 if block.endswith(b"\r\n") else -1].decode("latin-1")
    if len(lines) > MIN_LINE_SIZE * limits.max_header_count:
        count = lines.count("\n")
        if count > limits.max_header_count:
            limit = f"{limits.max_header_count} (max_header_count)"
            raise HeadTooLarge(f"{count} header fields exceed the limit of {limit}")
    check_field_lines(lines)
    found: _Found = {}
    for name, value in _find_decisive("\n" + lines):
        found.setdefault(name.lower(), []).append(value.strip(" \t"))
    return lines, found


def _with_one_length(lines: str, found: _Found, length: int) -> str:
    """Return the field lines with equal Content-Length fields replaced by one (RFC 9112 section 6.3)."""
    if found["content-length"] == [str(length)]:
        return lines
    return f"{_LENGTH_LINE.sub('', lines)}Content-Length: {length}\r\n"


def check_field_lines(lines: str) -> None:
    """Check that text consists of complete field lines (RFC 9112 section 5).

    :raises HTTPInputError: if a line is malformed; the message contains the first such line.
    """
    if _FIELD_LINES.fullmatch(lines) is not None:
        return
    for line in lines.split("\n"):
        line = line.removesuffix("\r")
        if line[:1] in (" ", "\t"):
            raise HTTPInputError(
                f"Line folding is not supported: header line with leading whitespace: {shown(line)}"
            )
        name, colon, value = line.partition(":")
        if not colon:
            raise HTTPInputError(f"There is no colon in header line {shown(line)}")
        if _TOKEN.fullmatch(name) is None:
            raise HTTPInputError(
                f"Invalid header name {shown(name)}: expected a token followed by a colon, without whitespace"
            )
        if _FIELD_LINES.fullmatch(f"x:{value}\r\n") is None:
            raise HTTPInputError(f"Invalid header value {shown(value)}: it contains a control character")
    raise HTTPInputError("The header section does not end in an empty line")


def _list_members(values: list[str]) -> list[str]:
    """Return the members of a comma-separated field, in lower case (RFC 9110 section 5.6.1)."""
    return [member for value in values for each in value.lower().split(",") if (member := each.strip(" \t"))]


def _connection_options(found: _Found) -> list[str]:
    # RFC 9110 section 7.6.1: options are case-insensitive and may occur in several lines.
    values = found.get("connection")
    return [] if values is None else _list_members(values)


def _keeps_alive(is_11: bool, chunked: bool, options: list[str]) -> bool:
    """Return whether the connection persists after this message (RFC 9112 section 9.3)."""
    if "close" in options:
        return False
    if is_11:
        return True
    # Section 6.1: Transfer-Encoding in HTTP/1.0 is faulty framing, so the connection closes after this
    # message.
    return "keep-alive" in options and not chunked


def _read_framing(found: _Found, limits: Limits) -> tuple[int | None, bool]:
    """Return Content-Length, and whether the body is chunked, by the rules of RFC 9112 section 6.

    The rules that depend on the start line are left to the caller.
    """
    lengths = found.get("content-length")
    codings = found.get("transfer-encoding")
    if codings is None:
        return (None if lengths is None else _read_length(lengths, limits)), False
    if lengths is not None:
        raise HTTPInputError("Message with both Transfer-Encoding and Content-Length")
    coding = ",".join(codings)
    if coding.lower() == "chunked":
        return None, True
    # Section 6.3, rule 4: the end of the body cannot be determined if chunked is repeated, misspelt or not
    # the last coding. For an unknown coding, section 6.1 recommends 501 rather than 400. Tornado responds
    # with 400, and so does this implementation.
    raise HTTPInputError(
        f"Unsupported Transfer-Encoding {shown(coding)[1:-1]}: only a single chunked is supported"
    )


def _read_length(values: list[str], limits: Limits) -> int:
    """Return the value of Content-Length: digits, possibly repeated (RFC 9110 section 8.6)."""
    # Only space and tab may surround a comma; str.strip() without an argument would also strip U+00A0.
    members = [each.strip(" \t") for value in values for each in value.split(",")]
    length = members[0]
    if any(each != length for each in members):
        raise HTTPInputError(f"Multiple unequal Content-Lengths: {shown(', '.join(values))}")
    if _DIGITS.fullmatch(length) is None:
        raise HTTPInputError(f"Only integer Content-Length is allowed: {shown(length)}")
    if len(length) > limits.max_length_digits:
        digits = f"{len(length)} digits; the limit is {limits.max_length_digits} (max_length_digits)"
        if len(length.lstrip("0")) > limits.max_length_digits:
            raise BodyTooLarge(f"Content-Length too long: {digits}")
        raise HTTPInputError(f"Content-Length with leading zeros: {digits}")
    return int(length)


def _read_host(found: _Found, required: bool) -> str | None:
    """Return the value of Host: exactly one is required in HTTP/1.1, at most one permitted in HTTP/1.0.

    See RFC 9112 section 3.2.
    """
    values = found.get("host")
    if values is None:
        if required:
            raise HTTPInputError("Missing Host header: HTTP/1.1 requires one")
        return None
    if len(values) > 1:
        raise HTTPInputError(f"Multiple Host headers are not allowed: {shown(', '.join(values))}")
    check_authority(values[0])
    return values[0]
