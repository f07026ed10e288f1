"""One WebSocket message on its way in, from the pieces of its frames to a value (RFC 6455 section 5.4).

Theory of operation
-------------------
There is an `IncomingMessage` only while a message is incomplete: the protocol makes it when a message does
not come whole in one frame and one chunk, or is compressed, and lets go of it with the message. It takes the
payload as it arrives, so that the limits and the encoding are checked at once: a piece is unmasked,
decompressed in steps where it is compressed, and, in a text, decoded up to the last whole character. Short
frames that have come together are one piece, unmasked already (`IncomingMessage.take_frames`; see
`ws_short_frames`). Nothing is looked at twice, and what is kept is what the message will be, in buffers that
grow in place, not a list of pieces.

What is refused, and why
------------------------
Text that is no UTF-8, by the first byte that makes it impossible (1007). A message over the limit on its
size, by the header of the frame that leads over it, or while it is decompressed (1009); compressed data of
twice that many bytes, which may decompress to nothing at all, but takes time (1009). A message of more than
1 MiB that decompresses to more than so many times what has come of it, where there is a limit on that (1009).

Limits
------
See `tornado._wire.ws_connection.WSSettings`.
"""

from __future__ import annotations

import codecs
import io
import math
from typing import Final

from tornado._wire.ws_deflate import PIECE, TAIL, Inflater
from tornado._wire.ws_errors import InvalidPayload, MessageTooLarge
from tornado._wire.ws_frames import FIN, rotated
from tornado.util import _websocket_mask

__all__ = ["IncomingMessage", "invalid_text", "too_large"]

#: Decompressed bytes up to which their ratio to the compressed ones does not matter.
RATIO_FREE: Final = 1024 * 1024
#: Compressed bytes of a message that are taken beyond twice the limit on its size: headers of small blocks.
_COMPRESSED_SLACK: Final = 1024


class IncomingMessage:
    """A message under way.

    :param is_text: whether it has to be UTF-8, and becomes `str`.
    :param inflater: for a compressed message.
    :param max_size: the limit on its size in bytes, after decompression.
    :param max_ratio: times that it may grow in decompression once it is over `RATIO_FREE`.
    :ivar backlog: compressed data is waiting for `inflate`; no more may be taken until then.
    :ivar fragments: frames so far.
    :ivar in_frame: a frame has begun and has not been ended.
    :ivar max_wire_size: what `wire_size` may be.
    :ivar remaining: bytes of the frame's payload that have not come.
    :ivar wire_size: bytes of payload in all frames so far, as announced.
    """

    __slots__ = (
        "_binary",
        "_ending",
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
        "in_frame",
        "inflater",
        "max_wire_size",
        "remaining",
        "wire_size",
    )

    def __init__(
        self, is_text: bool, inflater: Inflater | None, max_size: int, max_ratio: float = math.inf
    ) -> None:
        self.inflater = inflater
        self.backlog = False
        self.fragments = 0
        self.in_frame = False
        self.remaining = 0
        self.wire_size = 0
        self.max_wire_size = max_size if inflater is None else 2 * max_size + _COMPRESSED_SLACK
        self._max_size = max_size
        self._max_ratio = max_ratio
        self._size = 0
        self._key = b""
        self._fin = False
        self._ending = False
        self._unread = b""
        self._binary = bytearray()
        self._text = io.StringIO() if is_text else None
        self._tail = b""  # the beginning of a character

    def begin_frame(self, first: int, length: int, key: bytes) -> None:
        """A frame's header has come.

        :raises MessageTooLarge: if the message passes its limit with it.
        """
        self.fragments += 1
        self.wire_size += length
        if self.wire_size > self.max_wire_size:
            raise too_large(self._max_size)
        self.remaining = length
        self._key = key
        self._fin = first & FIN != 0
        self.in_frame = True

    def take(self, data: bytes, at: int) -> int:
        """Take payload from ``data[at:]``, no further than the frame goes.

        :return: the position behind it.
        :raises InvalidPayload: if a text is no UTF-8.
        """
        stop = at + self.remaining
        if self.inflater is not None:
            stop = min(stop, at + PIECE)
        piece = data[at:stop]
        size = len(piece)
        if self._key:
            piece = _websocket_mask(self._key, piece)
            self._key = rotated(self._key, size)
        self.remaining -= size
        self._give(piece)
        return at + size

    def take_frames(self, payload: bytes, count: int, final: bool) -> None:
        """Take so many frames that are there as a whole, and within the limits, as if they were one.

        :param payload: theirs, unmasked; no more than `PIECE`.
        :param final: the last one of them ends the message.
        :raises InvalidPayload: if a text is no UTF-8.
        """
        self.fragments += count
        self.wire_size += len(payload)
        self._fin = final
        self.in_frame = True
        self._give(payload)

    def _give(self, piece: bytes) -> None:
        if self.inflater is None:
            self._add(piece)
        else:
            self._unread = piece
            self.backlog = True

    def inflate(self, size: int) -> int:
        """Decompress up to ``size`` bytes, more than 0, of what is waiting, in one step.

        :return: how many it has become.
        :raises MessageTooLarge: if the message passes its limit.
        :raises InvalidPayload: if a text is no UTF-8.
        :raises ProtocolError: if the compressed data is damaged.
        """
        assert self.inflater is not None
        room = self._max_size - self._size + 1
        output, self._unread = self.inflater.step(self._unread, min(size, room))
        self.backlog = self.inflater.more or self._unread != b""
        if len(output) == room:
            raise too_large(self._max_size)
        self._size += len(output)
        if self._size > RATIO_FREE and self._size > self._max_ratio * (self.wire_size - self.remaining):
            raise MessageTooLarge(
                f"a message is over {self._max_ratio:g} times what was sent (max_inflation_ratio)"
            )
        self._add(output)
        return len(output)

    def end_frame(self) -> bool:
        """All of the frame's payload has been taken; tell whether the message is complete.

        :raises InvalidPayload: if a text ends in the middle of a character.
        """
        if self._fin and self.inflater is not None and not self._ending:
            self._ending = self.backlog = True
            self._unread = TAIL
            return False
        self.in_frame = False
        if self._fin and self._tail:
            raise invalid_text()
        return self._fin

    def value(self) -> str | bytes:
        """The message."""
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
    """The refusal of a message of more than ``limit`` bytes."""
    return MessageTooLarge(f"a message is over the limit of {limit} bytes (max_message_size)")


def invalid_text() -> InvalidPayload:
    """The refusal of a text message that is no UTF-8."""
    return InvalidPayload("a text message is not valid UTF-8")
