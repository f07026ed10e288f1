"""`StackFile`: the stacks of a worker that hangs or has crashed, as the supervisor reads them.

`faulthandler` can only write to a descriptor. With standard error, the stacks would be lines between the
records of the log, and lost if it is not read. The file is in memory, and survives its worker.
"""

from __future__ import annotations

import fcntl
import os
import sys

from tornado._serve.fair_accept import create_memory
from tornado._serve.printable import escape_unprintable

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

__all__ = ["StackFile"]

#: The maximum size of the stacks in one record, in bytes.
_MAX_SIZE = 256 * 1024


class StackFile:
    """A file in memory.

    :param descriptor: that of the previous program in this process; None creates it.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            descriptor = create_memory()
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)  # so that `read` can empty the file
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Return the descriptor; -1 when it is closed."""
        return self._descriptor

    def read(self) -> str:
        """Return the printable text of the file, and empty it."""
        if self._descriptor < 0 or not (size := os.fstat(self._descriptor).st_size):
            return ""
        text = os.pread(self._descriptor, min(size, _MAX_SIZE), 0).decode(errors="backslashreplace")
        os.ftruncate(self._descriptor, 0)
        return escape_unprintable(text.strip("\0\n"), "\n")

    def close(self) -> None:
        """Close the descriptor of this process."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
