"""The header block of an HTTP/1 message: is it well formed, and what does it say about framing?

Theory of operation
-------------------
A block is checked by one regular expression and searched by a second one for the few fields that decide how
the message is read: where its body ends, whether the connection stays, whom it is for. No object is made for
any other field; `HTTPHeaders` does that later, if asked, from the text that is known to be valid by then.
Only when the first expression fails is the block walked line by line, to name the fault.

This is the specification, which reads any block. Most requests are read without it, by
`tornado._wire.heads.read_usual_head`.

What is refused, and why
------------------------
CR without LF, NUL and other controls, white space before the colon, a name that is no token, a folded line:
each has let two parties see different fields (RFC 9112 sections 2.2, 5.1 and 5.2). A Content-Length that is
not digits alone, or two that differ; a Transfer-Encoding besides the one word ``chunked``; both together
(section 6.3: the message might be an attempt at smuggling). A line may end in a bare LF, as section 2.2
allows.

Limits
------
Fields are counted against `Limits.max_header_count`, digits of a length against `Limits.max_length_digits`;
the block's size is bounded by the reader.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tornado._wire.errors import BodyTooLarge, HeadTooLarge, HTTPInputError
from tornado._wire.limits import DEFAULT, Limits
from tornado._wire.startline import FIELD_CHAR, TCHAR, check_authority, shown

__all__ = [
    "LEAST_LINE",
    "RequestFields",
    "ResponseFields",
    "check_field_lines",
    "parse_request_fields",
    "parse_response_fields",
]

#: Octets of the shortest field line: a name, the colon and LF.
LEAST_LINE: Final = 3

# RFC 9112 section 5: field-line = field-name ":" OWS field-value OWS
_FIELD_LINES = re.compile(rf"(?:[{TCHAR}]++:[{FIELD_CHAR}]*+(?:\r\n|\n))*")
_TOKEN = re.compile(rf"[{TCHAR}]++")
# RFC 9110 section 8.6: 1*DIGIT, which excludes signs, underscores and the digits of other scripts.
_DIGITS = re.compile(r"[0-9]++")


def _any_case(name: str) -> str:
    """A pattern for ``name`` in any case. Classes are tried faster than the IGNORECASE flag."""
    return "".join(f"[{c.upper()}{c}]" if c.isalpha() else re.escape(c) for c in name)


_DECISIVE = ("host", "connection", "content-length", "transfer-encoding", "expect", "upgrade")
# For a text with a "\n" put before its first line: a pattern that begins with one character is searched
# fastest.
_find_decisive = re.compile(rf"\n({'|'.join(_any_case(name) for name in _DECISIVE)}):([^\r\n]*+)").findall
_LENGTH_LINE = re.compile(rf"^{_any_case('content-length')}:[^\n]*\n", re.MULTILINE)


#: What a request's header block says, and the version of its request line, in the order of `RequestHead`'s
#: attributes of the same names, where they are explained: version, headers_block, host (here always the Host
#: field's), content_length, chunked, has_body, keep_alive, upgrade, expect_continue, expect_unknown. A bare
#: tuple, since taking a named one apart costs twice as much, and one is taken apart for each request.
RequestFields = tuple[str, str, str | None, int | None, bool, bool, bool, bool, bool, bool]


class ResponseFields(NamedTuple):
    """What a response's header block says by itself; request and status have a say in the framing too.

    :ivar headers_block: as in `RequestFields`.
    :ivar content_length: in octets, or None where the field is missing.
    :ivar chunked: the body is in the chunked coding.
    :ivar keep_alive: the server lets the connection be used again.
    """

    headers_block: str
    content_length: int | None
    chunked: bool
    keep_alive: bool


_Found = dict[str, list[str]]


def parse_request_fields(block: bytes, version: str, limits: Limits = DEFAULT) -> RequestFields:
    """Check a request's header block and read from it what decides on the message.

    :param block: the field lines and the empty line, and no more.
    :param version: ``HTTP/1.0`` or ``HTTP/1.1``.
    :raises HTTPInputError: or a subclass that knows a better status; see the module's text.
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
        # RFC 9110 section 7.8: Upgrade in an HTTP/1.0 request is to be ignored.
        is_11 and "upgrade" in options and "upgrade" in found,
        # RFC 9110 section 10.1.1: nothing to wait for without a body, nothing understood by HTTP/1.0.
        has_body and "100-continue" in expectations,
        any(each != "100-continue" for each in expectations),
    )


def parse_response_fields(block: bytes, version: str, limits: Limits = DEFAULT) -> ResponseFields:
    """Check a response's header block and read from it what decides on the framing.

    :param block: the field lines and the empty line, and no more.
    :param version: ``HTTP/1.0`` or ``HTTP/1.1``.
    :raises HTTPInputError: or a subclass; see the module's text.
    """
    lines, found = _read_block(block, limits)
    length, chunked = _read_framing(found, limits)
    return ResponseFields(
        headers_block=lines if length is None else _with_one_length(lines, found, length),
        content_length=length,
        chunked=chunked,
        keep_alive=_keeps_alive(version == "HTTP/1.1", chunked, _connection_options(found)),
    )


