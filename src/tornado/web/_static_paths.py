"""Where files are: below a root or not, and whether what was opened is what the path said.

A check of a path and the opening of it are two moments, and a link may change in between. So a file is
opened first, and then the kernel is asked where the open file is; links have no part in its answer. What is
served is the open file. ``O_NOFOLLOW`` would not do: links inside a root are welcome, and it looks at the
last part of a path only.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import TypeAlias

from tornado.web._errors import HTTPError

Directories: TypeAlias = str | list[str] | None
#: Device, inode, size, time of the content, time of the inode: what changes when a file does.
Identity: TypeAlias = tuple[int, int, int, int, int]

# O_NONBLOCK: opening a FIFO would wait for its writer.
_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)


class OpenFile:
    """A regular file that was opened to be served.

    :ivar path: by which it was opened.
    :ivar stat: what the system said of it then.
    :ivar real: where it is, all links followed; None where the system does not tell.
    """

    __slots__ = ("fd", "path", "real", "stat")

    def __init__(self, fd: int, path: str, found: os.stat_result) -> None:
        self.fd = fd
        self.path = path
        self.stat = found
        self.real = real_path(fd)

    def take(self) -> int:
        """The descriptor, for somebody else to close."""
        fd, self.fd = self.fd, -1
        return fd

    def close(self) -> None:
        """Close the descriptor, unless it was taken."""
        if self.fd >= 0:
            os.close(self.take())

    def is_in(self, root: str, links_into: Directories) -> bool:
        """Whether it is below the root, or a directory that links may lead into."""
        real = self.real
        if real is None:
            real = os.path.realpath(self.path)
            if not os.path.samestat(self.stat, os.stat(real)):
                return False
        # A real path below the root as it is written: then there is no link in that either.
        return below(os.path.abspath(root), real) or any(
            below(os.path.realpath(directory), real) for directory in directories(root, links_into)
        )


def open_regular(path: str) -> OpenFile | None:
    """Open a file; None for what is not a regular one.

    :raises OSError: if it is not there, or must not be read.
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
    """Open a file that has been found to be servable, and see that it still is.

    :raises HTTPError: 404 if it has gone, 403 if it must not be read, or has become something else, or a link
        leads out of the root now.
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
        """Where an open file is, all links followed; None where the system does not tell."""
        try:
            return os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).partition(b"\0")[0])
        except OSError:
            return None

else:

    def real_path(fd: int) -> str | None:
        """Where an open file is, all links followed; None where the system does not tell.

        Of a file that has been deleted it is where it was, and " (deleted)".
        """
        try:
            return os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            return None  # no /proc, or another system


def identity(found: os.stat_result) -> Identity:
    """What tells one state of a file from another."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def try_stat(path: str) -> os.stat_result | None:
    """`os.stat`, None where it fails."""
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None  # a ValueError where there is a NUL in it


def below(root: str, path: str) -> bool:
    """Whether `path` is `root` or in it, as far as the texts tell."""
    return path == root or path.startswith(root if root.endswith(os.path.sep) else root + os.path.sep)


def directories(root: str, links_into: Directories) -> list[str]:
    """The root, and where else links may lead."""
    if links_into is None:
        return [root]
    if isinstance(links_into, (str, os.PathLike)):
        return [root, links_into]
    return [root, *links_into]


def allowed(root: str, links_into: Directories, path: str) -> bool:
    """Whether what `path` leads to at present, all links followed, may be served."""
    real = os.path.realpath(path)
    return any(below(os.path.realpath(directory), real) for directory in directories(root, links_into))
