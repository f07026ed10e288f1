"""Decoder and serializer of the chunked transfer coding (RFC 9112 section 7.1).

Theory of operation
-------------------
`ChunkedDecoder.decode` takes a buffer and a position. It decodes as much as possible and returns the content,
joined into one piece, with the position where it stopped. The decoder buffers no data: its state is the phase
and the number of bytes of the current chunk that have not arrived.

Attackers, and programs that write character by character, send runs of chunks of up to 15 bytes. One regular
expression recognizes a run, and one list comprehension splits it. Any other complete chunk costs one match
and one slice; only incomplete chunks go through the phases one by one. The search for the end of an
incomplete line resumes where the previous search stopped, so the cost is linear however the input is split.

Every line must end in CRLF, including trailer lines: section 2.2 permits a bare LF in the head of a message,
but not in the chunked coding. A chunk size consists of hexadecimal digits only: no sign, prefix, underscore
or whitespace. Chunk extensions are ignored (section 7.1.1) unless they contain a control character. Trailer
fields are validated like header fields and kept separate from them.

Limits
------
The following are limited: the length of a line (`Limits.max_chunk_line`); the number of digits of a chunk
size (`max_chunk_size_digits`); the total size of a message's extensions (`max_chunk_extensions`, plus one
byte for each sixteen bytes of content, as in Go's net/http); the size and the number of trailer fields
(`max_trailer_size`, `max_trailer_count`); and the size of the content, which is checked at the size line of
each chunk.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from tornado._wire.errors import BodyTooLarge, HeadTooLarge, HTTPInputError
from tornado._wire.header_validation import check_field_lines
from tornado._wire.limits import DEFAULT, Limits
from tornado._wire.start_line import shown
from tornado._wire.state_machine import State, permit

__all__ = ["LAST_CHUNK", "ChunkedDecoder", "ChunkPhase", "serialize_chunk"]

Buffer = bytes | bytearray

#: The number of bytes of content for each of which one byte of extensions is permitted beyond the fixed
#: limit.
CONTENT_PER_EXTENSION: Final = 16

#: The end of a chunked body without trailers.
LAST_CHUNK = b"0\r\n\r\n"

# chunk-size CRLF. The bound on the number of digits prevents repeated scans of a long line while it arrives.
_match_size = re.compile(rb"([0-9A-Fa-f]{1,32}+)\r\n").match
# chunk-size [ chunk-ext ] CRLF; chunk-ext = *( BWS ";" BWS chunk-ext-name [ ... ] )
_match_size_line = re.compile(rb"([0-9A-Fa-f]{1,32}+)([ \t]*+;[\t\x20-\x7e\x80-\xff]*+)?\r\n").match

# One complete chunk of 1 to 15 bytes. Its data may contain CR and LF, so each size has a separate branch.
_SMALL_CHUNK = "|".join(
    rf"{size if size < 10 else f'[{size:x}{size:X}]'}\r\n.{{{size}}}\r\n" for size in range(1, 16)
).encode("ascii")
# The bound keeps the stack of the matcher small; a longer run takes several steps.
_SMALL_CHUNKS = rb"(?:%b){2,1000}" % _SMALL_CHUNK
# Both patterns are large and rarely needed, so they are compiled on first use rather than at import.
_compiled = functools.cache(functools.partial(re.compile, flags=re.DOTALL))
_find_bare_lf = re.compile(rb"(?<!\r)\n").search
_SMALL_CHUNK_FRAMING = len(b"1\r\n\r\n")


class ChunkPhase(State):
    """The part of the coding that a decoder reads next."""

    SIZE = 0  #: a chunk-size line
    DATA = 1  #: the data of a chunk
    DATA_END = 2  #: the line end after the data of a chunk
    TRAILERS = 3  #: the trailer section, after the size line of the last chunk
    FINISHED = 4  #: nothing, because the empty line that ends the body has been read


#: The phases that may follow each phase.
TRANSITIONS: dict[ChunkPhase, frozenset[ChunkPhase]] = {
    ChunkPhase.SIZE: frozenset({ChunkPhase.SIZE, ChunkPhase.DATA, ChunkPhase.TRAILERS}),
    ChunkPhase.DATA: frozenset({ChunkPhase.DATA_END}),
    ChunkPhase.DATA_END: frozenset({ChunkPhase.SIZE}),
    ChunkPhase.TRAILERS: frozenset({ChunkPhase.FINISHED}),
    ChunkPhase.FINISHED: frozenset(),
}
permit(TRANSITIONS)

# These are module globals, because looking up an enum member costs more than a transition.
_SIZE, _DATA, _DATA_END, _TRAILERS, _FINISHED = ChunkPhase


def serialize_chunk(data: bytes) -> bytes:
    """Serialize ``data`` as one chunk. Empty data yields no chunk, because an empty chunk ends the body.

    >>> serialize_chunk(b"hello")
    b'5\\r\\nhello\\r\\n'
    """
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


class ChunkedDecoder:
    """A decoder of one chunked body.

    :ivar phase: the part that is read next; FINISHED once the body and its trailer section are complete.
    :ivar received: the size of the chunks decoded or announced so far, in bytes.
    :ivar trailers_block: the trailer section as Latin-1 text; empty if the body has none.
    """

    __slots__ = ("_extensions", "_limits", "_remaining", "_scanned", "phase", "received", "trailers_block")

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self._limits = limits
        self.phase = _SIZE
        self.received = 0
        self.trailers_block = ""
        self._remaining = 0
        self._extensions = 0
        self._scanned = 0

    def decode(self, buffer: Buffer, position: int, max_size: int) -> tuple[bytes, int]:
        """Decode as much of the buffer as possible.

        :param buffer: the received data; ``buffer[position:]`` has not been consumed by an earlier call.
        :param max_size: the maximum size of the whole body's content, in bytes.
        :returns: the content, possibly empty, and the position of the first byte not consumed.
        :raises BodyTooLarge: if the content exceeds ``max_size``.
        :raises HeadTooLarge: if the trailer section exceeds its limits.
        :raises HTTPInputError: if the coding is malformed.
        """
        parts: list[Buffer] = []
        end = len(buffer)
        while position < end and self.phase is not _FINISHED:
            before, phase = position, self.phase
            if phase is _SIZE:
                position = self._whole_chunks(buffer, position, max_size, parts)
                if position == before:
                    position = self._size_line(buffer, position, max_size)
                else:
                    self._scanned = 0  # the scanned line has been consumed
            elif phase is _DATA:
                position = self._data(buffer, position, parts)
            elif phase is _DATA_END:
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
        """Decode the complete chunks without extensions at ``position``; the phases decode all other
        input.
        """
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
            self.phase = self.phase.to[_TRAILERS]
        else:
            self._add(size, max_size)
            self._remaining = size
            self.phase = self.phase.to[_DATA]
        return match.end()

    def _end_of_line(self, buffer: Buffer, position: int) -> int:
        """Return the index after the LF of the chunk-size line, or -1 if it has not arrived."""
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
                f"chunk extensions exceed {limit} bytes, the limit for this amount of content "
                "(max_chunk_extensions)"
            )

    def _data(self, buffer: Buffer, position: int, parts: list[Buffer]) -> int:
        data = buffer[position : position + self._remaining]
        parts.append(data)
        self._remaining -= len(data)
        if self._remaining == 0:
            self.phase = self.phase.to[_DATA_END]
        return position + len(data)

    def _data_end(self, buffer: Buffer, position: int) -> int:
        line_end = buffer[position : position + 2]
        if line_end == b"\r\n":
            self.phase = self.phase.to[_SIZE]
            return position + 2
        if line_end == b"\r":
            return position
        raise HTTPInputError(f"improperly terminated chunk: expected CRLF, got {bytes(line_end)!r}")

    def _trailers(self, buffer: Buffer, position: int) -> int:
        # RFC 9112 section 7.1.2: trailer-section = *( field-line CRLF ), then CRLF.
        if buffer.startswith(b"\r\n", position):
            self.phase = self.phase.to[_FINISHED]
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
                f"{count} trailer fields exceed the limit of {self._limits.max_trailer_count} "
                "(max_trailer_count)"
            )
        check_field_lines(text)
        self.trailers_block = text
        self.phase = self.phase.to[_FINISHED]
        return end + 4


def _text(buffer: Buffer, start: int, end: int) -> str:
    """Return a part of the buffer, quoted for an error message."""
    return shown(bytes(buffer[start:end]).decode("latin-1"))
