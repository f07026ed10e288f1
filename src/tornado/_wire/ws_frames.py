"""WebSocket frames: headers, masking and the payload of close frames (RFC 6455 sections 5 and 7.4).

Theory of operation
-------------------
This module consists of pure functions. `read_header` parses the header of a frame. It makes all checks that
do not need the payload; it checks the first two bytes before the rest of the header has arrived.
`serialize_frame` serializes a frame. Nearly all frames sent by servers are unmasked and have at most 125
bytes of payload; tables contain the headers of such frames, so that serialization is one concatenation.

Masking uses operations implemented in C: on one large integer for a short payload, with four translation
tables of 256 bytes for a long one (`tornado.util._websocket_mask`; the threshold was measured).

Rejected input
--------------
Each of the following fails the connection with close code 1002: a reserved bit that no negotiated extension
defines, or an unassigned opcode (section 5.2); a control frame that is fragmented or longer than 125 bytes
(section 5.5); a payload length that is not encoded in the fewest bytes or has its most significant bit set,
because implementations could disagree about its value (section 5.2); a masked frame from a server or an
unmasked frame from a client (section 5.1); a close frame with a payload of one byte or with an invalid close
code (sections 5.5.1 and 7.4).

Limits
------
A header has at most 14 bytes, the payload of a control frame at most 125.
"""

from __future__ import annotations

import enum
import struct
from typing import Final

from tornado._wire.ws_errors import InvalidPayload, ProtocolError
from tornado.util import _websocket_mask

__all__ = [
    "LENGTH_MASKS",
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
    "rotate_key",
    "serialize_frame",
    "write_medium_head",
]

FIN: Final = 0x80
RSV1: Final = 0x40
MASK: Final = 0x80

#: Section 5.5: the maximum payload of a control frame, in bytes.
MAX_CONTROL_PAYLOAD: Final = 125
#: The maximum length of a close reason, which follows the two bytes of the close code, in bytes.
MAX_REASON: Final = MAX_CONTROL_PAYLOAD - 2


class Opcode(enum.IntEnum):
    """The type of a frame (RFC 6455 section 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


# These are plain integers, because access to an enum member takes as long as parsing a short frame's header.
_OPCODES = frozenset(int(opcode) for opcode in Opcode)

#: The headers of unmasked text frames, indexed by payload length (0 to 125 bytes).
SHORT_TEXT: Final = tuple(bytes([FIN | Opcode.TEXT, size]) for size in range(126))
#: The headers of unmasked binary frames, indexed by payload length (0 to 125 bytes).
SHORT_BINARY: Final = tuple(bytes([FIN | Opcode.BINARY, size]) for size in range(126))

# A short payload is unmasked as one integer: payload ^ (key * REPEAT & LENGTH_MASKS) (section 5.3). The
# tables are indexed by payload length, 0 to 125 bytes.
#: Functions that read the masking key, as an integer, and the payload of the frame at an offset.
READ_MASKED: Final = tuple(struct.Struct(f"<2xI{size}s").unpack_from for size in range(126))
#: Factors that repeat a masking key over the length of the payload.
REPEAT: Final = tuple(((1 << (size + 3) // 4 * 32) - 1) // 0xFFFFFFFF for size in range(126))
#: Bit masks that cut the repeated key to the length of the payload.
LENGTH_MASKS: Final = tuple((1 << 8 * size) - 1 for size in range(126))

_read_16 = struct.Struct("!H").unpack_from
_read_64 = struct.Struct("!Q").unpack_from
#: Return the first four bytes of a frame: the first byte, 126 and perhaps `MASK`, the size of the payload.
write_medium_head = struct.Struct("!BBH").pack
_write_64 = struct.Struct("!BBQ").pack

# Sections 7.4.1 and 7.4.2, and the IANA registry (1012 to 1014). 1005, 1006 and 1015 must not be sent, 1004
# is undefined, and the other codes below 3000 are reserved for later versions of the protocol.
_REGISTERED = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))


# -- reading --


def read_header(data: bytes, at: int, masked: bool, may_compress: bool) -> tuple[int, int, bytes, int] | None:
    """Parse and validate the header of the frame at ``data[at]``.

    :param masked: whether the peer must mask its frames, that is, whether it is a client.
    :param may_compress: whether compression was negotiated, so that RSV1 is allowed (RFC 7692 section 6).
    :returns: the first byte, the length of the payload in bytes, the masking key (empty for none) and the
        position of the payload; None if the header is incomplete.
    :raises ProtocolError: if the header is invalid.
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
        raise ProtocolError(f"reserved bits {reserved >> 4:03b} in a frame with opcode {opcode}")
    if opcode >= Opcode.CLOSE:
        if not first & FIN:
            raise ProtocolError("fragmented control frame")
        if second & 0x7F > MAX_CONTROL_PAYLOAD:
            raise ProtocolError(f"control frame longer than {MAX_CONTROL_PAYLOAD} bytes")
    if bool(second & MASK) is not masked:
        raise ProtocolError("unmasked frame from a client" if masked else "masked frame from a server")


