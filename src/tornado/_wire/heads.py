"""Heads of HTTP/1 messages as values, and how they are read from a complete block of octets.

Theory of operation
-------------------
One object a head: the start line taken apart, and every decision that the header fields imply already made.
The mapping of all fields is built from the block's text when `headers` is first touched.

Most requests repeat what came before them: the request line of another one, the block of the same client.
`known_heads` makes a head of two lookups where both halves are known (for the block see
`tornado._wire.fields`), and of one lookup and one regular expression where only the block is. What it made is
kept under the whole head's bytes and given again, to any connection: a head never changes, and the mapping of
its fields is made anew for whoever asks. Heads before a body are not kept.

Some targets carry credentials: a password, a token or a signature in the query, the key of a link that resets
a password in the path. Such a line is read anew each time, and neither it nor its head is kept. A credential
can only be told by how it looks, so a line counts as one that carries it (`_carries_secret`) if

* its query has a word in it that such parameters are named by: ``token``, ``pass``, ``key``, ``code`` …;
* its query has 20 characters or more of a value without a break, whatever the name: random keys of 128 bits
  take 22 in base64, 32 in hexadecimal digits;
* its path has 20 letters and digits without a break; a UUID, with its hyphens, passes.

A short secret under an innocent name, or one in the path that is broken by punctuation, is not recognised and
may be kept until its memo is emptied, like a cookie. What is wrongly taken for a secret costs one parse.

`parse_request_head` is the specification: it reads any head, and tells what is wrong with one that is none.

Every octet of a block has been checked when its head is returned.

Limits
------
The caller bounds the block (`tornado._wire.h1.Reader` does); the others are in `tornado._wire.fields`.
Of request lines, 512 of at most 128 octets are kept, of whole heads 256 of at most `KNOWN_HEAD_SIZE`, all of
them with a line that may be kept; a full memo is emptied.
"""

from __future__ import annotations

import copy
import re
from typing import Final

from tornado._wire.errors import HTTPInputError
from tornado._wire.fields import (
    MEMO_ENTRY_SIZE,
    RequestFields,
    parse_request_fields,
    parse_response_fields,
    request_memos,
)
from tornado._wire.headers import HTTPHeaders
from tornado._wire.limits import DEFAULT, Limits
from tornado._wire.startline import match_origin_form, parse_request_line, parse_status_line

__all__ = [
    "KNOWN_HEADS",
    "KNOWN_HEAD_SIZE",
    "KNOWN_LINES",
    "KNOWN_LINE_SIZE",
    "RequestHead",
    "ResponseHead",
    "known_heads",
    "parse_request_head",
    "parse_response_head",
]

#: Request lines of up to this many octets are kept, this many of them.
KNOWN_LINE_SIZE: Final = 128
KNOWN_LINES: Final = 512
#: Whole heads that are kept.
KNOWN_HEADS: Final = 256
#: The most octets that one of `known_heads` has.
KNOWN_HEAD_SIZE: Final = KNOWN_LINE_SIZE + MEMO_ENTRY_SIZE


