"""A buffer for the body of a request that is not streamed.

Most of the time needed to collect a body is spent in page faults, not in copying: the kernel allocates memory
in pages of 4 KiB at the first access to each. Therefore, when a few megabytes of a body with Content-Length
have arrived, space for the rest is reserved. Reserved space takes addresses, but no memory until it is
written to. On Linux, huge pages are requested, each of which replaces about 500 page faults by one. Space is
not reserved from the beginning, because clients that announce large bodies and send little could then occupy
a huge page each.
"""

from __future__ import annotations

import sys
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
        _request_huge_pages(reserved)
        reserved.write(received.getbuffer())
        self._buffer = reserved


def _request_huge_pages(reserved: BytesIO) -> None:
    """Request huge pages for a buffer. If this fails, filling the buffer takes longer."""
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes
        from mmap import MADV_HUGEPAGE, PAGESIZE

        madvise = ctypes.CDLL(None).madvise
    except (ImportError, OSError, AttributeError):
        return
    view = reserved.getbuffer()
    first = ctypes.c_char.from_buffer(view)
    start = -(-ctypes.addressof(first) // PAGESIZE) * PAGESIZE  # the address of the first whole page
    size = (ctypes.addressof(first) + len(view) - start) // PAGESIZE * PAGESIZE
    madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), MADV_HUGEPAGE)
    del first  # releases its reference to the view; while a view exists, getvalue() would copy the buffer
    view.release()
