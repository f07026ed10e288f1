"""Parser of ``multipart/form-data`` bodies (RFC 7578, RFC 2046 section 5.1).

Theory of operation
-------------------
`MultipartParser.receive_data` takes the bytes of the body as they arrive. `MultipartParser.next_event`
returns, for each part, one `Part`, its content as slices, and `END_OF_PART`. A part that is completely in the
buffer is returned as one slice. At most the header of one part, or one delimiter, is buffered; content is
returned as it arrives. Only the end of the buffer where a delimiter may have begun is scanned again, so the
cost is linear in the size of the body, however the input is split. A line that begins with the boundary but
is not a delimiter, because other characters follow, is content, although RFC 2046 section 5.1.1 forbids it.
Each such line costs a separate search, so their number is limited.

`parse_multipart` parses a complete body with the same parser.

The following input is rejected with `HTTPInputError`: a part without a header section, a
``Content-Disposition`` other than ``form-data`` with a name, malformed header lines, a header section that is
not UTF-8, a delimiter inside a header section, too many lines that begin with the boundary but are not
delimiters, a body without its closing delimiter. A delimiter begins with CRLF; a bare LF is content. Data
before the first delimiter and after the closing delimiter is ignored, as RFC 2046 section 5.1.1 requires; the
size of the data before the first delimiter is limited.

Limits
------
====================  =======  ====================================================================
limit                 default  precedent
====================  =======  ====================================================================
`MAX_BOUNDARY_SIZE`   200      RFC 2046 section 5.1.1 permits 70, which some clients exceed
``max_parts``         100      Tornado's ``ParseMultipartConfig``
``max_header_size``   10 KiB   Tornado's ``ParseMultipartConfig``; also limits the preamble
`MAX_LOOKALIKES`      10,000   none: clients use random boundaries, so such lines do not occur
`MAX_HEADER_COUNT`    64       browsers send 2, mail-like clients about 5
`MAX_PARAMETERS`      64       parameters of a Content-Disposition; RFC 2231 splits long names into pieces
====================  =======  ====================================================================

States
------
`TRANSITIONS` contains the states that may follow each state. Each state but EPILOGUE is followed by ERROR if
the body is rejected.

============  ====================================  ========
state         event                                 next
============  ====================================  ========
``PREAMBLE``  the first delimiter                   HEADER
              a closing delimiter                   EPILOGUE
``HEADER``    an empty line                         BODY
``BODY``      a delimiter                           HEADER
              a closing delimiter                   EPILOGUE
``EPILOGUE``  (none: the rest is ignored)
``ERROR``     (none: every call raises)
============  ====================================  ========
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterator

from tornado._wire.errors import HTTPInputError
from tornado._wire.field_parameters import parse_parameters
from tornado._wire.headers import HTTPHeaders
from tornado._wire.state_machine import State, permit

__all__ = [
    "END_OF_PART",
    "TRANSITIONS",
    "EndOfPart",
    "MultipartParser",
    "Part",
    "MultipartState",
    "check_boundary",
    "parse_multipart",
]

MAX_BOUNDARY_SIZE = 200
MAX_LOOKALIKES = 10_000
MAX_PADDING = 128
MAX_HEADER_COUNT = 64
MAX_PARAMETERS = 64

_USED_PARAMETERS = frozenset(["name", "filename"])

# The rest of a delimiter after the boundary (RFC 2046 section 5.1.1), complete and incomplete.
_AFTER_BOUNDARY = re.compile(rb"(?:(--)|[ \t]{0,%d}+\r\n)" % MAX_PADDING)
_AFTER_BOUNDARY_PREFIX = re.compile(rb"-|[ \t]{0,%d}+\r?" % MAX_PADDING)


class MultipartState(State):
    """The part of the body that a `MultipartParser` reads next."""

    PREAMBLE = "preamble"
    HEADER = "header"
    BODY = "body"
    EPILOGUE = "epilogue"
    ERROR = "error"


_State = MultipartState

#: The states that may follow each state.
TRANSITIONS: dict[MultipartState, frozenset[MultipartState]] = {
    _State.PREAMBLE: frozenset({_State.HEADER, _State.EPILOGUE, _State.ERROR}),
    _State.HEADER: frozenset({_State.BODY, _State.ERROR}),
    _State.BODY: frozenset({_State.HEADER, _State.EPILOGUE, _State.ERROR}),
    _State.EPILOGUE: frozenset(),
    _State.ERROR: frozenset({_State.ERROR}),
}
permit(TRANSITIONS)


class EndOfPart(enum.Enum):
    """The type of `END_OF_PART`."""

    END_OF_PART = "end of part"


#: The event after the last slice of a part.
END_OF_PART = EndOfPart.END_OF_PART


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """The header section of a part.

    :ivar name: the name of the form field.
    :ivar filename: the file name as sent, possibly with directories; None or empty if the part is not a file.
    :ivar content_type: the Content-Type as sent, or None.
    :ivar headers: all header fields of the part.
    """

    name: str
    filename: str | None
    content_type: str | None
    headers: HTTPHeaders


def check_boundary(boundary: bytes) -> bytes:
    """Validate a boundary and return it without quotes.

    :raises HTTPInputError: if the boundary is empty, too long, or contains control characters.
    """
    if boundary[:1] == b'"' and boundary[-1:] == b'"':
        boundary = boundary[1:-1]
    if not 0 < len(boundary) <= MAX_BOUNDARY_SIZE:
        raise HTTPInputError(
            f"the multipart boundary must have 1 to {MAX_BOUNDARY_SIZE} bytes, got {len(boundary)}"
        )
    if min(boundary) < 0x20:
        raise HTTPInputError("the multipart boundary contains control characters")
    return boundary


class MultipartParser:
    """A push parser of one ``multipart/form-data`` body.

    :param boundary: the ``boundary`` parameter of the Content-Type field, quoted or not.
    :param max_parts: the maximum number of parts.
    :param max_header_size: the maximum size of a part's header section in bytes, without its empty line.
    :raises HTTPInputError: if the boundary is not valid.

    >>> parser = MultipartParser(b"xx")
    >>> parser.receive_data(b'--xx\\r\\nContent-Disposition: form-data; name="a"\\r\\n\\r\\n1\\r\\n--xx--')
    >>> parser.next_event().name, parser.next_event(), parser.next_event(), parser.next_event()
    ('a', b'1', <EndOfPart.END_OF_PART: 'end of part'>, None)
    """

    __slots__ = (
        "_buffer",
        "_delimiter",
        "_eof",
        "_lookalikes",
        "_max_header_size",
        "_parts",
        "_pending",
        "_position",
        "_scanned",
        "max_parts",
        "state",
    )  # fmt: skip

    def __init__(self, boundary: bytes, *, max_parts: int = 100, max_header_size: int = 10 * 1024) -> None:
        self._delimiter = b"\r\n--" + check_boundary(boundary)
        self.max_parts = max_parts
        self._max_header_size = max_header_size
        self.state = MultipartState.PREAMBLE
        self._buffer = b""
        self._position = 0  # index of the first byte that has not been consumed
        self._scanned = 0  # index before which no delimiter, or no empty line, begins
        self._pending: list[bytes] = []
        self._parts = self._lookalikes = 0
        self._eof = False

    def receive_data(self, data: bytes) -> None:
        """Buffer the next bytes of the body for `next_event`."""
        if self.state is not MultipartState.EPILOGUE and self.state is not MultipartState.ERROR:
            self._pending.append(data)

    def receive_eof(self) -> None:
        """Record the end of the body. `next_event` raises an error if the body is incomplete."""
        self._eof = True

    def next_event(self) -> Part | bytes | EndOfPart | None:
        """Return the next event, or None if more data is needed or the state is EPILOGUE.

        :raises HTTPInputError: if the body is malformed, exceeds a limit, or ends early.
        """
        try:
            self._join()
            if self.state is MultipartState.PREAMBLE:
                self._skip_preamble()
            if self.state is MultipartState.BODY:
                return self._read_body()
            if self.state is MultipartState.HEADER:
                return self._read_header()
            if self.state is MultipartState.ERROR:
                raise HTTPInputError("the multipart body has already been rejected")
            return None
        except HTTPInputError:
            self.state = self.state.to[MultipartState.ERROR]
            raise

    # -- buffer

    def _join(self) -> None:
        if not self._pending:
            return
        start = min(self._position, self._scanned)
        rest = self._buffer[start:]
        self._buffer = b"".join([rest, *self._pending] if rest else self._pending)
        self._position -= start
        self._scanned -= start
        self._pending.clear()

    def _need_more(self) -> None:
        if self._eof:
            raise HTTPInputError("no final boundary found: the multipart body ends early")

    # -- delimiters

    def _find_delimiter(self) -> tuple[int, int, bool] | None:
        """Return the next delimiter as (begin, end, closing), or None if none is complete.

        If there is none, set ``_scanned`` to the end of the content that cannot be part of a delimiter.
        """
        buffer, delimiter = self._buffer, self._delimiter
        if self.state is MultipartState.PREAMBLE and self._scanned == 0:
            # At the very beginning of the body, the first delimiter has no CRLF.
            if not self._eof and delimiter.startswith(buffer, 2):
                return None
            if buffer.startswith(delimiter[2:]):
                match = _AFTER_BOUNDARY.match(buffer, len(delimiter) - 2)
                if match is not None:
                    return -2, match.end(), match[1] is not None
                if self._may_become_delimiter(-2):
                    return None
        begin = buffer.find(delimiter, self._scanned)
        while begin != -1:
            after = begin + len(delimiter)
            match = _AFTER_BOUNDARY.match(buffer, after)
            if match is not None:
                return begin, match.end(), match[1] is not None
            if self._may_become_delimiter(begin):
                self._scanned = begin
                return None
            self._lookalikes += 1
            if self._lookalikes > MAX_LOOKALIKES:
                raise HTTPInputError(
                    f"multipart/form-data has more than {MAX_LOOKALIKES} lines that begin with the boundary "
                    "but are not delimiters (RFC 2046 section 5.1.1)"
                )
            begin = buffer.find(delimiter, after)
        # An incomplete delimiter can only begin within the last bytes. Its only CR is its first byte.
        begin = buffer.rfind(b"\r", max(self._scanned, len(buffer) - len(delimiter) + 1))
        possible = begin >= 0 and delimiter.startswith(buffer[begin:])
        self._scanned = begin if possible else len(buffer)
        return None

    def _may_become_delimiter(self, begin: int) -> bool:
        """Whether the boundary at ``begin`` may become a delimiter when more data arrives."""
        after = begin + len(self._delimiter)
        return not self._eof and _AFTER_BOUNDARY_PREFIX.fullmatch(self._buffer, after) is not None

    def _pass_delimiter(self, end: int, closing: bool) -> None:
        if closing:
            self.state = self.state.to[MultipartState.EPILOGUE]
            self._buffer = b""
            self._position = self._scanned = 0
            return
        self._parts += 1
        if self._parts > self.max_parts:
            raise HTTPInputError(
                f"multipart/form-data has too many parts: at most {self.max_parts} (max_parts) are accepted"
            )
        self.state = self.state.to[MultipartState.HEADER]
        self._position = end
        self._scanned = end - 2  # if the header section is empty, the CRLF of the delimiter ends it

    # -- states

    def _skip_preamble(self) -> None:
        found = self._find_delimiter()
        if found is None:
            if self._scanned > self._max_header_size:
                raise HTTPInputError(
                    f"multipart/form-data has no boundary in its first {self._scanned} bytes"
                )
            self._need_more()
        else:
            self._pass_delimiter(found[1], found[2])

    def _read_header(self) -> Part | None:
        end = self._buffer.find(b"\r\n\r\n", self._scanned)
        size = (len(self._buffer) - 3 if end < 0 else end) - self._position
        if size > self._max_header_size:
            raise HTTPInputError(
                f"multipart/form-data part header too large: over {self._max_header_size} bytes "
                "(max_part_header_size)"
            )
        if end < 0:
            self._scanned = max(self._position - 2, len(self._buffer) - 3)
            self._need_more()
            return None
        block = self._buffer[self._position : end]
        if end < self._position or self._delimiter in b"\r\n" + block:
            raise HTTPInputError(
                "multipart/form-data missing headers: a part must have header fields and an empty line after "
                "them"
            )
        part = _parse_part_header(block)
        self.state = self.state.to[MultipartState.BODY]
        self._position = end + 4
        self._scanned = end + 2  # the delimiter after an empty part may begin with the CRLF of the empty line
        return part

    def _read_body(self) -> bytes | EndOfPart | None:
        found = self._find_delimiter()
        end = self._scanned if found is None else found[0]
        if end > self._position:
            content = self._buffer[self._position : end]
            self._position = end
            if found is not None:
                self._scanned = end
            return content
        if found is None:
            self._need_more()
            return None
        self._pass_delimiter(found[1], found[2])
        return END_OF_PART


def _parse_part_header(block: bytes) -> Part:
    if block.count(b"\n") >= MAX_HEADER_COUNT:
        raise HTTPInputError(f"multipart/form-data part has more than {MAX_HEADER_COUNT} header fields")
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError as error:
        raise HTTPInputError("multipart/form-data part header is not UTF-8") from error
    headers = HTTPHeaders.parse(text, _chars_are_bytes=False)
    dispositions = headers.get_list("Content-Disposition")
    if not dispositions:
        raise HTTPInputError("multipart/form-data part has no Content-Disposition")
    if len(dispositions) > 1:
        raise HTTPInputError("multipart/form-data part has more than one Content-Disposition")
    kind, parameters = parse_parameters(dispositions[0], max_count=MAX_PARAMETERS, only=_USED_PARAMETERS)
    if kind.lower() != "form-data":
        raise HTTPInputError(
            f"expected Content-Disposition form-data in a part of multipart/form-data, got {kind[:40]!r}"
        )
    name = parameters.get("name")
    if not name:
        raise HTTPInputError("multipart/form-data missing name in the Content-Disposition of a part")
    return Part(name, parameters.get("filename"), headers.get("Content-Type"), headers)


def parse_multipart(
    boundary: bytes, data: bytes, *, max_parts: int = 100, max_header_size: int = 10 * 1024
) -> Iterator[tuple[Part, bytes]]:
    """Yield the parts of a complete body with their contents.

    :raises HTTPInputError: as `MultipartParser` does, after the parts before the error have been yielded.
    """
    parser = MultipartParser(boundary, max_parts=max_parts, max_header_size=max_header_size)
    parser.receive_data(data)
    parser.receive_eof()
    while (part := parser.next_event()) is not None:
        assert isinstance(part, Part)  # the body is complete, so no event of a part is missing
        content = b""
        while isinstance(event := parser.next_event(), bytes):
            content = content + event if content else event
        yield part, content
