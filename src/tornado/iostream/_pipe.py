"""`PipeIOStream`: a stream over one end of a pipe."""

from __future__ import annotations

import errno
import os
import sys
from types import MethodType
from typing import Any, overload

from tornado.ioloop import IOLoop
from tornado.iostream._pull_mode import BaseIOStream
from tornado.netutil._error_context import add_error_context


class PipeIOStream(BaseIOStream):
    """A stream over the file descriptor of a pipe, or over another descriptor that is not a socket.

    A pipe is unidirectional: either reading or writing fails.

    :param fd: the descriptor. The stream takes ownership of it and makes it non-blocking.

    The other arguments are those of `BaseIOStream`. Windows is not supported, because its event loops cannot
    watch pipes.
    """

    __slots__ = ("fd",)

    #: The descriptor.
    fd: int

    @overload
    def __init__(
        self,
        fd: int,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
        io_loop: IOLoop | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        fd: int,
        io_loop: IOLoop,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
    ) -> None: ...
    def __init__(self, fd: int, *args: Any, **kwargs: Any) -> None:
        if args and isinstance(args[0], IOLoop):  # the second argument in Tornado 4
            args, kwargs = args[1:], {**kwargs, "io_loop": args[0]}
        if sys.platform == "win32":
            raise NotImplementedError(
                "PipeIOStream requires an event loop that can watch pipes; on Windows there is none"
            )
        self.fd = fd
        os.set_blocking(fd, False)
        super().__init__(*args, **kwargs)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self.fd

    def close_fd(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)

    def write_to_fd(self, data: memoryview) -> int:
        """Write as much of `data` as the pipe accepts; see `BaseIOStream.write_to_fd`."""
        try:
            return os.write(self.fd, data)
        finally:
            del data

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read into `buf`; see `BaseIOStream.read_from_fd`."""
        if sys.platform == "win32":
            raise NotImplementedError
        try:
            return os.readv(self.fd, [buf])
        except OSError as error:
            self._handle_read_error(error)
            return None

    def _receive(self, size: int) -> bytes | bytearray | None:
        if type(m := self.read_from_fd) is not MethodType or m.__func__ is not _READ:
            return super()._receive(size)
        try:
            return os.read(self.fd, size)
        except OSError as error:
            self._handle_read_error(error)
            return None

    def _short_receive_means_empty(self) -> bool:
        return type(m := self.read_from_fd) is MethodType and m.__func__ is _READ

    def _handle_read_error(self, error: OSError) -> None:
        """Handle a failed read: ignore "would block", close on ``EBADF``, re-raise other errors."""
        if isinstance(error, BlockingIOError):
            return
        if error.errno != errno.EBADF:
            raise error
        # The write end of a pipe becomes readable when the read end is closed, but reading fails with EBADF.
        self.close(add_error_context(error, f"reading from {self.peer_name()}"))


_READ = PipeIOStream.read_from_fd
