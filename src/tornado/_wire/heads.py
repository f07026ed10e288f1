"""Heads of HTTP/1 messages as values, and their parsers.

Theory of operation
-------------------
There is one object per head. It contains the parsed start line and every decision that the header fields
imply. The mapping of all fields is built from the text of the header section when `headers` is first
accessed.

`parse_request_head` is the specification: it parses any head, and its errors say what is malformed.

`read_usual_head` is the fast path. It parses nearly all requests at a fifth of the cost, and returns the same
result or None. It splits the head into lines, skips the field lines found in the cache
(`tornado._wire.field_line_cache`), validates all characters of the other lines in one pass, and looks up
their names. It returns None for anything unusual: another version or form of target, a control or non-ASCII
character, a bare LF, a field that affects framing (except one plain Content-Length), a Connection option
other than ``close``, ``keep-alive`` and ``upgrade``. `parse_request_head` then parses or rejects such a head.

In successive requests of a client, often no field changes, or only the cookie, which browsers send last. If
every field line of a head of up to `MAX_BLOCK_SIZE` bytes is in the cache, the lines are also cached as one
block. A Cookie line at the end is not part of the block and is validated each time. The whole head is cached
only if it has at most `SMALL` bytes (as requests of health checks and services do) and no cookie, and if its
target is one of `fixed_targets`: the path of a route without groups, and no query. Such a target is defined
by the program, whereas any other target may contain a user's name or a credential.

Every byte of a head has been validated, now or when it was cached, before the head is returned.

Limits
------
The caller, `tornado._wire.h1.Reader`, bounds the size of the head; `tornado._wire.header_validation` lists
the other limits. The caches contain at most `MAX_HEADS` heads, `MAX_BLOCKS` blocks that a cookie follows,
`MAX_BLOCKS` other blocks, and `MAX_FIXED_TARGETS` targets. A full cache is emptied.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from itertools import filterfalse
from typing import Any, Final

from tornado._wire import field_line_cache
from tornado._wire.errors import HTTPInputError
from tornado._wire.field_line_cache import (
    CACHED,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    DECISIVE,
    HOST,
    IF_NONE_MATCH,
    UPGRADE,
    hosts,
    keep_host,
    keep_line,
    kind_of,
)
from tornado._wire.header_validation import RequestFields, parse_request_fields, parse_response_fields
from tornado._wire.headers import HTTPHeaders
from tornado._wire.limits import DEFAULT, Limits
from tornado._wire.start_line import (
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
    "CompactHead",
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

#: The maximum size of a head that is cached as a whole, in bytes. Requests of programs are usually smaller,
#: those of browsers larger.
SMALL: Final = 256
#: The maximum number of fields in a head of `SMALL` bytes: the shortest line is a name of one character, a
#: colon and CRLF.
SMALL_FIELDS: Final = SMALL // 4
#: The maximum size of a head whose field lines are cached as a block, in bytes, including a cookie.
MAX_BLOCK_SIZE: Final = 2048
MAX_HEADS: Final = 256
MAX_BLOCKS: Final = 256
MAX_FIXED_TARGETS: Final = 4096


class RequestHead:
    """The head of a request. It may be shared, so it must not be changed. Heads are compared by identity.

    :ivar method: the method as sent, including its case.
    :ivar target: the target to route: path and query, ``*``, or the authority for CONNECT; Latin-1 text.
    :ivar raw_target: the target as sent; it differs from `target` only in absolute-form.
    :ivar version: ``HTTP/1.0`` or ``HTTP/1.1``.
    :ivar headers_block: the field lines as Latin-1 text, each with its line end, without the empty line. If
        the target contains an authority, it replaces the value of Host.
    :ivar host: the authority of the request: from the target if it contains one, otherwise from Host.
    :ivar content_length: the value of Content-Length in bytes, or None.
    :ivar chunked: whether the body is in the chunked coding.
    :ivar has_body: whether a body of at least one byte, or a chunked one, which may be empty, follows.
    :ivar keep_alive: whether the client permits another request on this connection.
    :ivar upgrade: whether the client offers to switch protocols.
    :ivar expect_continue: whether the client waits for ``100 Continue`` before it sends the body.
    :ivar expect_unknown: whether Expect contains anything else, which requires a 417 response.
    :ivar path: `target` up to the first ``?``.
    :ivar query: `target` after the first ``?``.
    :ivar conditional: whether there is an If-None-Match field.
    :ivar plain: whether the request has no body, no unknown expectation and no target in absolute-form, so
        the attributes that describe these need not be read.
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

    chunked: bool
    conditional: bool
    content_length: int | None
    expect_continue: bool
    expect_unknown: bool
    has_body: bool
    headers_block: str
    host: str | None
    keep_alive: bool
    method: str
    path: str
    plain: bool
    query: str
    raw_target: str
    target: str
    upgrade: bool
    version: str

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
        """Return a copy of this head with ``keep_alive`` False."""
        twin = copy.copy(self)
        twin.keep_alive = False
        return twin

    @property
    def headers(self) -> HTTPHeaders:
        """All header fields, in a new mapping for each call, because many requests may share one head."""
        return HTTPHeaders._from_block(self.headers_block)

    def __repr__(self) -> str:
        return f"<RequestHead {self.method} {self.raw_target} {self.version}>"


