"""Opening files, and checking that they are below a root directory.

A symbolic link may change between the check of a path and the opening of the file. Therefore the file is
opened first, and then the kernel is queried for the real path of the open file, which contains no links. The
open file is the one that is served. ``O_NOFOLLOW`` is not sufficient: links within a root are permitted, and
the flag affects only the last component of a path.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import TypeAlias

from tornado.web._errors import HTTPError

Directories: TypeAlias = str | list[str] | None
#: Device, inode, size, and modification times of the content and the inode, in nanoseconds.
Identity: TypeAlias = tuple[int, int, int, int, int]

# Without O_NONBLOCK, opening a FIFO would wait for its writer.
_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)


class OpenFile:
    """A regular file that was opened to be served.

    :ivar path: the path that was opened.
    :ivar stat: the result of `os.fstat` at that time.
    :ivar real: the path with all links resolved, or None if the system does not provide it.
    """

    __slots__ = ("fd", "path", "real", "stat")

    def __init__(self, fd: int, path: str, found: os.stat_result) -> None:
        self.fd = fd
        self.path = path
        self.stat = found
        self.real = real_path(fd)

    def take(self) -> int:
        """Return the file descriptor, which the caller must close."""
        fd, self.fd = self.fd, -1
        return fd

    def close(self) -> None:
        """Close the file descriptor, unless it was taken."""
        if self.fd >= 0:
            os.close(self.take())

    def is_in(self, root: str, links_into: Directories) -> bool:
        """Whether the file is below the root or below a directory to which links may point."""
        real = self.real
        if real is None:
            real = os.path.realpath(self.path)
            if not os.path.samestat(self.stat, os.stat(real)):
                return False
        # If the real path is below the unresolved root, the root contains no links, and need not be resolved.
        return is_below(os.path.abspath(root), real) or any(
            is_below(os.path.realpath(directory), real) for directory in directories(root, links_into)
        )


def open_regular(path: str) -> OpenFile | None:
    """Open a file, or return None if it is not a regular file.

    :raises OSError: if the file does not exist or cannot be read.
    """
    fd = os.open(path, _FLAGS)
    try:
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode):
            return OpenFile(fd, path, found)
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def open_within(path: str, root: str, links_into: Directories) -> OpenFile:
    """Open a file whose path has been validated, and check that it may still be served.

    :raises HTTPError: (404) if the file no longer exists; (403) if it cannot be read, is not a regular
        file, or is outside the root because a link has changed.
    """
    try:
        opened = open_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        raise HTTPError(404) from None
    except PermissionError:
        raise HTTPError(403, "%s cannot be read", path) from None
    if opened is None:
        raise HTTPError(403, "%s is not a file", path)
    try:
        if opened.is_in(root, links_into):
            return opened
    except BaseException:
        opened.close()
        raise
    opened.close()
    raise HTTPError(403, "%s is not in root static directory", path)


if sys.platform == "darwin":
    import fcntl

    def real_path(fd: int) -> str | None:
        """Return the path of an open file with all links resolved; None if the system does not provide it."""
        try:
            return os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).partition(b"\0")[0])
        except OSError:
            return None

else:

    def real_path(fd: int) -> str | None:
        """Return the path of an open file with all links resolved; None if the system does not provide it.

        For a deleted file, Linux appends " (deleted)" to the former path.
        """
        try:
            return os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            return None  # no /proc, or another system


def identity(found: os.stat_result) -> Identity:
    """Return the attributes of a file that differ after the file has been changed or replaced."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def try_stat(path: str) -> os.stat_result | None:
    """Return the result of `os.stat`, or None if it fails."""
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None  # a path with a NUL character raises ValueError


def is_below(root: str, path: str) -> bool:
    """Whether `path` is `root` or below it. Only the strings are compared."""
    return path == root or path.startswith(root if root.endswith(os.path.sep) else root + os.path.sep)


def directories(root: str, links_into: Directories) -> list[str]:
    """Return the root and the directories to which links may point."""
    if links_into is None:
        return [root]
    if isinstance(links_into, (str, os.PathLike)):
        return [root, links_into]
    return [root, *links_into]


def is_allowed(root: str, links_into: Directories, path: str) -> bool:
    """Whether `path`, with all links resolved, is in a directory from which files may be served."""
    real = os.path.realpath(path)
    return any(is_below(os.path.realpath(directory), real) for directory in directories(root, links_into))
