"""A WebSocket message for many connections, encoded and compressed only once (RFC 7692 section 6).

Theory of operation
-------------------
The uncompressed, unmasked frame is created immediately. A compressed frame is created when the first
connection with its parameters needs it, and is then cached. The message is compressed separately from other
messages, so that every receiver can decompress it. Frames of clients are never shared, because each is masked
with a different key.

Limits
------
A message caches one frame for each combination of window size, compression level and memory level in use.
"""

from __future__ import annotations

from typing import Final

from tornado._wire.ws_deflate import DeflatePolicy, compress_once
from tornado._wire.ws_frames import FIN, RSV1, Opcode, serialize_frame

__all__ = ["SharedMessage"]

_TEXT: Final = FIN | Opcode.TEXT.value
_BINARY: Final = FIN | Opcode.BINARY.value


class SharedMessage:
    """A message for many connections; see `WSConnection.shared`.

    :param message: text or its UTF-8 encoding; with `binary`, any bytes.
    :ivar payload: the uncompressed payload.
    :ivar first: the first byte of the uncompressed frame.
    :ivar plain: the complete frame, neither compressed nor masked.
    """

    __slots__ = ("_compressed", "first", "payload", "plain")

    def __init__(self, message: str | bytes, binary: bool = False) -> None:
        self.payload: bytes = message.encode() if isinstance(message, str) else message
        self.first: int = _BINARY if binary else _TEXT
        self.plain: bytes = serialize_frame(self.first, self.payload)
        self._compressed: dict[tuple[int, int, int], bytes] = {}

    def compressed(self, window_bits: int, policy: DeflatePolicy) -> bytes:
        """Return the compressed, unmasked frame for a window size and the levels of a policy."""
        key = (window_bits, policy.level, policy.mem_level)
        found = self._compressed.get(key)
        if found is None:
            payload = compress_once(self.payload, window_bits, policy)
            found = self._compressed[key] = serialize_frame(self.first | RSV1, payload)
        return found