class CompactHead:
    """The attributes of a `RequestHead` that a request needs once it has been answered.

    An open WebSocket keeps the head of its request until the connection closes. This object has a third of
    the size of a `RequestHead`.
    """

    __slots__ = ("headers_block", "host", "query")

    def __init__(self, head: RequestHead | CompactHead) -> None:
        self.headers_block: str = head.headers_block
        self.host: str | None = head.host
        self.query: str = head.query

    @property
    def headers(self) -> HTTPHeaders:
        """All header fields, in a new mapping for each call."""
        return HTTPHeaders._from_block(self.headers_block)


class ResponseHead:
    """The head of a response, which must not be changed. Its framing depends on the method of the request.

    :ivar version: ``HTTP/1.0`` or ``HTTP/1.1``.
    :ivar code: the status code, 100 to 999.
    :ivar reason: the reason phrase as Latin-1 text, possibly empty.
    :ivar headers_block: as in `RequestHead`.
    :ivar content_length: the value of Content-Length, also in a response to HEAD and in a 304, or None.
    :ivar chunked: whether the body is in the chunked coding.
    :ivar has_body: whether a body follows. It may be empty if it is chunked or ends with the connection.
    :ivar keep_alive: whether the connection may be used for another request.
    :ivar until_close: whether the body ends with the connection.
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
        self.version: str = version
        self.code: int = code
        self.reason: str = reason
        self.headers_block: str = headers_block
        self.content_length: int | None = content_length
        self.chunked: bool = chunked
        self.has_body: bool = has_body
        self.keep_alive: bool = keep_alive
        self.until_close: bool = until_close
        self._headers: HTTPHeaders | None = None

    @property
    def headers(self) -> HTTPHeaders:
        """All header fields, in a mapping that is built on first access."""
        headers = self._headers
        if headers is None:
            headers = self._headers = HTTPHeaders._from_block(self.headers_block)
        return headers

    def __repr__(self) -> str:
        return f"<ResponseHead {self.version} {self.code} {self.reason}>"


# Complete heads of at most `SMALL` bytes whose field lines are all cached and whose target is in
# `fixed_targets`.
_heads: dict[bytes, RequestHead] = {}
# Field lines with the empty line -> the authority of Host, the lines as text, and the number of fields.
_blocks: dict[bytes, tuple[str, str, int]] = {}
# The same mapping for field lines that precede a Cookie line at the end of a head. They need a separate table
# because they do not include the empty line: without a cookie after them, they may be the beginning of an
# incomplete head.
_blocks_before_cookies: dict[bytes, tuple[str, str, int]] = {}
#: The paths of routes without groups. `tornado.routing` adds them.
fixed_targets: Final[set[str]] = set()

#: Return the cached `RequestHead` for the bytes of a complete head, or None. Call it only if the limits
#: permit heads of `SMALL` bytes.
known_head: Final = _heads.get


def add_fixed_targets(paths: Iterable[str]) -> None:
    """Allow heads with these targets to be cached.

    :param paths: paths that the program defines, never paths received from a client.
    """
    for path in paths:
        if len(fixed_targets) >= MAX_FIXED_TARGETS:
            fixed_targets.clear()
        fixed_targets.add(path)


def forget() -> None:
    """Empty all caches, for tests."""
    field_line_cache.forget()
    _heads.clear()
    _blocks.clear()
    _blocks_before_cookies.clear()


def read_usual_head(data: bytes, limits: Limits) -> RequestHead | None:
    """Parse the head of a common request: HTTP/1.1, origin-form, printable characters, CRLF, and of the
    fields that affect parsing only Host, a Content-Length, Upgrade, and Connection with one of the common
    values.

    A head whose block of field lines is cached is parsed in this function alone, because a call costs as much
    as several of its steps.

    :param limits: bounds the number of fields and the digits of Content-Length. The maximum number of fields
        must be at least `SMALL_FIELDS`.
    :returns: the result of `parse_request_head`, or None if the head is not a common one or ``data`` is not
        exactly one head.
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
    if block is not None:
        authority, fields, count = block
        if (
            start.translate(_PRINTABLE) != start
            or count > limits.max_header_count
            or (cookie and (data[-4:] != b"\r\n\r\n" or cookie.translate(_PRINTABLE) != cookie))
        ):
            return None
        if cookie:
            fields += f"{cookie.decode('latin-1')}\r\n"
        first = start.decode("latin-1")
        length, keep_alive, upgrade, conditional = None, True, False, False
    else:
        read = _read_fields(data, limits)
        if read is None:
            return None
        first, fields, authority, length, keep_alive, upgrade, conditional, count, uncached = read
    try:
        method, target, version = first.split(" ")
    except ValueError:
        return None
    if version != "HTTP/1.1" or target[:1] != "/" or (method != "GET" and method not in _METHODS):
        return None
    head = _new(RequestHead)
    head.method = method
    head.target = head.raw_target = target
    head.path, _, head.query = target.partition("?")
    head.version = "HTTP/1.1"
    head.headers_block = fields
    head.host = authority
    head.content_length = length
    head.upgrade = upgrade
    head.chunked = head.expect_continue = head.expect_unknown = False
    head.plain = not length
    head.has_body = not head.plain
    head.keep_alive = keep_alive
    head.conditional = conditional
    if block is None:
        # All lines except Host and the cookie are in the cache.
        if size <= MAX_BLOCK_SIZE and keep_alive and not upgrade and uncached == (2 if cookie else 1):
            _keep_block(lines_kept, cookie, fields, authority, count)
    elif size <= SMALL and not cookie and not head.query and target in fixed_targets:
        _keep(_heads, MAX_HEADS, data, head)
    return head


