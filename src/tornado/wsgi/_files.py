"""``wsgi.file_wrapper``: a file as the body of a response."""

from __future__ import annotations

from typing import Any

#: The least that is read at once: each piece goes from a thread to the loop.
_BLOCK = 64 * 1024


class FileWrapper:
    """Yields the rest of a file in blocks, and closes it (PEP 3333, "Optional Platform-Specific File
    Handling").

    :arg filelike: anything with ``read(size)``, giving bytes.
    :arg block_size: bytes to read at once; small values are raised.
    """

    def __init__(self, filelike: Any, block_size: int = _BLOCK) -> None:
        self.filelike = filelike
        self.block_size = max(block_size, _BLOCK)

    def __iter__(self) -> FileWrapper:
        # Not an iterator of its own: frameworks keep what iter() gives, and close that.
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