def _read_block(block: bytes, limits: Limits) -> tuple[str, _Found]:
    """Check all field lines; gives them, without the empty line, and the values of the decisive ones."""
    if not block.endswith(b"\n"):
        raise HTTPInputError("The header block does not end in an empty line")
    lines = block[: -2 if block.endswith(b"\r\n") else -1].decode("latin-1")
    if len(lines) > LEAST_LINE * limits.max_header_count:
        count = lines.count("\n")
        if count > limits.max_header_count:
            limit = f"{limits.max_header_count} (max_header_count)"
            raise HeadTooLarge(f"{count} header fields are more than the limit of {limit}")
    check_field_lines(lines)
    found: _Found = {}
    for name, value in _find_decisive("\n" + lines):
        found.setdefault(name.lower(), []).append(value.strip(" \t"))
    return lines, found


def _with_one_length(lines: str, found: _Found, length: int) -> str:
    """The field lines with equal Content-Lengths made one, as RFC 9112 section 6.3 asks."""
    if found["content-length"] == [str(length)]:
        return lines
    return f"{_LENGTH_LINE.sub('', lines)}Content-Length: {length}\r\n"


def check_field_lines(lines: str) -> None:
    """Check that a text is field lines, each with its end, and nothing else (RFC 9112 section 5).

    :raises HTTPInputError: which names the first fault.
    """
    if _FIELD_LINES.fullmatch(lines) is not None:
        return
    for line in lines.split("\n"):
        line = line.removesuffix("\r")
        if line[:1] in (" ", "\t"):
            raise HTTPInputError(
                f"Line folding is not supported: header line with leading space: {shown(line)}"
            )
        name, colon, value = line.partition(":")
        if not colon:
            raise HTTPInputError(f"There is no colon in header line {shown(line)}")
        if _TOKEN.fullmatch(name) is None:
            raise HTTPInputError(
                f"Invalid header name {shown(name)}: it has to be a token, next to its colon"
            )
        if _FIELD_LINES.fullmatch(f"x:{value}\r\n") is None:
            raise HTTPInputError(f"Invalid header value {shown(value)}: it holds a control character")
    raise HTTPInputError("The header block does not end in an empty line")


def _list_members(values: list[str]) -> list[str]:
    """The members of a comma-separated field, its lines together, in lower case (RFC 9110 section 5.6.1)."""
    return [member for value in values for each in value.lower().split(",") if (member := each.strip(" \t"))]


def _connection_options(found: _Found) -> list[str]:
    # RFC 9110 section 7.6.1: options are case-insensitive and may be spread over several lines.
    values = found.get("connection")
    return [] if values is None else _list_members(values)


def _keeps_alive(is_11: bool, chunked: bool, options: list[str]) -> bool:
    """RFC 9112 section 9.3."""
    if "close" in options:
        return False
    if is_11:
        return True
    # Section 6.1: a Transfer-Encoding in HTTP/1.0 is faulty framing; the connection ends with this message.
    return "keep-alive" in options and not chunked


def _read_framing(found: _Found, limits: Limits) -> tuple[int | None, bool]:
    """Content-Length and chunked, under the rules of RFC 9112 section 6 that need no start line."""
    lengths = found.get("content-length")
    codings = found.get("transfer-encoding")
    if codings is None:
        return (None if lengths is None else _read_length(lengths, limits)), False
    if lengths is not None:
        raise HTTPInputError("Message with both Transfer-Encoding and Content-Length")
    coding = ",".join(codings)
    if coding.lower() == "chunked":
        return None, True
    # Section 6.3, rule 4: chunked not last, or twice, or misspelt: where the body ends is anyone's guess.
    # Behind a coding that is not known, section 6.1 prefers 501 to 400; Tornado answers 400, and so do we.
    raise HTTPInputError(
        f"Unsupported Transfer-Encoding {shown(coding)[1:-1]}: only chunked, once and alone, is taken"
    )


def _read_length(values: list[str], limits: Limits) -> int:
    """RFC 9110 section 8.6: digits, given once or several times alike."""
    # Only HTTP's own white space may follow a comma: str.strip() alone would take U+00A0 too.
    members = [each.strip(" \t") for value in values for each in value.split(",")]
    length = members[0]
    if any(each != length for each in members):
        raise HTTPInputError(f"Multiple unequal Content-Lengths: {shown(', '.join(values))}")
    if _DIGITS.fullmatch(length) is None:
        raise HTTPInputError(f"Only integer Content-Length is allowed: {shown(length)}")
    if len(length) > limits.max_length_digits:
        digits = f"{len(length)} digits, the limit is {limits.max_length_digits} (max_length_digits)"
        if len(length.lstrip("0")) > limits.max_length_digits:
            raise BodyTooLarge(f"Content-Length too long: {digits}")
        raise HTTPInputError(f"Content-Length with leading zeros: {digits}")
    return int(length)


def _read_host(found: _Found, required: bool) -> str | None:
    """RFC 9112 section 3.2: exactly one valid Host in HTTP/1.1; HTTP/1.0 may do without."""
    values = found.get("host")
    if values is None:
        if required:
            raise HTTPInputError("Missing Host header: HTTP/1.1 requires one")
        return None
    if len(values) > 1:
        raise HTTPInputError(f"Multiple Host headers are not allowed: {shown(', '.join(values))}")
    check_authority(values[0])
    return values[0]
