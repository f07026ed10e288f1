"""``multipart/form-data`` bodies (RFC 7578, RFC 2046 section 5.1), whole or as they arrive.

Theory of operation
-------------------
`MultipartParser` is fed with `receive_data` and asked with `next_event`, which gives, for each part, one
`Part`, its content as slices, and `END_OF_PART`. A part that is in the buffer as a whole comes as one slice.
At most one part's header, or one delimiter, is ever held back; content passes through. The end of the buffer
is looked at again only where a delimiter may have begun, so that the cost is linear in the size of the body
however it is cut. What looks like a delimiter and is none (the boundary with something else behind it) is
content, although RFC 2046 section 5.1.1 forbids it there; each costs a search of its own, so that they are
counted.

`parse_multipart` runs the same parser over a whole body.

What is refused, always as `HTTPInputError`: a part without a header block, a ``Content-Disposition`` other
than ``form-data`` with a name, header lines that are no fields, text that is not UTF-8, a delimiter inside a
header block, too many lines that look like delimiters, a body without its closing delimiter. A delimiter
begins with CRLF; a lone LF is content. What comes before the first delimiter and after the closing one is
ignored, as RFC 2046 section 5.1.1 demands; the former is bounded.

Limits
------
====================  =======  ====================================================================
limit                 default  precedent
====================  =======  ====================================================================
boundary              70       RFC 2046 section 5.1.1; 200 here, for clients that do not count
``max_parts``         100      Tornado's ``ParseMultipartConfig``
``max_header_size``   10 KiB   the same; also the bound of the preamble
`MAX_LOOKALIKES`      10,000   none: of the random boundaries that clients make there is never one
`MAX_HEADER_COUNT`    64       browsers send 2, mail-like clients some 5
`MAX_PARAMETERS`      64       of a Content-Disposition; RFC 2231 cuts long names into pieces
====================  =======  ====================================================================

States
------
============  ====================================  ========
state         what ends it                          next
============  ====================================  ========
``PREAMBLE``  the first delimiter                   HEADER
              a closing delimiter                   EPILOGUE
``HEADER``    an empty line                         BODY
``BODY``      a delimiter                           HEADER
              a closing delimiter                   EPILOGUE
``EPILOGUE``  (nothing: all that follows is lost)
``ERROR``     (nothing: every call raises)
============  ====================================  ========
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterator

from tornado._wire.errors import HTTPInputError
from tornado._wire.headers import HTTPHeaders
from tornado._wire.parameters import parse_parameters

__all__ = [
    "END_OF_PART",
    "EndOfPart",
    "MultipartParser",
    "Part",
    "State",
    "check_boundary",
    "parse_multipart",
]

MAX_BOUNDARY_SIZE = 200
MAX_LOOKALIKES = 10_000
MAX_PADDING = 128
MAX_HEADER_COUNT = 64
MAX_PARAMETERS = 64

_USED_PARAMETERS = frozenset(["name", "filename"])

# What may follow a boundary (RFC 2046 section 5.1.1: transport-padding), whole or as far as it has come.
_AFTER_BOUNDARY = re.compile(rb"(?:(--)|[ \t]{0,%d}+\r\n)" % MAX_PADDING)
_AFTER_BOUNDARY_PREFIX = re.compile(rb"-|[ \t]{0,%d}+\r?" % MAX_PADDING)


class State(enum.Enum):
    """Where a `MultipartParser` is."""

    PREAMBLE = "preamble"
    HEADER = "header"
    BODY = "body"
    EPILOGUE = "epilogue"
    ERROR = "error"


class EndOfPart(enum.Enum):
    """The type of `END_OF_PART`."""

    END_OF_PART = "end of part"


#: The event after the last slice of a part.
END_OF_PART = EndOfPart.END_OF_PART


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """The beginning of a part.

    :ivar name: the form field's name.
    :ivar filename: as the client gave it, perhaps with directories; None or empty where the part is no file.
    :ivar content_type: as the client gave it, or None.
    :ivar headers: all header fields of the part.
    """

    name: str
    filename: str | None
    content_type: str | None
    headers: HTTPHeaders


def check_boundary(boundary: bytes) -> bytes:
    """The boundary without the quotes it may be in.

    :raises HTTPInputError: if it is empty, too long, or holds control characters.
    """
    if boundary[:1] == b'"' and boundary[-1:] == b'"':
        boundary = boundary[1:-1]
    if not 0 < len(boundary) <= MAX_BOUNDARY_SIZE:
        raise HTTPInputError(f"a multipart boundary has 1 to {MAX_BOUNDARY_SIZE} bytes, not {len(boundary)}")
    if min(boundary) < 0x20:
        raise HTTPInputError("a multipart boundary holds control characters")
    return boundary


class MultipartParser:
    """A push parser of one ``multipart/form-data`` body.

    :arg boundary: the parameter of the Content-Type field, quoted or not.
    :arg max_parts: the highest number of parts.
    :arg max_header_size: the most bytes that a part's header block may have, without the empty line after it.
    :raises HTTPInputError: if the boundary is not one.

    >>> parser = MultipartParser(b"xx")
    >>> parser.receive_data(b'--xx\\r\\nContent-Disposition: form-data; name="a"\\r\\n\\r\\n1\\r\\n--xx--')
    >>> parser.next_event().name, parser.next_event(), parser.next_event(), parser.next_event()
    ('a', b'1', <EndOfPart.END_OF_PART: 'end of part'>, None)
    """

    __slots__ = (
        "_at", "_buffer", "_delimiter", "_eof", "_lookalikes", "_max_header_size", "_parts", "_pending",
        "_scanned", "max_parts", "state",
    )  # fmt: skip

    def __init__(self, boundary: bytes, *, max_parts: int = 100, max_header_size: int = 10 * 1024) -> None:
        self._delimiter = b"\r\n--" + check_boundary(boundary)
        self.max_parts = max_parts
        self._max_header_size = max_header_size
        self.state = State.PREAMBLE
        self._buffer = b""
        self._at = 0  # what is before it in the buffer is done with
        self._scanned = 0  # no delimiter, or no empty line, begins before it
        self._pending: list[bytes] = []
        self._parts = self._lookalikes = 0
        self._eof = False

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        if self.state is not State.EPILOGUE and self.state is not State.ERROR:
            self._pending.append(data)

    def receive_eof(self) -> None:
        """Take note that the body is complete; `next_event` raises if it should not be."""
        self._eof = True

    def next_event(self) -> Part | bytes | EndOfPart | None:
        """The next event, or None where more data is needed, or in the state EPILOGUE.

        :raises HTTPInputError: if the body is malformed, passes a limit, or ends early.
        """
        try:
            self._join()
            if self.state is State.PREAMBLE:
                self._skip_preamble()
            if self.state is State.BODY:
                return self._read_body()
            if self.state is State.HEADER:
                return self._read_header()
            if self.state is State.ERROR:
                raise HTTPInputError("the multipart body was refused already")
            return None
        except HTTPInputError:
            self.state = State.ERROR
            raise

    # -- buffer

    def _join(self) -> None:
        if not self._pending:
            return
        keep = min(self._at, self._scanned)
        rest = self._buffer[keep:]
        self._buffer = b"".join([rest, *self._pending] if rest else self._pending)
        self._at -= keep
        self._scanned -= keep
        self._pending.clear()

    def _need_more(self) -> None:
        if self._eof:
            raise HTTPInputError("no final boundary found: the multipart body ends early")

    # -- delimiters

    def _find_delimiter(self) -> tuple[int, int, bool] | None:
        """The next delimiter as (begin, end, closing); None where there is none yet.

        Then ``_scanned`` is where content ends that can be no part of a delimiter.
        """
        buffer, delimiter = self._buffer, self._delimiter
        if self.state is State.PREAMBLE and self._scanned == 0:
            # The first delimiter may stand at the very beginning, without its CRLF.
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
                    "and are no delimiter (RFC 2046 section 5.1.1)"
                )
            begin = buffer.find(delimiter, after)
        # A delimiter that has only begun lies within the last bytes; its CR is the only one it has, at its
        # head.
        begin = buffer.rfind(b"\r", max(self._scanned, len(buffer) - len(delimiter) + 1))
        possible = begin >= 0 and delimiter.startswith(buffer[begin:])
        self._scanned = begin if possible else len(buffer)
        return None

    def _may_become_delimiter(self, begin: int) -> bool:
        """Whether what begins there with the boundary may still become a delimiter."""
        after = begin + len(self._delimiter)
        return not self._eof and _AFTER_BOUNDARY_PREFIX.fullmatch(self._buffer, after) is not None

    def _pass_delimiter(self, end: int, closing: bool) -> None:
        if closing:
            self.state = State.EPILOGUE
            self._buffer = b""
            self._at = self._scanned = 0
            return
        self._parts += 1
        if self._parts > self.max_parts:
            raise HTTPInputError(
                f"multipart/form-data has too many parts: at most {self.max_parts} (max_parts) are accepted"
            )
        self.state = State.HEADER
        self._at = end
        self._scanned = end - 2  # an empty header block ends with the delimiter's own CRLF

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
        size = (len(self._buffer) - 3 if end < 0 else end) - self._at
        if size > self._max_header_size:
            raise HTTPInputError(
                f"multipart/form-data part header too large: over {self._max_header_size} bytes "
                "(max_part_header_size)"
            )
        if end < 0:
            self._scanned = max(self._at - 2, len(self._buffer) - 3)
            self._need_more()
            return None
        block = self._buffer[self._at : end]
        if end < self._at or self._delimiter in b"\r\n" + block:
            raise HTTPInputError(
                "multipart/form-data missing headers: a part has none, or no empty line after them"
            )
        part = _parse_part_header(block)
        self.state = State.BODY
        self._at = end + 4
        self._scanned = end + 2  # the delimiter after an empty part may share that line's end
        return part

    def _read_body(self) -> bytes | EndOfPart | None:
        found = self._find_delimiter()
        end = self._scanned if found is None else found[0]
        if end > self._at:
            content = self._buffer[self._at : end]
            self._at = end
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
            f"a part of multipart/form-data has the Content-Disposition {kind[:40]!r}, not form-data"
        )
    name = parameters.get("name")
    if not name:
        raise HTTPInputError("multipart/form-data missing name: the Content-Disposition of a part gives none")
    return Part(name, parameters.get("filename"), headers.get("Content-Type"), headers)


def parse_multipart(
    boundary: bytes, data: bytes, *, max_parts: int = 100, max_header_size: int = 10 * 1024
) -> Iterator[tuple[Part, bytes]]:
    """The parts of a whole body with their contents, one after the other.

    :raises HTTPInputError: as `MultipartParser`; the parts before the fault have been given then.
    """
    parser = MultipartParser(boundary, max_parts=max_parts, max_header_size=max_header_size)
    parser.receive_data(data)
    parser.receive_eof()
    while (part := parser.next_event()) is not None:
        assert isinstance(part, Part)  # the body is complete, so that the events of a part come together
        content = b""
        while isinstance(event := parser.next_event(), bytes):
            content = content + event if content else event
        yield part, content
