"""Heads of HTTP/1 messages as values, and how they are read from a complete block of octets.

Theory of operation
-------------------
One object a head: the start line taken apart, and every decision that the header fields imply already made.
The mapping of all fields is built from the block's text when `headers` is first touched.

`parse_request_head` is the specification: it reads any head, and names the fault of a malformed one.

`read_usual_head` reads nearly all requests at a fifth of the cost, and gives the same result or none. It
splits the head into lines, leaves out the field lines that are known (`tornado._wire.known`), checks all
characters of the others in one pass, and looks at their names. It has no opinion on anything out of the
ordinary: another version or form of target, a control character or one beyond ASCII, a line that ends in a
bare LF, a field that decides about framing (but for one plain Content-Length), a Connection with other
options than ``close`` and ``keep-alive``. Such a head is the specification's to read or to refuse.

Often no field changes, or only the cookie, which browsers send last. The field lines of a head of up to
`MAX_BLOCK_SIZE` octets are kept as one block if each of them is known; a Cookie line at the end is not part
of the block, and is checked each time. The whole head is kept only if it has up to `SMALL` octets, as the
requests of programs (health checks, services) do, and no cookie, and its target is one of `fixed_targets`:
the path of a route that has no groups, without a query. Such a target comes from the program, not from the
client; any other may hold a user's name or a credential.

Every octet of a block has been checked when its head is returned.

Limits
------
The caller bounds the block (`tornado._wire.h1.Reader` does); the others are in `tornado._wire.fields`. At
most `MAX_HEADS` heads, `MAX_BLOCKS` blocks with and as many without a cookie after them, and
`MAX_FIXED_TARGETS` targets are kept; a full table is emptied.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from itertools import filterfalse
from typing import Any, Final

from tornado._wire import known
from tornado._wire.errors import HTTPInputError
from tornado._wire.fields import RequestFields, parse_request_fields, parse_response_fields
from tornado._wire.headers import HTTPHeaders
from tornado._wire.known import (
    CONDITION,
    CONNECTION,
    HOST,
    LENGTH,
    STEADY,
    TYPE,
    hosts,
    keep_host,
    keep_line,
    kind_of,
)
from tornado._wire.limits import DEFAULT, Limits
from tornado._wire.startline import (
    check_authority,
    match_origin_form,
    parse_request_line,
    parse_status_line,
)

__all__ = [
    "MAX_BLOCKS",
    "MAX_BLOCK_SIZE",
    "MAX_FIXED_TARGETS",
    "MAX_HEADS",
    "SMALL",
    "SMALL_FIELDS",
    "RequestHead",
    "ResponseHead",
    "add_fixed_targets",
    "fixed_targets",
    "forget",
    "known_head",
    "parse_request_head",
    "parse_response_head",
    "read_usual_head",
]

#: Octets of a head that is kept whole, at most: those of programs rather than of browsers.
SMALL: Final = 256
#: The most fields that such a head can have: a name of one character, the colon and CRLF.
SMALL_FIELDS: Final = SMALL // 4
#: Octets of a head whose block is kept, at most, a cookie included.
MAX_BLOCK_SIZE: Final = 2048
MAX_HEADS: Final = 256
MAX_BLOCKS: Final = 256
MAX_FIXED_TARGETS: Final = 4096


class RequestHead:
    """The head of a request. It must not be changed, as it may be shared; equal by identity.

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
    :ivar path: what is before the first ``?`` of `target`.
    :ivar query: what is after it.
    :ivar conditional: there is an If-None-Match field.
    :ivar plain: there is neither a body nor an unknown expectation nor an absolute target, so that the
        attributes about these need not be read.
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
        "query",
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
        self.path, _, self.query = target.partition("?")
        self.conditional = "\nif-none-match:" in f"\n{self.headers_block}".lower()
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
    """The head of a response, read with the request's method in mind. It must not be changed.

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


# Whole heads of `SMALL` octets at most, all of whose lines are known, for a target among `fixed_targets`.
_heads: dict[bytes, RequestHead] = {}
# The field lines of heads, with the empty line -> the authority of Host, the lines as text, and how many
# fields such a head has.
_blocks: dict[bytes, tuple[str, str, int]] = {}
# The same for field lines before a Cookie at the end. They are apart because they do not include the empty
# line: where no cookie follows, they are the beginning of a head of which the rest has yet to arrive.
_blocks_before_cookies: dict[bytes, tuple[str, str, int]] = {}
#: The paths of routes that have no groups. `tornado.routing` adds them.
fixed_targets: Final[set[str]] = set()

#: Looks a whole head up, for limits that allow `SMALL` octets; None if it is not known.
known_head: Final = _heads.get


def add_fixed_targets(paths: Iterable[str]) -> None:
    """Allow heads with these targets to be kept.

    :param paths: defined by the program, not received from a client.
    """
    for path in paths:
        if len(fixed_targets) >= MAX_FIXED_TARGETS:
            fixed_targets.clear()
        fixed_targets.add(path)


def forget() -> None:
    """Empty all tables, for tests."""
    known.forget()
    _heads.clear()
    _blocks.clear()
    _blocks_before_cookies.clear()


def read_usual_head(data: bytes, limits: Limits) -> RequestHead | None:
    """Read the head of a request as most of them are: HTTP/1.1, origin-form, printable characters, CRLF, and
    no field that decides how it is read but Host, Content-Length and a Connection that closes or does not.

    It is one function because a call costs as much as several of its steps.

    :param limits: for the number of fields, which must be at least `SMALL_FIELDS`, and the digits of a
        length.
    :returns: what `parse_request_head` returns; or None, always so if ``data`` is not exactly one head.
    """
    size = len(data)
    block = None
    cookie = b""
    if size <= SMALL:
        start, _, lines_kept = data.partition(b"\r\n")
        block = _blocks.get(lines_kept)
    elif size <= MAX_BLOCK_SIZE:
        end = data.rfind(b"\r\n", 0, -4) + 2
        start = data[: data.find(b"\r\n")]
        if data.startswith(b"Cookie: ", end):
            cookie = data[end:-4]
            lines_kept = data[len(start) + 2 : end]
            block = _blocks_before_cookies.get(lines_kept)
        else:
            lines_kept = data[len(start) + 2 :]
            block = _blocks.get(lines_kept)
    length = None
    keep_alive, conditional = True, False
    if block is not None:
        authority, fields, count = block
        if cookie:
            if data[-4:] != b"\r\n\r\n" or cookie.translate(_PRINTABLE) != cookie:
                return None
            fields += f"{cookie.decode('latin-1')}\r\n"
        if start.translate(_PRINTABLE) != start or count > limits.max_header_count:
            return None
        first = start.decode("latin-1")
        unknown: Any = ()
    elif data[-4:] == b"\r\n\r\n":
        text = data.decode("latin-1")
        lines = text.split("\r\n")
        # The request line, the field lines not met before, and two empty ones for the end.
        unknown = [*filterfalse(_is_known, lines)]
        checked = "".join(unknown).encode("latin-1")
        if checked.translate(_PRINTABLE) != checked or len(lines) - 3 > limits.max_header_count:
            return None
        first = lines[0]
        if unknown.pop(0) is not first:
            return None
        authority = None
        fields = text[len(first) + 2 : -2]
        del unknown[-2:]
    else:
        return None
    try:
        method, target, version = first.split(" ")
    except ValueError:
        return None
    if version != "HTTP/1.1" or target[:1] != "/" or (method != "GET" and method not in _METHODS):
        return None
    for line in unknown:
        name, colon, value = line.partition(":")
        if not colon:
            return None
        kind = kind_of[name]
        if kind:
            if kind == HOST and authority is None:
                authority = hosts.get(line) or _read_host(line, value)
                if not authority:
                    return None
            elif kind == STEADY:
                keep_line(line)
            elif kind == CONDITION:
                conditional = True
            elif kind == LENGTH and length is None:
                if not _is_length(value) or len(value) > limits.max_length_digits:
                    return None
                length = int(value)
            elif kind == CONNECTION:
                option = value.strip(" ").lower()
                if option == "close":
                    keep_alive = False
                elif option == "keep-alive":
                    keep_line(line)
                else:
                    return None
            elif kind == TYPE:
                if "oundary" not in value:
                    keep_line(line)
            else:
                return None
    if authority is None:
        return None
    head = _new(RequestHead)
    head.method = method
    head.target = head.raw_target = target
    head.path, _, head.query = target.partition("?")
    head.version = "HTTP/1.1"
    head.headers_block = fields
    head.host = authority
    head.content_length = length
    head.chunked = head.has_body = head.upgrade = head.expect_continue = head.expect_unknown = False
    head.plain = True
    if length:
        head.has_body = True
        head.plain = False
    head.keep_alive = keep_alive
    head.conditional = conditional
    if block is not None:
        if size <= SMALL and not cookie and not head.query and target in fixed_targets:
            _keep(_heads, MAX_HEADS, data, head)
    elif size <= MAX_BLOCK_SIZE and keep_alive and len(unknown) == (2 if cookie else 1):
        # Nothing but Host, the cookie, and lines that are kept themselves.
        table, kept = (_blocks_before_cookies, lines_kept.decode("latin-1")) if cookie else (_blocks, fields)
        _keep(table, MAX_BLOCKS, lines_kept, (authority, kept, len(lines) - 3))
    return head


def _keep(table: dict[bytes, Any], size: int, key: bytes, value: Any) -> None:
    if len(table) >= size:
        table.clear()
    table[key] = value


def _read_host(line: str, value: str) -> str | None:
    """The authority of a line of Host that is not known yet; None if it is empty or not valid."""
    authority = value.strip(" ")
    try:
        check_authority(authority)
    except HTTPInputError:
        return None
    if authority:
        keep_host(line, authority)
    return authority


_new = object.__new__
_is_known = known.lines.__contains__
_METHODS: Final = frozenset(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
#: Changes every octet that is not a printable character of ASCII.
_PRINTABLE: Final = bytes(octet if 0x20 <= octet <= 0x7E else octet ^ 0x80 for octet in range(256))
_is_length = re.compile(r" ?(?:0|[1-9][0-9]{0,14})").fullmatch


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
    match = match_origin_form(line.decode("latin-1"))
    if match is not None:
        method, target, version = match.groups()
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
