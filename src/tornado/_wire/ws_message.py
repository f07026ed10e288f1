"""Reassembly of one incoming WebSocket message from the payloads of its frames (RFC 6455 section 5.4).

Theory of operation
-------------------
An `IncomingMessage` exists only while a message is incomplete. The connection creates it for a message that
is compressed, or that does not arrive complete in one frame. It processes the payload as it arrives, so that
violations are detected early: each piece is unmasked, decompressed in steps if it is compressed, and decoded
up to the last complete character if the message is text. Short frames that have arrived together are passed
as one piece that is already unmasked (`IncomingMessage.take_frames`; see `ws_short_frames`). Each byte is
processed once. The decoded message is accumulated in a buffer that grows in place, not in a list of pieces.

Rejected input
--------------
A text message that is not valid UTF-8 is rejected at the first invalid byte (1007). A message over the limit
on its size is rejected at the header of the frame that exceeds the limit, or during decompression (1009).
Compressed data of more than twice the limit is rejected, too, because its decompression takes time even if
the output is empty (1009). If there is a limit on the compression ratio, a message over 1 MiB that exceeds it
is rejected (1009).

Limits
------
See `tornado._wire.ws_connection.WSLimits`.
"""

from __future__ import annotations

import codecs
import io
import math
from typing import Final

from tornado._wire.state_machine import State, permit
from tornado._wire.ws_deflate import MAX_STEP_INPUT, TAIL, Inflater
from tornado._wire.ws_errors import InvalidPayload, MessageTooLarge
from tornado._wire.ws_frames import FIN, rotate_key
from tornado.util import _websocket_mask

__all__ = ["TRANSITIONS", "IncomingMessage", "MessagePhase", "invalid_text", "too_large"]

#: The decompressed size of a message, in bytes, up to which its compression ratio is not limited.
UNLIMITED_RATIO_SIZE: Final = 1024 * 1024
#: The number of compressed bytes accepted beyond twice the size limit, for the headers of small blocks.
_COMPRESSED_SLACK: Final = 1024


class MessagePhase(State):
    """The next part of the input that an incomplete message needs."""

    HEADER = "the header of the next frame"
    PAYLOAD = "the payload of a frame"
    TAIL = "the end of the compressed data"  #: all payload has arrived, and `TAIL` is being decompressed
    COMPLETE = "nothing"


#: The phases that may follow each phase.
TRANSITIONS: Final[dict[MessagePhase, frozenset[MessagePhase]]] = {
    MessagePhase.HEADER: frozenset({MessagePhase.PAYLOAD}),
    MessagePhase.PAYLOAD: frozenset({MessagePhase.HEADER, MessagePhase.TAIL, MessagePhase.COMPLETE}),
    MessagePhase.TAIL: frozenset({MessagePhase.COMPLETE}),
    MessagePhase.COMPLETE: frozenset(),
}
permit(TRANSITIONS)

# These are module globals, because looking up an enum member costs more than a transition.
_HEADER, _PAYLOAD, _TAIL, _COMPLETE = MessagePhase