class RequestHead:
    """The head of a request. Not to be changed by whoever gets it; equal by identity.

    :ivar method: as sent, case included.
    :ivar target: what to route by: path and query, ``*``, or for CONNECT the authority; Latin-1 text.
    :ivar raw_target: the target as sent, different from `target` in absolute-form only.
    :ivar version: ``HTTP/1.0`` or ``HTTP/1.1``.
    :ivar headers_block: the field lines as Latin-1 text, each with its line end, without the empty line.
        Where the target names an authority, Host says that one.
    :ivar host: the authority the request is meant for: the target's if it names one, else the Host field's.
    :ivar content_length: in octets, or None where the field is missing.
    :ivar chunked: the body is in the chunked coding.
    :ivar has_body: a body of at least one octet (or a chunked one, which may turn out empty) follows.
    :ivar keep_alive: the client lets the connection be used again after this exchange.
    :ivar upgrade: the client offers to switch protocols.
    :ivar expect_continue: the client waits for ``100 Continue`` before it sends the body.
    :ivar expect_unknown: the Expect field asks for something else (417 is the answer).
    :ivar path: `target` without its query.
    :ivar conditional: there may be an If-None-Match field; False means that there is none.
    :ivar plain: there is no body, no unknown expectation and no absolute target: whoever has no use for these
        need look no further.
    """

    __slots__ = (
        "chunked",
        "conditional",
        "content_length",
        "expect_continue",
        "expect_unknown",
        "has_body",
        "headers_block",
        "host",
        "keep_alive",
        "method",
        "path",
        "plain",
        "raw_target",
        "target",
        "upgrade",
        "version",
    )

    def __init__(self, method: str, target: str, raw_target: str, fields: RequestFields) -> None:
        self.method = method
        self.target = target
        self.raw_target = raw_target
        (
            self.version,
            self.headers_block,
            self.host,
            self.content_length,
            self.chunked,
            self.has_body,
            self.keep_alive,
            self.upgrade,
            self.expect_continue,
            self.expect_unknown,
        ) = fields
        self.path = target.partition("?")[0] if "?" in target else target
        self.conditional = "if-none-match" in self.headers_block.lower()
        self.plain = not self.has_body and not self.expect_unknown and target is raw_target

    def closing(self) -> RequestHead:
        """The same head from a client that wants the connection closed after this exchange."""
        twin = copy.copy(self)
        twin.keep_alive = False
        return twin

    @property
    def headers(self) -> HTTPHeaders:
        """All header fields, in a mapping of its own for each caller: one head may stand for many
        requests.
        """
        return HTTPHeaders._from_block(self.headers_block)

    def __repr__(self) -> str:
        return f"<RequestHead {self.method} {self.raw_target} {self.version}>"


class ResponseHead:
    """The head of a response, read with the request's method in mind. Not to be changed by whoever gets it.

    :ivar version: ``HTTP/1.0`` or ``HTTP/1.1``.
    :ivar code: the status, 100 to 999.
    :ivar reason: may be empty; Latin-1 text.
    :ivar headers_block: as in `RequestHead`.
    :ivar content_length: as announced, for a HEAD or a 304 too, or None.
    :ivar chunked: the body is in the chunked coding.
    :ivar has_body: a body follows (which may turn out empty when it is chunked or ends with the connection).
    :ivar keep_alive: the connection may be used again after this response.
    :ivar until_close: the body ends with the connection.
    """

    __slots__ = (
        "_headers",
        "chunked",
        "code",
        "content_length",
        "has_body",
        "headers_block",
        "keep_alive",
        "reason",
        "until_close",
        "version",
    )

    def __init__(
        self,
        version: str,
        code: int,
        reason: str,
        headers_block: str,
        *,
        content_length: int | None,
        chunked: bool,
        has_body: bool,
        keep_alive: bool,
        until_close: bool,
    ) -> None:
        self.version = version
        self.code = code
        self.reason = reason
        self.headers_block = headers_block
        self.content_length = content_length
        self.chunked = chunked
        self.has_body = has_body
        self.keep_alive = keep_alive
        self.until_close = until_close
        self._headers: HTTPHeaders | None = None

    @property
    def headers(self) -> HTTPHeaders:
        """All header fields, built on first touch and the same object from then on."""
        headers = self._headers
        if headers is None:
            headers = self._headers = HTTPHeaders._from_block(self.headers_block)
        return headers

    def __repr__(self) -> str:
        return f"<ResponseHead {self.version} {self.code} {self.reason}>"


_Memo = dict[bytes, RequestFields]
# Request lines in origin-form seen lately, without their LF -> method, target, version, memo of its header
# blocks.
_known_lines: dict[bytes, tuple[str, str, str, _Memo]] = {}


_HAS_BODY: Final = 5  # its place in `RequestFields`


class _KnownHeads(dict[bytes, RequestHead | None]):
    """Whole heads as they came -> what they mean."""

    def __missing__(self, data: bytes) -> RequestHead | None:
        line, _, block = data.partition(b"\n")
        known = _known_lines.get(line)
        if known is None:
            known = _read_origin_form(line)
            if known is None:
                return None
        method, target, _, memo = known
        fields = memo.get(block)
        if fields is None or fields[_HAS_BODY]:
            return None
        head = RequestHead(method, target, target, fields)
        if line in _known_lines:
            if len(self) >= KNOWN_HEADS:
                self.clear()
            self[data] = head
        return head


#: ``known_heads[data]`` is the head of a request without a body, if ``data`` is one whole head with a known
#: block, else None. What is met again needs no check and no search for its end: only a complete and valid
#: block is equal to what was kept. Holds for limits that allow `KNOWN_HEAD_SIZE` octets.
known_heads: Final = _KnownHeads()


