"""WebSocket frames: one frame's header, the mask, the close frame's payload (RFC 6455 sections 5 and 7.4).

Theory of operation
-------------------
Everything here is a pure function. `read_header` looks at the first bytes of a frame and checks all that can
be checked before the payload is there, the first two bytes as soon as they have come. `serialize_frame`
writes a frame; the heads of frames without a mask of up to 125 bytes, nearly all there are, stand in a table,
so that such a frame is one concatenation.

Masks are applied in C: as one long number where the payload is short, through four tables of 256 bytes where
it is long (`tornado.util._websocket_mask`; the border is measured).

What is refused, and why
------------------------
All of it with 1002. A reserved bit that no extension has defined and an opcode that nobody has assigned: what
they mean is unknown (section 5.2). A control frame that is fragmented or longer than 125 bytes (section 5.5).
A length not written in the fewest bytes, or with its highest bit set (section 5.2): two parties could read
two lengths. A mask from a server, none from a client (section 5.1). A close frame with one byte, or with a
code that must not be sent (sections 5.5.1 and 7.4).

Limits
------
A header has at most 14 bytes; a control frame's payload at most 125.
"""

from __future__ import annotations

import enum
import struct
from typing import Final

from tornado._wire.ws_errors import InvalidPayload, ProtocolError
from tornado.util import _websocket_mask

__all__ = [
    "CUT",
    "MAX_CONTROL_PAYLOAD",
    "MAX_REASON",
    "READ_MASKED",
    "REPEAT",
    "SHORT_BINARY",
    "SHORT_TEXT",
    "Opcode",
    "close_payload",
    "is_close_code",
    "read_close_payload",
    "read_header",
    "rotated",
    "serialize_frame",
]

FIN: Final = 0x80
RSV1: Final = 0x40
MASK: Final = 0x80

#: Section 5.5: the bytes a control frame may carry.
MAX_CONTROL_PAYLOAD: Final = 125
#: The bytes of a close frame's reason, behind the code.
MAX_REASON: Final = MAX_CONTROL_PAYLOAD - 2