def _read_fields(
    data: bytes, limits: Limits
) -> tuple[str, str, str, int | None, bool, bool, bool, int, int] | None:
    """Parse the field lines of a head whose block of lines is not cached.

    :returns: the request line, the field lines as text, the authority, the Content-Length or None, whether
        the connection persists, whether the client offers to switch protocols, whether there is an
        If-None-Match field, the number of fields, and how many of them are not in the cache; or None if the
        head is not a common one.
    """
    text = data.decode("latin-1")
    lines = text.split("\r\n")
    # The request line, the field lines that are not in the cache, and two empty lines at the end.
    unknown: list[str] = [*filterfalse(_is_known, lines)]
    checked = "".join(unknown).encode("latin-1")
    first = lines[0]
    count = len(lines) - 3
    if (
        data[-4:] != b"\r\n\r\n"
        or checked.translate(_PRINTABLE) != checked
        or count > limits.max_header_count
        or unknown[0] is not first
    ):
        return None
    authority = length = option = None
    conditional = is_offered = False
    for line in unknown[1:-2]:
        name, colon, value = line.partition(":")
        kind = kind_of[name] if colon else DECISIVE
        if not kind:
            continue
        if kind == HOST and authority is None:
            authority = hosts.get(line) or _read_host(line, value)
        elif kind == CACHED or (kind == CONTENT_TYPE and "oundary" not in value):
            keep_line(line)
        elif kind == IF_NONE_MATCH:
            conditional = True
        elif kind == CONTENT_LENGTH and length is None:
            length = _read_length(value, limits)
        elif kind == CONNECTION and option is None:
            option = _read_option(line, value)
        elif kind == UPGRADE:
            is_offered = True
        elif kind != CONTENT_TYPE:
            return None
    if is_offered:
        option = _upgrade_option(text, option)
    if not authority or length == _INVALID_LENGTH or option == "":
        return None
    fields = text[len(first) + 2 : -2]
    upgrade = is_offered and option in _UPGRADE_OPTIONS
    return first, fields, authority, length, option != "close", upgrade, conditional, count, len(unknown) - 3


def _keep_block(lines: bytes, cookie: bytes, fields: str, authority: str, count: int) -> None:
    """Cache field lines that contain only cached lines and Host; the cookie is not part of them."""
    table = _blocks_before_cookies if cookie else _blocks
    _keep(table, MAX_BLOCKS, lines, (authority, lines.decode("latin-1") if cookie else fields, count))


def _keep(table: dict[bytes, Any], size: int, key: bytes, value: Any) -> None:
    if len(table) >= size:
        table.clear()
    table[key] = value


def _read_option(line: str, value: str) -> str:
    """Return the value of a Connection line in lower case, or "" if it is not a common one."""
    option = value.strip(" ").lower()
    if option == "keep-alive":
        keep_line(line)
    return option if option in _COMMON_OPTIONS else ""


