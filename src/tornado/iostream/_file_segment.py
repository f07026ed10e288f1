"""File segments, which a stream's write buffer holds in addition to bytes.

Bytes and file segments share one queue, so data is sent in the order of the calls. Where possible the kernel
copies a segment from the page cache to the socket (``sendfile``). Otherwise, for example over TLS, the stream
reads the segment in parts of bounded size.
"""

from __future__ import annotations

import errno
import os
import sys

#: Maximum size of one read, in bytes, where ``sendfile`` is not used.
READ_SIZE = 64 * 1024
#: Bytes that the kernel should read ahead when a segment is created.
_READ_AHEAD = 1024 * 1024
#: The flag of `os.open` without which Windows would change line ends; 0 on other platforms.
O_BINARY: int = getattr(os, "O_BINARY", 0)
#: Errors of `os.sendfile` for files and sockets that it does not support.
CANNOT_SEND = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)


class FileTruncatedError(OSError):
    """Raised if a file becomes shorter while it is being sent, after its length was announced."""


class FileSegment:
    """`size` bytes of an open file, starting at offset `start`.

    :param fd: the descriptor of a regular file. The segment takes ownership of it and closes it.
    :param start: offset of the first byte.
    :param size: size of the segment, in bytes. Data appended to the file later is not part of it.
    """

    __slots__ = ("fd", "size", "start", "use_sendfile")

    def __init__(self, fd: int, start: int, size: int) -> None:
        self.fd: int = fd
        self.start: int = start
        self.size: int = size
        #: Whether to try ``sendfile``; False after it has failed.
        self.use_sendfile: bool = True
        if sys.platform == "linux" and size > READ_SIZE:
            try:
                os.posix_fadvise(fd, start, size, os.POSIX_FADV_SEQUENTIAL)
                os.posix_fadvise(fd, start, min(size, _READ_AHEAD), os.POSIX_FADV_WILLNEED)
            except OSError:
                pass  # reading ahead is only an optimization

    def __len__(self) -> int:
        return self.size

    def read(self, offset: int, size: int) -> bytes:
        """Return at most `size` bytes, and at most `READ_SIZE`, from `offset` within the segment.

        :raises FileTruncatedError: if the file ends before `offset`.
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
    """Return the error for a file that has become shorter."""
    return FileTruncatedError(errno.EIO, "the file was truncated while it was being sent")


if sys.platform != "win32":

    def read_at(fd: int, size: int, offset: int) -> bytes:
        """Return at most `size` bytes of an open file from `offset` on, ``b""`` at its end."""
        return os.pread(fd, size, offset)

else:

    def read_at(fd: int, size: int, offset: int) -> bytes:
        """Return at most `size` bytes of an open file from `offset` on, ``b""`` at its end."""
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)
