"""``platform.auto``: ``set_close_exec`` and ``Waker``."""

from __future__ import annotations

import contextlib
import os
import socket

from tornado._tornado4 import waker_interface
from tornado._tornado4.deprecation import deprecated

__all__ = ["Waker", "set_close_exec"]

#: Bytes removed from the socket by one receive in `Waker.consume`.
_BLOCK = 1024


def set_close_exec(fd: int) -> None:
    """Set a file descriptor to be closed in programs that this process executes.

    :param fd: a file descriptor; on Windows, the handle of a socket (``socket.fileno()``).
    :raises OSError: if it is not open, or on Windows not a handle.

    Deprecated: descriptors made by Python are closed in this way unless `os.set_inheritable` says otherwise.
    """
    deprecated(
        "set_close_exec", "call os.set_inheritable(fd, False), which is the default of new descriptors"
    )
    # Windows has the flag on handles, and the descriptor of a socket is its handle there.
    clear = getattr(os, "set_handle_inheritable", os.set_inheritable)
    clear(fd, False)


class Waker(waker_interface.Waker):
    """A waker on a pair of connected sockets, on every platform.

    Deprecated: `.IOLoop.add_callback` wakes the loop by itself.
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
        # A full buffer wakes the loop as well as another byte would; a closed waker has no loop to wake.
        with contextlib.suppress(OSError):
            self.writer.send(b"w")

    def consume(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.reader.recv(_BLOCK):
                pass

    def close(self) -> None:
        self.reader.close()
        self.writer.close()
