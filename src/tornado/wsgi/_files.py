"""``wsgi.file_wrapper``: a file as the body of a response."""

from __future__ import annotations

from typing import Any

#: The minimum block size in bytes. Passing each block from a thread to the event loop has a fixed cost.
_BLOCK = 64 * 1024


class FileWrapper:
    """An iterator over the rest of a file in blocks (PEP 3333, "Optional Platform-Specific File Handling").

    :param filelike: an object whose method ``read(size)`` returns bytes.
    :param block_size: the number of bytes per block; at least 64 KiB is used.
    """

    def __init__(self, filelike: Any, block_size: int = _BLOCK) -> None:
        self.filelike = filelike
        self.block_size = max(block_size, _BLOCK)

    def __iter__(self) -> FileWrapper:
        # This is not a separate iterator, because frameworks keep the result of iter() and call its close().
        return self

    def __next__(self) -> bytes:
        block: bytes = self.filelike.read(self.block_size)
        if not block:
            raise StopIteration
        return block

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()
