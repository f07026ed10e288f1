"""The chunked transfer coding: from octets on the wire to octets of content (RFC 9112 section 7.1).

Theory of operation
-------------------
`ChunkedDecoder.decode` is given a buffer and a position; it takes what it can and returns the content, all of
it joined into one piece, with the position it stopped at. It keeps no octets itself, only what it must know:
the phase, and how much of a chunk is still to come.

Runs of chunks of up to 15 octets, which is what an attacker or a program that writes character by character
sends, are recognised by one regular expression and taken apart in one list comprehension; every other chunk
that is there as a whole costs one match and one slice. Only what is not goes through the phases one by one.
An unfinished line is searched for its end only, and that from where the last search stopped, so the cost
stays linear however the input is split.

Each line must end in CR LF, trailer lines too: section 2.2 lets a head end its lines in LF, not the coding. A
size is hexadecimal digits alone: no sign, prefix, underscore or white space. What stands behind a semicolon
is ignored, as section 7.1.1 asks, unless it holds a control character; trailers are checked like header
fields and kept apart from them.

Limits
------
A line (`Limits.max_chunk_line`); the digits of a size (`max_chunk_size_digits`); all extensions of a message,
beyond one octet of them for sixteen of content (`max_chunk_extensions`, a budget as in Go's net/http);
trailers in octets and number (`max_trailer_size`, `max_trailer_count`); and the content, refused at the size
line of the chunk that would pass the limit.
"""

from __future__ import annotations

import enum
import functools
import re
from typing import Final

from tornado._wire.errors import BodyTooLarge, HeadTooLarge, HTTPInputError
from tornado._wire.fields import check_field_lines
from tornado._wire.limits import DEFAULT, Limits
from tornado._wire.startline import shown

__all__ = ["LAST_CHUNK", "ChunkedDecoder", "Phase", "serialize_chunk"]

Buffer = bytes | bytearray

#: Octets of content that pay for one octet of extensions, beyond the ones that are free.
CONTENT_PER_EXTENSION: Final = 16

#: The end of a chunked body without trailers.
LAST_CHUNK = b"0\r\n\r\n"

# chunk-size CRLF. The bound on the digits keeps a long line from being scanned again and again while it
# arrives.
_match_size = re.compile(rb"([0-9A-Fa-f]{1,32}+)\r\n").match
# chunk-size [ chunk-ext ] CRLF; chunk-ext = *( BWS ";" BWS chunk-ext-name [ ... ] )
_match_size_line = re.compile(rb"([0-9A-Fa-f]{1,32}+)([ \t]*+;[\t\x20-\x7e\x80-\xff]*+)?\r\n").match

# One whole chunk of 1 to 15 octets: CR and LF inside its data are data, which is why each size has its own
# branch.
_SMALL_CHUNK = "|".join(
    rf"{size if size < 10 else f'[{size:x}{size:X}]'}\r\n.{{{size}}}\r\n" for size in range(1, 16)
).encode("ascii")
# The bound keeps the matcher's stack small; a longer run is taken in several steps.
_SMALL_CHUNKS = rb"(?:%b){2,1000}" % _SMALL_CHUNK
# Both are large and rarely needed: compiled on first use, not at every program's start.
_compiled = functools.cache(functools.partial(re.compile, flags=re.DOTALL))
_find_bare_lf = re.compile(rb"(?<!\r)\n").search
_SMALL_CHUNK_FRAMING = len(b"1\r\n\r\n")


class Phase(enum.IntEnum):
    """Where in the coding a decoder is."""

    SIZE = 0  #: at the start of a chunk-size line
    DATA = 1  #: inside a chunk's data
    DATA_END = 2  #: at the line end behind a chunk's data
    TRAILERS = 3  #: behind the last chunk's size line
    FINISHED = 4  #: behind the empty line that ends the body


#: From each phase, where decoding may go on.
TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.SIZE: frozenset({Phase.SIZE, Phase.DATA, Phase.TRAILERS}),
    Phase.DATA: frozenset({Phase.DATA_END}),
    Phase.DATA_END: frozenset({Phase.SIZE}),
    Phase.TRAILERS: frozenset({Phase.FINISHED}),
    Phase.FINISHED: frozenset(),
}


def serialize_chunk(data: bytes) -> bytes:
    """Write ``data`` as one chunk. No data gives no chunk, as an empty one would end the body.

    >>> serialize_chunk(b"hello")
    b'5\\r\\nhello\\r\\n'
    """
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


