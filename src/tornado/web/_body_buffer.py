"""Where the body of a request is collected that a handler wants whole.

What collecting costs is not the copying but the memory: the kernel hands it out in pages of 4 KiB, and each
first touch is a trap. Thus, once some megabytes of an announced body have arrived, the rest gets its place at
once, on which nothing is written yet, so that it is an address range and no memory; and on Linux huge pages
are asked for, which makes one trap of five hundred. It is not done from the start, lest many clients that
announce much and send little hold a huge page each.
"""

from __future__ import annotations

import sys
from io import BytesIO

#: Bytes that have arrived before the announced rest is believed in.
BELIEVED = 4 * 1024 * 1024


class BodyBuffer:
    """Collects a body; it is in memory once.

    :param length: what was announced, None where nothing was.
    """

    __slots__ = ("_buffer", "_length")

    def __init__(self, length: int | None) -> None:
        # BytesIO grows in place and gives its buffer away without a copy.
        self._buffer = BytesIO()
        self._length = length if length is not None and length > 2 * BELIEVED else 0

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self._buffer.write(data)
        if self._length and self._buffer.tell() >= BELIEVED:
            self._make_room()

    def getvalue(self) -> bytes:
        """All of it."""
        if self._buffer.tell() != len(self._buffer.getbuffer()):
            self._buffer.truncate()  # less has come than there is room for
        return self._buffer.getvalue()

    def _make_room(self) -> None:
        arrived, length, self._length = self._buffer, self._length, 0
        size = arrived.tell()
        if size > length:
            return  # nobody's announcement then
        try:
            # So large an array of zeros comes from the kernel as it is. BytesIO takes it over, as nobody else
            # holds it, and writes in place.
            room = BytesIO(bytes(length))
        except MemoryError:
            return  # it may still grow step by step
        _ask_for_huge_pages(room)
        room.write(arrived.getbuffer())
        self._buffer = room


def _ask_for_huge_pages(room: BytesIO) -> None:
    """Advise the kernel; where it cannot be done, nothing is lost but time."""
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes
        from mmap import MADV_HUGEPAGE, PAGESIZE

        madvise = ctypes.CDLL(None).madvise
    except (ImportError, OSError, AttributeError):
        return
    view = room.getbuffer()
    first = ctypes.c_char.from_buffer(view)
    start = -(-ctypes.addressof(first) // PAGESIZE) * PAGESIZE  # of the first whole page
    size = (ctypes.addressof(first) + len(view) - start) // PAGESIZE * PAGESIZE
    madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), MADV_HUGEPAGE)
    del first  # it holds the view, and while there is one the buffer cannot be given away
    view.release()