def _read_length(data: bytes, position: int, marker: int) -> tuple[int, int]:
    """Read the extended payload length; return it with the position after it."""
    if marker == 126:
        (length,) = _read_16(data, position)
        position += 2
        if length < 126:
            raise ProtocolError(f"payload length {length} is encoded in more bytes than necessary")
        return length, position
    (length,) = _read_64(data, position)
    if length < 1 << 16:
        raise ProtocolError(f"payload length {length} is encoded in more bytes than necessary")
    if length >> 63:
        raise ProtocolError("the most significant bit of a payload length is set")
    return length, position + 8


def rotate_key(key: bytes, offset: int) -> bytes:
    """Return the masking key for the payload after its first ``offset`` bytes (RFC 6455 section 5.3)."""
    offset &= 3
    return key[offset:] + key[:offset] if offset else key


def is_close_code(code: int) -> bool:
    """Whether a close frame may contain this code (RFC 6455 section 7.4)."""
    return code in _REGISTERED or 3000 <= code <= 4999


def read_close_payload(payload: bytes) -> tuple[int | None, str]:
    """Parse the payload of a close frame (RFC 6455 section 5.5.1).

    :returns: the close code, None if the payload is empty, and the reason.
    :raises ProtocolError: if the payload is a single byte, or the code is invalid.
    :raises InvalidPayload: if the reason is not valid UTF-8.
    """
    if not payload:
        return None, ""
    if len(payload) == 1:
        raise ProtocolError("close frame with a payload of one byte: a close code has two bytes")
    (code,) = _read_16(payload)
    if not is_close_code(code):
        raise ProtocolError(f"invalid close code {code}")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise InvalidPayload("close reason is not valid UTF-8") from None


# -- writing --


def serialize_frame(first: int, payload: bytes, key: bytes = b"") -> bytes:
    """Serialize one frame.

    :param first: the first byte: FIN, RSV1 and the opcode.
    :param key: the masking key of four bytes, required for a client; empty for a server.
    """
    size = len(payload)
    mask = MASK if key else 0
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 1 << 16:
        head = write_medium_head(first, mask | 126, size)
    else:
        head = _write_64(first, mask | 127, size)
    if key:
        return head + key + _websocket_mask(key, payload)
    return head + payload


def close_payload(code: int | None, reason: str = "") -> bytes:
    """Serialize the payload of a close frame.

    :param code: the close code; None for an empty payload, or for 1000 if there is a reason.
    :raises ValueError: if the code must not be sent, or the reason exceeds `MAX_REASON` bytes of UTF-8.
    """
    if code is None:
        if not reason:
            return b""
        code = 1000
    if not is_close_code(code):
        raise ValueError(
            f"close code must be 1000-1003, 1007-1014 or 3000-4999 (RFC 6455 section 7.4), got {code}"
        )
    encoded = reason.encode()
    if len(encoded) > MAX_REASON:
        raise ValueError(f"close reason must not exceed {MAX_REASON} bytes of UTF-8, got {len(encoded)}")
    return code.to_bytes(2, "big") + encoded