class ChunkedDecoder:
    """Reads one chunked body.

    :ivar phase: where it is; FINISHED once the body and its trailers are complete.
    :ivar received: octets of content decoded or announced so far.
    :ivar trailers_block: the trailer lines as Latin-1 text, empty where there are none.
    """

    __slots__ = ("_extensions", "_limits", "_remaining", "_scanned", "phase", "received", "trailers_block")

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self._limits = limits
        self.phase = Phase.SIZE
        self.received = 0
        self.trailers_block = ""
        self._remaining = 0
        self._extensions = 0
        self._scanned = 0

    def decode(self, buffer: Buffer, position: int, max_size: int) -> tuple[bytes, int]:
        """Decode as much as is there.

        :param buffer: what has arrived; ``buffer[position:]`` is what no earlier call has taken.
        :param max_size: octets of content that the whole body may have.
        :return: the content, empty if none is complete enough, and the position of the first octet not taken.
        :raises BodyTooLarge: if the content passes ``max_size``.
        :raises HeadTooLarge: if the trailers pass their limits.
        :raises HTTPInputError: if the coding is broken.
        """
        parts: list[Buffer] = []
        end = len(buffer)
        while position < end and self.phase is not Phase.FINISHED:
            before, phase = position, self.phase
            if phase is Phase.SIZE:
                position = self._whole_chunks(buffer, position, max_size, parts)
                if position == before:
                    position = self._size_line(buffer, position, max_size)
                else:
                    self._scanned = 0  # of a line that has been taken meanwhile
            elif phase is Phase.DATA:
                position = self._data(buffer, position, parts)
            elif phase is Phase.DATA_END:
                position = self._data_end(buffer, position)
            else:
                position = self._trailers(buffer, position)
            if position == before:
                break
        if len(parts) == 1:
            return bytes(parts[0]), position
        return b"".join(parts), position

    def _add(self, size: int, max_size: int) -> None:
        self.received += size
        if self.received > max_size:
            raise BodyTooLarge(f"chunked body too large: over the limit of {max_size} bytes (max_body_size)")

    def _whole_chunks(self, buffer: Buffer, position: int, max_size: int, parts: list[Buffer]) -> int:
        """Take the chunks without extensions that are there as a whole; the rest is for the phases."""
        longest_size_line = self._limits.max_chunk_size_digits + 2
        while (match := _match_size(buffer, position)) is not None:
            start = match.end()
            size = int(match[1], 16)
            end = start + size
            if 0 < size < 16 and (run := _compiled(_SMALL_CHUNKS).match(buffer, position)) is not None:
                chunks = _compiled(_SMALL_CHUNK).findall(buffer, position, run.end())
                size = run.end() - position - _SMALL_CHUNK_FRAMING * len(chunks)
                parts += [chunk[3:-2] for chunk in chunks]
                position = run.end()
            elif size and buffer.startswith(b"\r\n", end) and start - position <= longest_size_line:
                parts.append(buffer[start:end])
                position = end + 2
            else:
                break
            self._add(size, max_size)
        return position

    def _size_line(self, buffer: Buffer, position: int, max_size: int) -> int:
        match = _match_size(buffer, position)
        if match is None:
            line_end = self._end_of_line(buffer, position)
            if line_end < 0:
                return position
            match = _match_size_line(buffer, position, line_end)
            if match is None:
                raise HTTPInputError(f"invalid chunk size line {_text(buffer, position, line_end)}")
            self._add_extension(len(match[2] or b""))
        digits = match[1]
        if len(digits) > self._limits.max_chunk_size_digits:
            raise HTTPInputError(
                f"invalid chunk size of {len(digits)} digits: more than {self._limits.max_chunk_size_digits} "
                "(max_chunk_size_digits)"
            )
        size = int(digits, 16)
        self._scanned = 0
        if size == 0:
            self.phase = Phase.TRAILERS
        else:
            self._add(size, max_size)
            self._remaining = size
            self.phase = Phase.DATA
        return match.end()

    def _end_of_line(self, buffer: Buffer, position: int) -> int:
        """The index behind the chunk-size line's LF, or -1 if it has not come yet."""
        limit = self._limits.max_chunk_line
        line_end = buffer.find(b"\n", position + self._scanned, position + limit) + 1
        if line_end == 0:
            self._scanned = len(buffer) - position
            if self._scanned >= limit:
                raise HTTPInputError(f"chunk size line longer than {limit} bytes (max_chunk_line)")
            return -1
        return line_end

    def _add_extension(self, size: int) -> None:
        self._extensions += size
        limit = self._limits.max_chunk_extensions + self.received // CONTENT_PER_EXTENSION
        if self._extensions > limit:
            raise HTTPInputError(
                f"too many chunk extensions for so little content: over {limit} bytes (max_chunk_extensions)"
            )

    def _data(self, buffer: Buffer, position: int, parts: list[Buffer]) -> int:
        data = buffer[position : position + self._remaining]
        parts.append(data)
        self._remaining -= len(data)
        if self._remaining == 0:
            self.phase = Phase.DATA_END
        return position + len(data)

    def _data_end(self, buffer: Buffer, position: int) -> int:
        line_end = buffer[position : position + 2]
        if line_end == b"\r\n":
            self.phase = Phase.SIZE
            return position + 2
        if line_end == b"\r":
            return position
        raise HTTPInputError(f"improperly terminated chunk: CR LF expected, got {bytes(line_end)!r}")

    def _trailers(self, buffer: Buffer, position: int) -> int:
        # RFC 9112 section 7.1.2: trailer-section = *( field-line CRLF ), then CRLF.
        if buffer.startswith(b"\r\n", position):
            self.phase = Phase.FINISHED
            return position + 2
        limit = self._limits.max_trailer_size
        end = buffer.find(b"\r\n\r\n", position + max(self._scanned - 3, 0), position + limit)
        bare = _find_bare_lf(buffer, position + self._scanned, position + limit if end < 0 else end)
        if bare is not None:
            raise HTTPInputError(f"bare LF in the trailer section {_text(buffer, position, bare.end())}")
        if end < 0:
            self._scanned = len(buffer) - position
            if self._scanned >= limit:
                raise HeadTooLarge(f"trailer section longer than {limit} bytes (max_trailer_size)")
            return position
        text = bytes(buffer[position : end + 2]).decode("latin-1")
        count = text.count("\n")
        if count > self._limits.max_trailer_count:
            raise HeadTooLarge(
                f"{count} trailer fields are more than the limit of {self._limits.max_trailer_count} "
                "(max_trailer_count)"
            )
        check_field_lines(text)
        self.trailers_block = text
        self.phase = Phase.FINISHED
        return end + 4


def _text(buffer: Buffer, start: int, end: int) -> str:
    """A part of the buffer, quoted for an error message."""
    return shown(bytes(buffer[start:end]).decode("latin-1"))