def _upgrade_option(text: str, option: str | None) -> str | None:
    """Return the value of Connection of a request with Upgrade, in lower case; "" if there are two lines.

    :param option: the value in the line that is not in the cache, if any.
    """
    if _UPGRADE_ONLY_LINE in text or _KEEP_ALIVE_UPGRADE_LINE in text:
        return "upgrade" if option is None else ""
    return option


def _read_host(line: str, value: str) -> str:
    """Return the authority of a Host line that is not in the cache, or "" if it is empty or invalid."""
    authority = value.strip(" ")
    try:
        check_authority(authority)
    except HTTPInputError:
        return ""
    if authority:
        keep_host(line, authority)
    return authority


def _read_length(value: str, limits: Limits) -> int:
    """Return the value of a Content-Length field, or `_INVALID_LENGTH`."""
    if not _is_length(value) or len(value) > limits.max_length_digits:
        return _INVALID_LENGTH
    return int(value)


_new = object.__new__
_is_known = field_line_cache.lines.__contains__
_METHODS: Final = {method: method for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")}
#: A translation table that changes every byte except the printable ASCII characters.
_PRINTABLE: Final = bytes(octet if 0x20 <= octet <= 0x7E else octet ^ 0x80 for octet in range(256))
_INVALID_LENGTH: Final = -1
#: The values of Connection that browsers and other clients send to open a WebSocket, in lower case.
_UPGRADE_OPTIONS: Final = frozenset(("upgrade", "keep-alive, upgrade"))
#: The lines of `field_line_cache.HANDSHAKE` that affect parsing.
_UPGRADE_ONLY_LINE: Final = "\r\nConnection: Upgrade\r\n"
_KEEP_ALIVE_UPGRADE_LINE: Final = "\r\nConnection: keep-alive, Upgrade\r\n"
_COMMON_OPTIONS: Final = _UPGRADE_OPTIONS | {"close", "keep-alive"}
_is_length = re.compile(r" ?(?:0|[1-9][0-9]{0,14})").fullmatch


def parse_request_head(block: bytes, limits: Limits = DEFAULT) -> RequestHead:
    """Parse the head of a request.

    :param block: the bytes from the start of the request line to the end of the first empty line.
    :param limits: bounds the number of fields and the digits of Content-Length. The caller bounds the size of
        the block.
    :raises HTTPInputError: if the head is malformed; its ``status_code`` is the status to respond with.

    >>> parse_request_head(b"GET /a?b HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n").target
    '/a?b'
    """
    line, _, rest = block.partition(b"\n")
    match = match_origin_form(line.decode("latin-1"))
    if match is not None:
        method, target, version = match.groups()
        method = _METHODS.get(method, method)  # one str per method, because an open WebSocket keeps it
        return RequestHead(method, target, target, parse_request_fields(rest, version, limits))
    method, target, raw_target, version, authority = parse_request_line(
        line.removesuffix(b"\r").decode("latin-1")
    )
    head = RequestHead(method, target, raw_target, parse_request_fields(rest, version, limits))
    if authority is not None:
        # RFC 9112 section 3.2.2: the authority of the target replaces the value of Host.
        head.host = authority
        head.headers_block = _with_host(head.headers_block, authority)
    return head


def _with_host(lines: str, host: str) -> str:
    """Return the field lines with the value of Host replaced, or with a Host line added."""
    line = f"Host: {host}\r\n"
    replaced, count = _HOST_LINE.subn(lambda _: line, lines)
    return replaced if count else line + lines


_HOST_LINE = re.compile(r"^[Hh][Oo][Ss][Tt]:[^\n]*\n", re.MULTILINE)


def parse_response_head(
    block: bytes, limits: Limits = DEFAULT, request_method: str | None = None
) -> ResponseHead:
    """Parse the head of a response.

    :param block: as for `parse_request_head`.
    :param limits: as for `parse_request_head`.
    :param request_method: the method of the request that the response answers; None means GET.
    :raises HTTPInputError: if the head is malformed.

    >>> parse_response_head(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\n").content_length
    5
    """
    line, _, rest = block.partition(b"\n")
    version, code, reason = parse_status_line(line.removesuffix(b"\r").decode("latin-1"))
    fields = parse_response_fields(rest, version, limits)
    length, chunked = fields.content_length, fields.chunked
    interim = code < 200
    if (interim or code == 204) and (chunked or length):
        # RFC 9112 section 6.3 says to ignore Content-Length and Transfer-Encoding here, but a server that
        # sends these fields may also send a body.
        raise HTTPInputError(f"Response with code {code} should not have body")
    # RFC 9112 section 6.3, rules 1 and 2; RFC 9110 section 15.4.5.
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
