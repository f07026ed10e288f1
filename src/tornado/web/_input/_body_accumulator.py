"""A buffer for the body of a request that is not streamed.

Most of the time needed to collect a body is spent in page faults, not in copying: the kernel allocates memory
in pages of 4 KiB at the first access to each, and moving the buffer when it grows. Therefore, when a few
megabytes of a body with Content-Length have arrived, space for the rest is reserved. Reserved space occupies
addresses, but no memory until it is written to. Space is not reserved from the beginning, because clients
that announce large bodies and send little could then occupy addresses without limit.
"""

from __future__ import annotations

from io import BytesIO

#: The number of bytes that must have arrived before space for the rest of the body is reserved.
RESERVE_AFTER = 4 * 1024 * 1024


class BodyAccumulator:
    """A buffer for a body, which avoids a second copy in memory.

    :param length: the value of Content-Length, or None.
    """

    __slots__ = ("_buffer", "_length")

    def __init__(self, length: int | None) -> None:
        # BytesIO grows in place, and getvalue() returns its buffer without a copy.
        self._buffer = BytesIO()
        self._length = length if length is not None and length > 2 * RESERVE_AFTER else 0

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self._buffer.write(data)
        if self._length and self._buffer.tell() >= RESERVE_AFTER:
            self._reserve()

    def getvalue(self) -> bytes:
        """Return the body."""
        if self._buffer.tell() != len(self._buffer.getbuffer()):
            self._buffer.truncate()  # less has arrived than Content-Length announced
        return self._buffer.getvalue()

    def _reserve(self) -> None:
        received, length, self._length = self._buffer, self._length, 0
        size = received.tell()
        if size > length:
            return  # the body is longer than Content-Length
        try:
            # The kernel provides zeroed pages, so nothing is written here. BytesIO adopts the bytes object
            # without a copy, because it holds the only reference, and writes in place.
            reserved = BytesIO(bytes(length))
        except MemoryError:
            return  # the existing buffer continues to grow incrementally
        reserved.write(received.getbuffer())
        self._buffer = reserved
