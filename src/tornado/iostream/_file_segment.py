"""A piece of a file on its way into a stream.

It stands in a stream's write buffer among the bytes, so that the order of what is sent is the order of the
calls. The kernel copies it from the page cache to the socket (``sendfile``) where it can; everywhere else,
over TLS say, the stream asks for the bytes, a bounded part at a time.
"""

from __future__ import annotations

import errno
import os

#: Bytes read at a time where the kernel does not copy by itself.
READ_SIZE = 64 * 1024
#: Bytes that the kernel is asked to have ready when a piece is made.
_READ_AHEAD = 1024 * 1024
#: What `os.sendfile` says of files and sockets that it does not serve.
CANNOT_SEND = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)


class FileTruncatedError(OSError):
    """A file has become shorter since its length was announced, so that the rest cannot be sent."""


class FileSegment:
    """`size` bytes of an open file, from `start` on.

    :param fd: a descriptor of a regular file; it belongs to the piece from now on, which closes it.
    :param start: offset of the first byte.
    :param size: bytes; what the file grows by later is not part of it.
    """

    __slots__ = ("by_kernel", "fd", "size", "start")

    def __init__(self, fd: int, start: int, size: int) -> None:
        self.fd = fd
        self.start = start
        self.size = size
        #: Whether ``sendfile`` may be tried (still).
        self.by_kernel = True
        if size > READ_SIZE and hasattr(os, "posix_fadvise"):
            try:
                os.posix_fadvise(fd, start, size, os.POSIX_FADV_SEQUENTIAL)
                os.posix_fadvise(fd, start, min(size, _READ_AHEAD), os.POSIX_FADV_WILLNEED)
            except OSError:
                pass  # advice only

    def __len__(self) -> int:
        return self.size

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes (and no more than `READ_SIZE`) from `offset` of the piece on.

        :raises FileTruncatedError: if the file ends before.
        """
        data = read_at(self.fd, min(size, READ_SIZE, self.size - offset), self.start + offset)
        if not data:
            raise truncated()
        return data

    def close(self) -> None:
        """Close the descriptor; a second call does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


def truncated() -> FileTruncatedError:
    """The error for a file that has become shorter."""
    return FileTruncatedError(errno.EIO, "the file became shorter while it was sent")


if hasattr(os, "pread"):

    def read_at(fd: int, size: int, offset: int) -> bytes:
        """At most `size` bytes of an open file from `offset` on; none at its end."""
        return os.pread(fd, size, offset)

else:  # Windows

    def read_at(fd: int, size: int, offset: int) -> bytes:
        """At most `size` bytes of an open file from `offset` on; none at its end."""
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)
