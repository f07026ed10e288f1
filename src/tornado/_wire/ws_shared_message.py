"""A WebSocket message that goes to many connections (RFC 7692 section 6 where it is compressed).

Theory of operation
-------------------
The frame that is neither compressed nor masked is made at once. A compressed one is made when the first
connection asks that has agreed on such a window, and kept: it is compressed with a context of its own, so
that it means the same to every receiver. A client's frames are never shared, as each has its own mask.

Limits
------
One frame for each pair of window and policy in use: a handful.
"""

from __future__ import annotations

from typing import Final

from tornado._wire.ws_deflate import DeflatePolicy, compress_once
from tornado._wire.ws_frames import FIN, RSV1, Opcode, serialize_frame

__all__ = ["SharedMessage"]

_TEXT: Final = FIN | Opcode.TEXT.value
_BINARY: Final = FIN | Opcode.BINARY.value


class SharedMessage:
    """A message for many connections; see `Connection.shared`.

    :param message: text, or its UTF-8; with `binary` any bytes.
    :ivar payload: its bytes.
    :ivar first: the first byte of its frame.
    :ivar plain: its frame, neither compressed nor masked.
    """

    __slots__ = ("_compressed", "first", "payload", "plain")

    def __init__(self, message: str | bytes, binary: bool = False) -> None:
        self.payload: bytes = message.encode() if isinstance(message, str) else message
        self.first: int = _BINARY if binary else _TEXT
        self.plain: bytes = serialize_frame(self.first, self.payload)
        self._compressed: dict[tuple[int, int, int], bytes] = {}

    def compressed(self, window_bits: int, policy: DeflatePolicy) -> bytes:
        """The compressed frame, not masked, for a window and a policy's levels; made when first asked for."""
        key = (window_bits, policy.level, policy.mem_level)
        found = self._compressed.get(key)
        if found is None:
            payload = compress_once(self.payload, window_bits, policy)
            found = self._compressed[key] = serialize_frame(self.first | RSV1, payload)
        return found