class Opcode(enum.IntEnum):
    """RFC 6455 section 5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


# Plain numbers: an access to a member of an enumeration costs as much as reading a short frame's header.
_OPCODES = frozenset(int(opcode) for opcode in Opcode)

#: The heads of text frames of 0 to 125 bytes without a mask, by their length.
SHORT_TEXT: Final = tuple(bytes([FIN | Opcode.TEXT, size]) for size in range(126))
#: The same of binary frames.
SHORT_BINARY: Final = tuple(bytes([FIN | Opcode.BINARY, size]) for size in range(126))

# A short masked payload is unmasked as one number: the mask's, repeated and cut to its length (section 5.3).
#: For payloads of 0 to 125 bytes: reads a frame's mask as a number, and its payload, from an offset.
READ_MASKED: Final = tuple(struct.Struct(f"<2xI{size}s").unpack_from for size in range(126))
#: What to multiply a mask with to repeat it.
REPEAT: Final = tuple(((1 << (size + 3) // 4 * 32) - 1) // 0xFFFFFFFF for size in range(126))
#: The bits that the payload has.
CUT: Final = tuple((1 << 8 * size) - 1 for size in range(126))

_read_16 = struct.Struct("!H").unpack_from
_read_64 = struct.Struct("!Q").unpack_from
_write_16 = struct.Struct("!BBH").pack
_write_64 = struct.Struct("!BBQ").pack

# Sections 7.4.1 and 7.4.2, and IANA's registry (1012 to 1014). 1005, 1006 and 1015 are never sent, 1004 has
# no meaning yet, and what is left below 3000 is kept for later versions of the protocol.
_REGISTERED = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))


# -- reading --


def read_header(data: bytes, at: int, masked: bool, may_compress: bool) -> tuple[int, int, bytes, int] | None:
    """Read and check the header of the frame that begins at ``data[at]``.

    :param masked: whether the peer has to mask: it is a client.
    :param may_compress: whether RSV1 has been given a meaning (RFC 7692 section 6).
    :return: the first byte, the payload's length in bytes, the mask (empty for none) and where the payload
        begins; None while the header is incomplete.
    :raises ProtocolError: if the frame must not be like this.
    """
    end = len(data)
    if end - at < 2:
        return None
    first, second = data[at], data[at + 1]
    length = second & 0x7F
    _check_first_bytes(first, second, masked, may_compress)
    position = at + 2
    if length >= 126:
        if end < position + (2 if length == 126 else 8):
            return None
        length, position = _read_length(data, position, length)
    if not masked:
        return first, length, b"", position
    if end < position + 4:
        return None
    return first, length, data[position : position + 4], position + 4


def _check_first_bytes(first: int, second: int, masked: bool, may_compress: bool) -> None:
    opcode = first & 0x0F
    reserved = first & 0x70
    if opcode not in _OPCODES:
        raise ProtocolError(f"unknown opcode {opcode}")
    if reserved and not (reserved == RSV1 and may_compress and opcode in (Opcode.TEXT, Opcode.BINARY)):
        raise ProtocolError(f"reserved bits {reserved >> 4:03b} in a frame of opcode {opcode}")
    if opcode >= Opcode.CLOSE:
        if not first & FIN:
            raise ProtocolError("a control frame is fragmented")
        if second & 0x7F > MAX_CONTROL_PAYLOAD:
            raise ProtocolError(f"a control frame is longer than {MAX_CONTROL_PAYLOAD} bytes")
    if bool(second & MASK) is not masked:
        raise ProtocolError(
            "a frame from a client is not masked" if masked else "a frame from a server is masked"
        )


def _read_length(data: bytes, position: int, marker: int) -> tuple[int, int]:
    """The extended payload length, and the position behind it."""
    if marker == 126:
        (length,) = _read_16(data, position)
        position += 2
        if length < 126:
            raise ProtocolError(f"the length {length} is written in more bytes than it needs")
        return length, position
    (length,) = _read_64(data, position)
    if length < 1 << 16:
        raise ProtocolError(f"the length {length} is written in more bytes than it needs")
    if length >> 63:
        raise ProtocolError("the highest bit of a frame's length is set")
    return length, position + 8


def rotated(key: bytes, offset: int) -> bytes:
    """The mask for what follows the first ``offset`` bytes of a payload (RFC 6455 section 5.3)."""
    offset &= 3
    return key[offset:] + key[:offset] if offset else key


def is_close_code(code: int) -> bool:
    """Whether a close frame may carry this code (RFC 6455 section 7.4)."""
    return code in _REGISTERED or 3000 <= code <= 4999


def read_close_payload(payload: bytes) -> tuple[int | None, str]:
    """The code of a close frame, None if it has none, and the reason (RFC 6455 section 5.5.1).

    :raises ProtocolError: if there is one byte, or a code that must not be sent.
    :raises InvalidPayload: if the reason is no UTF-8.
    """
    if not payload:
        return None, ""
    if len(payload) == 1:
        raise ProtocolError("a close frame with one byte, where a code has two")
    (code,) = _read_16(payload)
    if not is_close_code(code):
        raise ProtocolError(f"close code {code} must not be sent")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise InvalidPayload("the reason of a close frame is not valid UTF-8") from None


# -- writing --


def serialize_frame(first: int, payload: bytes, key: bytes = b"") -> bytes:
    """Write one frame.

    :param first: its first byte: FIN, RSV1 and the opcode.
    :param key: four bytes to mask it with, which a client has to; none for a server.
    """
    size = len(payload)
    mask = MASK if key else 0
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 1 << 16:
        head = _write_16(first, mask | 126, size)
    else:
        head = _write_64(first, mask | 127, size)
    if key:
        return head + key + _websocket_mask(key, payload)
    return head + payload


def close_payload(code: int | None, reason: str = "") -> bytes:
    """What a close frame carries.

    :param code: None for a frame that carries nothing; a reason alone goes with 1000.
    :raises ValueError: if the code must not be sent, or the reason has more than `MAX_REASON` bytes of UTF-8.
    """
    if code is None:
        if not reason:
            return b""
        code = 1000
    if not is_close_code(code):
        raise ValueError(f"close code {code} must not be sent (RFC 6455 section 7.4)")
    encoded = reason.encode()
    if len(encoded) > MAX_REASON:
        raise ValueError(f"the reason for closing has {len(encoded)} bytes; a close frame takes {MAX_REASON}")
    return code.to_bytes(2, "big") + encoded
