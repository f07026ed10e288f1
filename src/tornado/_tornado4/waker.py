"""``platform.auto``: ``set_close_exec`` and ``Waker``."""

from __future__ import annotations

import contextlib
import os
import socket

from tornado._tornado4 import waker_interface
from tornado._tornado4.deprecation import deprecated

__all__ = ["Waker", "set_close_exec"]

#: Maximum size of one receive in `Waker.consume`, in bytes.
_BLOCK = 1024


def set_close_exec(fd: int) -> None:
    """Set a file descriptor to be closed in programs that this process executes.

    :param fd: a file descriptor; on Windows, the handle of a socket (``socket.fileno()``).
    :raises OSError: if the descriptor is not open, or on Windows if ``fd`` is not a handle.

    Deprecated: this is the default for file descriptors created by Python.
    """
    deprecated(
        "set_close_exec", "call os.set_inheritable(fd, False), which is the default for file descriptors"
    )
    # On Windows the flag belongs to handles, and fileno() of a socket is its handle.
    clear = getattr(os, "set_handle_inheritable", os.set_inheritable)
    clear(fd, False)


class Waker(waker_interface.Waker):
    """A waker on a socket pair, for every platform.

    Deprecated: `.IOLoop.add_callback` wakes the loop.
    """

    reader: socket.socket
    writer: socket.socket

    def __init__(self) -> None:
        deprecated("platform.auto.Waker", "wake the loop with IOLoop.add_callback()")
        self.reader, self.writer = socket.socketpair()
        self.reader.setblocking(False)
        self.writer.setblocking(False)

    def fileno(self) -> int:
        return self.reader.fileno()

    def write_fileno(self) -> int:
        return self.writer.fileno()

    def wake(self) -> None:
        # If the buffer is full, the loop wakes anyway; if the waker is closed, the loop no longer uses it.
        with contextlib.suppress(OSError):
            self.writer.send(b"w")

    def consume(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.reader.recv(_BLOCK):
                pass

    def close(self) -> None:
        self.reader.close()
        self.writer.close()