def parse_request_head(block: bytes, limits: Limits = DEFAULT) -> RequestHead:
    """Read the head of a request.

    :param block: from the first octet of the request line to the end of the first empty line, and no further.
    :param limits: for the number of fields and the digits of a length; the block's size is the caller's to
        bound.
    :raises HTTPInputError: or a subclass that carries the status to answer with.

    >>> parse_request_head(b"GET /a?b HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n").target
    '/a?b'
    """
    line, _, rest = block.partition(b"\n")
    known = _known_lines.get(line) or _read_origin_form(line)
    if known is not None:
        method, target, version, _memo = known
        return RequestHead(method, target, target, parse_request_fields(rest, version, limits))
    method, target, raw_target, version, authority = parse_request_line(
        line.removesuffix(b"\r").decode("latin-1")
    )
    head = RequestHead(method, target, raw_target, parse_request_fields(rest, version, limits))
    if authority is not None:
        # RFC 9112 section 3.2.2: the target's authority replaces the Host field's, valid as that had to be.
        head.host = authority
        head.headers_block = _with_host(head.headers_block, authority)
    return head


def _with_host(lines: str, host: str) -> str:
    """The field lines with Host, of which there is one at most, made to say `host`."""
    line = f"Host: {host}\r\n"
    replaced, count = _HOST_LINE.subn(lambda _: line, lines)
    return replaced if count else line + lines


_HOST_LINE = re.compile(r"^[Hh][Oo][Ss][Tt]:[^\n]*\n", re.MULTILINE)
# One character class, and alternatives without repetition: linear in a line's length.
_find_key_in_path = re.compile(rb"[0-9A-Za-z]{20}").search
_find_secret_in_query = re.compile(
    rb"(?i)token|pass|pwd|secret|key|sig|code|auth|session|sid=|jwt|otp|pin=|cred|nonce|ticket"
    rb"|[0-9a-z_~.+/%-]{20}"
).search


def _carries_secret(line: bytes) -> bool:
    """Whether a request line looks as if it carried a credential; see the module's text."""
    path, mark, query = line.partition(b"?")
    if mark:
        # Without the version, whose digits would lengthen the last value.
        query = query.partition(b" ")[0]
        if _find_secret_in_query(query):
            return True
    return _find_key_in_path(path) is not None


def _read_origin_form(line: bytes) -> tuple[str, str, str, _Memo] | None:
    """Read a request line in origin-form, and keep it if it may be kept; None for any other line."""
    match = match_origin_form(line.decode("latin-1"))
    if match is None:
        return None
    method, target, version = match.groups()
    known = (method, target, version, request_memos[version])
    if len(line) <= KNOWN_LINE_SIZE and not _carries_secret(line):
        if len(_known_lines) >= KNOWN_LINES:
            _known_lines.clear()
        _known_lines[line] = known
    return known


def parse_response_head(
    block: bytes, limits: Limits = DEFAULT, request_method: str | None = None
) -> ResponseHead:
    """Read the head of a response.

    :param block: as for `parse_request_head`.
    :param request_method: the method of the request that is answered; None counts as GET.
    :raises HTTPInputError: or a subclass.

    >>> parse_response_head(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\n").content_length
    5
    """
    line, _, rest = block.partition(b"\n")
    version, code, reason = parse_status_line(line.removesuffix(b"\r").decode("latin-1"))
    fields = parse_response_fields(rest, version, limits)
    length, chunked = fields.content_length, fields.chunked
    interim = code < 200
    if (interim or code == 204) and (chunked or length):
        # RFC 9112 section 6.3 would have them ignored; a server that sends them may well send the body too.
        raise HTTPInputError(f"Response with code {code} should not have body")
    # RFC 9112 section 6.3, rules 1 and 2; 9110 section 15.4.5.
    bodiless = interim or code in (204, 304) or request_method == "HEAD"
    tunnel = request_method == "CONNECT" and 200 <= code < 300
    until_close = not bodiless and not tunnel and not chunked and length is None
    return ResponseHead(
        version,
        code,
        reason,
        fields.headers_block,
        content_length=length,
        chunked=chunked,
        has_body=not bodiless and not tunnel and (chunked or length != 0),
        keep_alive=fields.keep_alive and not until_close,
        until_close=until_close,
    )
