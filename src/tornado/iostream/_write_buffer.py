"""The write buffer: data that has been written but not yet sent.

Small pieces are collected in a bytearray, so that a thousand small writes need only a few sends. Large pieces
are queued without a copy. The cost of appending, reading and removing depends on the bytes appended, read or
removed, never on the size of the buffer. File segments are queued in order with the bytes.
"""

from __future__ import annotations

from collections import deque

from tornado.iostream._file_segment import FileSegment


class _StreamBuffer:
    """A queue of bytes: `append` adds at the end, `peek` reads the front, `advance` removes from the front.

    Objects of more than `_large_buf_threshold` bytes are not copied, so the caller must not change a mutable
    object until it has been sent.
    """

    __slots__ = ("_buffers", "_large_buf_threshold", "_offset", "_size")

    def __init__(self) -> None:
        #: Pieces of more than this many bytes are not copied.
        self._large_buf_threshold = 2048
        self._buffers: deque[bytearray | memoryview | FileSegment] = deque()
        self._offset = 0  # bytes of the first piece that have been removed
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end."""
        if isinstance(data, memoryview) and (data.itemsize != 1 or data.ndim != 1):
            data = data.cast("B")
        size = len(data)
        if not size:
            return
        buffers = self._buffers
        if size > self._large_buf_threshold:
            buffers.append(memoryview(data))
        elif not (buffers and self._extend_last(buffers[-1], data)):
            buffers.append(bytearray(data))
        self._size += size

    def append_file(self, piece: FileSegment) -> None:
        """Add a file segment at the end. The buffer closes it when it has been sent or dropped."""
        if piece.size:
            self._buffers.append(piece)
            self._size += piece.size
        else:
            piece.close()

    def front_file(self) -> tuple[FileSegment, int] | None:
        """Return the file segment at the front and how many bytes of it have been removed.

        :returns: None if the piece at the front is not a file segment.
        """
        front = self._buffers[0]
        return (front, self._offset) if isinstance(front, FileSegment) else None

    def _extend_last(
        self, last_piece: bytearray | memoryview | FileSegment, data: bytes | bytearray | memoryview
    ) -> bool:
        """Append a small piece to `last_piece`.

        :returns: False if `last_piece` is not a bytearray that can be extended.
        """
        if type(last_piece) is not bytearray or len(last_piece) >= self._large_buf_threshold:
            return False
        try:
            last_piece += data
        except BufferError:  # a view from `peek` has not been released
            return False
        return True

    def peek(self, size: int) -> memoryview:
        """Return a view of at most `size` bytes at the front. It is empty if the buffer is empty.

        The view ends at the end of the first piece. Bytes of a file segment are read from the file, at most
        `READ_SIZE`.

        If the view has not been released before the next `append`, that call starts a new piece.
        """
        if size <= 0:
            raise ValueError(f"peek: size must be positive, got {size}")
        if not self._buffers:
            return memoryview(b"")
        offset = self._offset
        front = self._buffers[0]
        if isinstance(front, FileSegment):
            return memoryview(front.read(offset, size))
        return memoryview(front)[offset : offset + size]

    def advance(self, size: int) -> None:
        """Remove the first `size` bytes.

        :raises ValueError: if the buffer holds fewer bytes, or `size` is not positive.
        """
        if not 0 < size <= self._size:
            raise ValueError(f"advance: size must be within the buffer, got {size} of {self._size} bytes")
        self._size -= size
        buffers = self._buffers
        offset = self._offset + size
        while buffers and offset >= len(buffers[0]):
            piece = buffers.popleft()
            offset -= len(piece)
            if type(piece) is memoryview:
                piece.release()  # so that the owner of the memory can resize it
            elif isinstance(piece, FileSegment):
                piece.close()
        self._offset = offset

    def clear(self) -> None:
        """Remove everything."""
        if self._size:
            self.advance(self._size)