class IncomingMessage:
    """An incomplete message.

    :param is_text: whether the message is text: it must be UTF-8, and its value is a `str`.
    :param inflater: the decompressor; None for an uncompressed message.
    :param max_size: the maximum size of the message after decompression, in bytes.
    :param max_ratio: the maximum compression ratio of a message over `UNLIMITED_RATIO_SIZE` bytes.
    :ivar backlog: whether compressed data waits for `inflate`. While it does, `take` must not be called.
    :ivar fragments: the number of frames so far.
    :ivar max_wire_size: the maximum of `wire_size`.
    :ivar phase: the next part of the input that the message needs.
    :ivar remaining: the size of the part of the current frame's payload that has not arrived, in bytes.
    :ivar wire_size: the announced payload size of all frames so far, in bytes.
    """

    __slots__ = (
        "_binary",
        "_fin",
        "_key",
        "_max_ratio",
        "_max_size",
        "_size",
        "_tail",
        "_text",
        "_unread",
        "backlog",
        "fragments",
        "inflater",
        "max_wire_size",
        "phase",
        "remaining",
        "wire_size",
    )

    def __init__(
        self, is_text: bool, inflater: Inflater | None, max_size: int, max_ratio: float = math.inf
    ) -> None:
        self.inflater = inflater
        self.backlog = False
        self.fragments = 0
        self.phase = _HEADER
        self.remaining = 0
        self.wire_size = 0
        self.max_wire_size = max_size if inflater is None else 2 * max_size + _COMPRESSED_SLACK
        self._max_size = max_size
        self._max_ratio = max_ratio
        self._size = 0
        self._key = b""
        self._fin = False
        self._unread = b""
        self._binary = bytearray()
        self._text = io.StringIO() if is_text else None
        self._tail = b""  # an incomplete character at the end of the data so far

    @property
    def in_frame(self) -> bool:
        """Whether a frame has started and has not ended."""
        phase = self.phase
        return phase is _PAYLOAD or phase is _TAIL

    def begin_frame(self, first: int, length: int, key: bytes) -> None:
        """Start a frame after its header has been parsed.

        :raises MessageTooLarge: if the message exceeds its limit with this frame.
        """
        self.fragments += 1
        self.wire_size += length
        if self.wire_size > self.max_wire_size:
            raise too_large(self._max_size)
        self.remaining = length
        self._key = key
        self._fin = first & FIN != 0
        self.phase = self.phase.to[_PAYLOAD]

    def take(self, data: bytes, at: int) -> int:
        """Consume payload of the current frame from ``data[at:]``.

        :returns: the position after the consumed bytes.
        :raises InvalidPayload: if a text message is not valid UTF-8.
        """
        stop = at + self.remaining
        if self.inflater is not None:
            stop = min(stop, at + MAX_STEP_INPUT)
        piece = data[at:stop]
        size = len(piece)
        if self._key:
            piece = _websocket_mask(self._key, piece)
            self._key = rotate_key(self._key, size)
        self.remaining -= size
        self._process(piece)
        return at + size

    def take_frames(self, payload: bytes, count: int, final: bool) -> None:
        """Consume complete frames that are within the limits, as if they were one frame.

        :param payload: their joined payload, unmasked; at most `MAX_STEP_INPUT` bytes.
        :param count: the number of frames.
        :param final: whether the last frame ends the message.
        :raises InvalidPayload: if a text message is not valid UTF-8.
        """
        self.fragments += count
        self.wire_size += len(payload)
        self._fin = final
        self.phase = self.phase.to[_PAYLOAD]
        self._process(payload)

    def _process(self, piece: bytes) -> None:
        if self.inflater is None:
            self._add(piece)
        else:
            self._unread = piece
            self.backlog = True

    def inflate(self, size: int) -> int:
        """Decompress a part of the waiting data in one step.

        :param size: the maximum size of the output, in bytes; positive.
        :returns: the size of the output, in bytes.
        :raises MessageTooLarge: if the message exceeds its limit.
        :raises InvalidPayload: if a text message is not valid UTF-8.
        :raises ProtocolError: if the compressed data is invalid.
        """
        assert self.inflater is not None
        capacity = self._max_size - self._size + 1
        output, self._unread = self.inflater.step(self._unread, min(size, capacity))
        self.backlog = self.inflater.more or self._unread != b""
        if len(output) == capacity:
            raise too_large(self._max_size)
        self._size += len(output)
        if self._size > UNLIMITED_RATIO_SIZE and self._size > self._max_ratio * (
            self.wire_size - self.remaining
        ):
            raise MessageTooLarge(
                f"message decompresses to more than {self._max_ratio:g} times its size (max_inflation_ratio)"
            )
        self._add(output)
        return len(output)

    def end_frame(self) -> bool:
        """End the current frame, whose payload has been consumed.

        :returns: whether the message is complete.
        :raises InvalidPayload: if a text message ends in the middle of a character.
        """
        if not self._fin:
            self.phase = self.phase.to[_HEADER]
            return False
        if self.inflater is not None and self.phase is _PAYLOAD:
            self.phase = self.phase.to[_TAIL]
            self._unread = TAIL
            self.backlog = True
            return False
        self.phase = self.phase.to[_COMPLETE]
        if self._tail:
            raise invalid_text()
        return True

    def value(self) -> str | bytes:
        """Return the complete message."""
        return bytes(self._binary) if self._text is None else self._text.getvalue()

    def _add(self, piece: bytes) -> None:
        if self._text is None:
            self._binary += piece
            return
        if self._tail:
            piece = self._tail + piece
        try:
            text, used = codecs.utf_8_decode(piece, "strict", False)
        except UnicodeDecodeError:
            raise invalid_text() from None
        self._text.write(text)
        self._tail = piece[used:]


def too_large(limit: int) -> MessageTooLarge:
    """Return the error for a message of more than ``limit`` bytes."""
    return MessageTooLarge(f"message exceeds the limit of {limit} bytes (max_message_size)")


def invalid_text() -> InvalidPayload:
    """Return the error for a text message that is not valid UTF-8."""
    return InvalidPayload("text message is not valid UTF-8")
