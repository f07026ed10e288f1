"""A strict server, in which a fault can be enabled for each kind of attack on framing.

The tests send the cases of the corpus about a fault. They must fail while the fault is enabled, and pass
otherwise. Only one fault is enabled at a time, since a second one might hide the first.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from compliance.http1.apps.echo import describe, needs


class Fault(enum.Enum):
    """The fault of the server."""

    NONE = "nothing"
    # The head
    LF_IN_VALUE = "accepts LF as part of a field value"
    CR_ENDS_FIELD = "accepts CR as the end of a field line"
    SPACE_BEFORE_COLON = "ignores whitespace after a field name"
    UNDERSCORE = "treats an underscore in a name as a hyphen"
    UNICODE_SPACE = "strips all Unicode whitespace from names and values"
    UNICODE_LINES = "ends field lines at Unicode line boundaries"
    NULL_IN_VALUE = "accepts NUL as part of a field value"
    # Framing
    LENGTH_WINS = "uses Content-Length although there is a Transfer-Encoding"
    CODING_WINS = "uses Transfer-Encoding although there is a Content-Length, and keeps the connection"
    FIRST_LENGTH = "uses the first of several lengths"
    LAST_LENGTH = "uses the last of several lengths"
    FIRST_CODING = "uses the first of several codings"
    LAST_CODING = "uses the last of several codings"
    ANY_CODING = "searches for chunked anywhere in a coding"
    UNKNOWN_CODING = "ignores unknown codings"
    NO_BODY_OF_GET = "ignores the bodies of GET and OPTIONS"
    NOMINATED = "ignores the fields that Connection names"
    UNREAD = "responds early and does not read the body"
    # Sizes
    PYTHON_INT = "parses numbers with int()"
    WRAPS_32 = "keeps 32 bits of a chunk's size"
    WRAPS_64 = "keeps 64 bits of a chunk's size"
    C_STRTOL = "parses a chunk size up to the first octet that is not a digit"
    # Lines of the chunked coding
    LF_ENDS_SIZE = "accepts LF as the end of a chunk size line"
    LF_IN_EXTENSION = "accepts LF as part of an extension"
    CR_ENDS_SIZE = "accepts CR as the end of a chunk size line"
    CR_AND_ANY_END_SIZE = "accepts CR and any octet as the end of a chunk size line"
    QUOTED_LINE_END = "accepts CR LF in quotation marks as part of an extension"
    LF_ENDS_DATA = "accepts LF as the end of the chunk data"
    CR_ENDS_DATA = "accepts CR as the end of the chunk data"
    TWO_END_DATA = "accepts any two octets as the end of the chunk data"
    NOTHING_ENDS_DATA = "requires nothing after the chunk data"
    SPILL = "skips everything between the chunk data and the next line end"
    EMPTY_LINES = "skips empty lines between chunks"
    LF_ENDS_TRAILER = "accepts LF as the end of a trailer line"
    MERGES_TRAILERS = "adds trailers to the header fields"
    LAST_TRAILER_WINS = "replaces header fields by trailers"


class Refused(Exception):
    """Raised if the request must get a 400 response."""


class Incomplete(Exception):
    """Raised if more data is needed."""


_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
#: Patterns of the permitted characters around a name, and in a value.
_SPACES = {Fault.SPACE_BEFORE_COLON: rb"[ \t]*", Fault.UNICODE_SPACE: rb"\xa0*"}
_VALUES = {Fault.LF_IN_VALUE: rb"[^\r\0]*", Fault.NULL_IN_VALUE: rb"[^\r\n]*"}
_LINE_ENDS = {
    Fault.LF_ENDS_SIZE: rb"[^\n]*?(?:\r?\n)",
    Fault.LF_IN_EXTENSION: rb"[^\r]*\r\n",
    Fault.CR_ENDS_SIZE: rb"[^\r\n]*(?:\r\n|\r)",
    Fault.CR_AND_ANY_END_SIZE: rb"[^\r\n]*\r(?s:.)",
    Fault.QUOTED_LINE_END: rb'(?:"[^"]*"|[^\r\n"])*\r\n',
}
_DATA_ENDS = {
    Fault.LF_ENDS_DATA: rb"\r?\n",
    Fault.CR_ENDS_DATA: rb"\r\n?",
    Fault.TWO_END_DATA: rb"(?s:..)",
    Fault.NOTHING_ENDS_DATA: rb"(?:\r\n)?",
    Fault.SPILL: rb"[^\r\n]*\r\n",
    Fault.EMPTY_LINES: rb"(?:\r\n)+",
}


@dataclass
class Request:
    """A parsed request."""

    method: str
    target: str
    version: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    closes: bool = False
    end: int = 0

    def values(self, name: str) -> list[str]:
        """Return the values of a field."""
        return [value for each, value in self.fields if each.lower() == name]


class Reader:
    """A parser of the first request in the received data."""

    def __init__(self, data: bytes, fault: Fault) -> None:
        self._data, self._fault, self._position = data, fault, 0

    def read(self) -> Request:
        """Parse the request; its ``end`` is the start of the next one.

        :raises Refused: if the request is malformed.
        :raises Incomplete: if more data is needed.
        """
        request = self._head()
        if not (self._fault is Fault.NO_BODY_OF_GET and request.method in ("GET", "OPTIONS")):
            if self._is_chunked(request):
                self._chunks(request)
            else:
                request.body = self._take(self._length(request))
        request.end = self._position
        return request

    # The head

    def _head(self) -> Request:
        text, empty_line, _ = self._data.partition(b"\r\n\r\n")
        if not empty_line:
            raise Incomplete
        self._position = len(text) + 4
        line, *lines = text.split(b"\r\n")
        words = line.split(b" ")
        if len(words) != 3 or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise Refused
        method, target, version = (word.decode("latin-1") for word in words)
        if self._fault is Fault.CR_ENDS_FIELD:
            lines = [part for each in lines for part in each.split(b"\r")]
        elif self._fault is Fault.UNICODE_LINES:
            lines = [part.encode("latin-1") for each in lines for part in each.decode("latin-1").splitlines()]
        if self._fault is not Fault.LF_IN_VALUE:
            lines = [part for each in lines for part in each.split(b"\n")]
        fields = [self._field(each) for each in lines]
        request = Request(method, target, version, fields)
        options = {
            word.strip().lower() for value in request.values("connection") for word in value.split(",")
        }
        if self._fault is Fault.NOMINATED:
            request.fields = [each for each in fields if each[0].lower() not in options]
        request.closes = "close" in options or version == "HTTP/1.0"
        if len(request.values("host")) != 1:
            raise Refused
        return request

    def _field(self, line: bytes) -> tuple[str, str]:
        space = _SPACES.get(self._fault, b"")
        value = _VALUES.get(self._fault, rb"[\t\x20-\x7e\x80-\xff]*")
        match = re.fullmatch(rb"%b(%b)%b:(%b)" % (space, _NAME, space, value), line)
        if match is None:
            raise Refused
        name, text = match[1].decode(), match[2].decode("latin-1")
        if self._fault is Fault.UNDERSCORE:
            name = name.replace("_", "-")
        return name, self._strip(text)

    def _strip(self, text: str) -> str:
        return text.strip(None if self._fault is Fault.UNICODE_SPACE else " \t")

    # Framing

    def _is_chunked(self, request: Request) -> bool:
        lines, lengths = request.values("transfer-encoding"), request.values("content-length")
        if not lines or (lengths and self._fault is Fault.LENGTH_WINS):
            return False
        codings = [self._strip(coding).lower() for line in lines for coding in line.split(",")]
        if self._fault is Fault.FIRST_CODING:
            codings = codings[:1]
        elif self._fault is Fault.LAST_CODING:
            codings = codings[-1:]
        elif self._fault is Fault.ANY_CODING and any("chunked" in coding for coding in codings):
            codings = ["chunked"]
        elif self._fault is Fault.UNKNOWN_CODING and "chunked" not in codings:
            return False
        if codings != ["chunked"] or request.version == "HTTP/1.0":
            raise Refused
        if lengths and self._fault is not Fault.CODING_WINS:
            raise Refused
        return True

    def _length(self, request: Request) -> int:
        lengths = [each.strip(" \t") for line in request.values("content-length") for each in line.split(",")]
        if self._fault is Fault.FIRST_LENGTH:
            lengths = lengths[:1]
        elif self._fault is Fault.LAST_LENGTH:
            lengths = lengths[-1:]
        if len(set(lengths)) > 1:
            raise Refused
        if self._fault is Fault.LF_IN_VALUE and lengths:  # as atoi() does
            lengths = [lengths[0].split("\n")[0]]
        return self._number(lengths[0], 10, r"[0-9]{1,15}") if lengths else 0

    def _number(self, text: str, base: int, grammar: str) -> int:
        if self._fault is Fault.PYTHON_INT:
            try:
                return int(text, base)
            except ValueError:
                raise Refused from None
        if re.fullmatch(grammar, text, re.ASCII) is None:
            raise Refused
        return int(text, base)

    # Content

    def _take(self, size: int) -> bytes:
        if size > 1_000_000:
            raise Refused
        start, self._position = self._position, self._position + size
        if self._position > len(self._data):
            raise Incomplete
        return self._data[start : self._position]

    def _match(self, pattern: bytes) -> re.Match[bytes]:
        match = re.compile(pattern).match(self._data, self._position)
        if match is None:
            raise Refused if b"\n" in self._data[self._position :] else Incomplete
        self._position = match.end()
        return match

    def _chunks(self, request: Request) -> None:
        while size := self._size():
            request.body += self._take(size)
            if len(self._data) < self._position + 2:
                raise Incomplete
            self._match(_DATA_ENDS.get(self._fault, rb"\r\n"))
        self._trailers(request)

    def _size(self) -> int:
        line = self._match(_LINE_ENDS.get(self._fault, rb"[^\r\n]*\r\n"))[0]
        text = re.split(rb"[ \t]*;", line.rstrip(b"\r\n"), maxsplit=1)[0].decode("latin-1")
        if self._fault is Fault.CR_AND_ANY_END_SIZE:
            text = text.partition("\r")[0]
        if self._fault is Fault.C_STRTOL:
            text = re.match(r"[0-9a-fA-F]*", text)[0] or "0"  # type: ignore[index]
        wraps = {Fault.WRAPS_32: 32, Fault.WRAPS_64: 64}.get(self._fault)
        size = self._number(text, 16, r"[0-9a-fA-F]{1,40}" if wraps else r"[0-9a-fA-F]{1,16}")
        return size % 2**wraps if wraps else size

    def _trailers(self, request: Request) -> None:
        end = rb"\r?\n" if self._fault is Fault.LF_ENDS_TRAILER else rb"\r\n"
        while line := self._match(rb"([^\r\n]*)%b" % end)[1]:
            name, value = self._field(line)
            if self._fault is Fault.MERGES_TRAILERS:
                request.fields.append((name, value))
            elif self._fault is Fault.LAST_TRAILER_WINS:
                request.fields = [each for each in request.fields if each[0].lower() != name.lower()]
                request.fields.append((name, value))


def _answer(request: Request) -> bytes:
    status, _ = needs(request.target) or (200, False)
    text = b""
    if status == 200:
        host = request.values("host")[0]
        text = describe(request.method, request.target, request.version, host, request.fields, request.body)
    close = b"Connection: close\r\n" if request.closes else b""
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, close, len(text), text)


class FaultyServer(asyncio.Protocol):
    """A connection to the server."""

    def __init__(self, fault: Fault) -> None:
        self._fault, self._data = fault, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Respond to complete requests."""
        self._data += data
        try:
            while self._data and not self._transport.is_closing():
                request = self._first()
                self._transport.write(_answer(request))
                self._data = self._data[request.end :]
                if request.closes:
                    self._transport.close()
        except Incomplete:
            pass
        except Refused:
            self._transport.write(b"HTTP/1.1 400 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self._transport.close()

    def _first(self) -> Request:
        early = re.match(rb"POST /unread/early HTTP/1\.1\r\n(?s:.*?)\r\n\r\n", self._data)
        if early is None:
            return Reader(self._data, self._fault).read()
        closes = self._fault is not Fault.UNREAD
        return Request("POST", "/unread/early", "HTTP/1.1", [], closes=closes, end=early.end())


@contextlib.asynccontextmanager
async def serving_with(fault: Fault) -> AsyncIterator[tuple[str, int]]:
    """Run the server with this fault, and yield its address."""
    server = await asyncio.get_running_loop().create_server(lambda: FaultyServer(fault), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
