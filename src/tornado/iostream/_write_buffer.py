"""Bytes that wait to be written.

Small pieces are gathered in a bytearray, so that a thousand little writes leave in a few sends; large ones
are kept as they came, without a copy. Appending, looking at the front and taking from it cost what is
appended or taken, never what is waiting. A piece of a file waits in its place among the bytes.
"""

from __future__ import annotations

from collections import deque

from tornado.iostream._file_segment import FileSegment


class _StreamBuffer:
    """A queue of bytes: `append` at one end, `peek` at and `advance` over the other.

    ``memoryview`` and ``bytes`` objects over the threshold are not copied; whoever appends a view must leave
    what it shows unchanged until it has been sent.
    """

    __slots__ = ("_buffers", "_large_buf_threshold", "_offset", "_size")

    def __init__(self) -> None:
        #: Pieces longer than this many bytes are kept whole.
        self._large_buf_threshold = 2048
        self._buffers: deque[bytearray | memoryview | FileSegment] = deque()
        self._offset = 0  # of the first piece: already taken
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end; nothing is added for none."""
        if isinstance(data, memoryview) and (data.itemsize != 1 or data.ndim != 1):
            data = data.cast("B")
        size = len(data)
        if not size:
            return
        buffers = self._buffers
        if size > self._large_buf_threshold:
            buffers.append(memoryview(data))
        elif not (buffers and self._extended(buffers[-1], data)):
            buffers.append(bytearray(data))
        self._size += size

    def append_file(self, piece: FileSegment) -> None:
        """Add a piece of a file at the end. The buffer closes it when it has been taken or dropped."""
        if piece.size:
            self._buffers.append(piece)
            self._size += piece.size
        else:
            piece.close()

    def front_file(self) -> tuple[FileSegment, int] | None:
        """The piece of a file at the front, if that is what is there, and how much of it has been taken."""
        front = self._buffers[0]
        return (front, self._offset) if isinstance(front, FileSegment) else None

    def _extended(
        self, last: bytearray | memoryview | FileSegment, data: bytes | bytearray | memoryview
    ) -> bool:
        """Add a small piece to the gathering bytearray at the end, where there is one with room."""
        if type(last) is not bytearray or len(last) >= self._large_buf_threshold:
            return False
        try:
            last += data
        except BufferError:  # somebody still looks at it
            return False
        return True

    def peek(self, size: int) -> memoryview:
        """At most `size` bytes of the front, without a copy; fewer where a piece ends, none when empty.

        Of a file as many are read as are read at a time.

        The view must be released before the next `append`, or that one begins a new piece.
        """
        if size <= 0:
            raise ValueError(f"peek() needs a size over 0, not {size}")
        if not self._buffers:
            return memoryview(b"")
        offset = self._offset
        front = self._buffers[0]
        if isinstance(front, FileSegment):
            return memoryview(front.read(offset, size))
        return memoryview(front)[offset : offset + size]

    def advance(self, size: int) -> None:
        """Drop the first `size` bytes.

        :raises ValueError: if there are fewer, or `size` is not over 0.
        """
        if not 0 < size <= self._size:
            raise ValueError(f"advance() over {size} of {self._size} bytes")
        self._size -= size
        buffers = self._buffers
        offset = self._offset + size
        while buffers and offset >= len(buffers[0]):
            piece = buffers.popleft()
            offset -= len(piece)
            if type(piece) is memoryview:
                piece.release()  # its owner may want to resize what it shows
            elif isinstance(piece, FileSegment):
                piece.close()
        self._offset = offset

    def clear(self) -> None:
        """Drop everything."""
        if self._size:
            self.advance(self._size)
