"""The PID file: the process ID of the supervisor for scripts and service managers.

The file is locked while the supervisor runs. A file that a killed supervisor has left behind is therefore
told apart from that of a running one, even if another process has its ID now.
"""

from __future__ import annotations

import os
import sys


class PidFileError(Exception):
    """The PID file cannot be written. The text is for the user."""


class PidFile:
    """A locked file that contains the ID of this process.

    :param path: its path. A relative path is resolved now, because the program may change its directory.
    :param descriptor: that of the open, locked file of the previous program in this process.
    :raises PidFileError: if it cannot be written, or another process has locked it.
    """

    def __init__(self, path: str, descriptor: int | None = None) -> None:
        self.path = os.path.abspath(path)
        self.descriptor = self._open() if descriptor is None else descriptor
        text = f"{os.getpid()}\n".encode()
        if sys.platform == "win32":
            raise PidFileError("--pid-file is not available on Windows")
        try:
            os.pwrite(self.descriptor, text, 0)
            os.ftruncate(self.descriptor, len(text))
        except OSError as error:
            raise PidFileError(f"cannot write the PID file {self.path!r}: {error.strerror}") from error

    def _open(self) -> int:
        if sys.platform == "win32":
            raise PidFileError("--pid-file is not available on Windows")
        import fcntl

        while True:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise PidFileError(
                    f"cannot open the PID file {self.path!r}: {error.strerror}; choose another --pid-file"
                ) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                other = os.read(descriptor, 20).decode(errors="replace").strip()
                os.close(descriptor)
                raise PidFileError(
                    f"the PID file {self.path!r} is in use by process {other}; stop that process, or choose "
                    "another --pid-file"
                ) from None
            if _is_same(descriptor, self.path):
                return descriptor
            # Its last owner has removed the file between the two calls.
            os.close(descriptor)

    def remove(self) -> None:
        """Remove the file, unless another one has its name now, and release the lock."""
        if self.descriptor < 0:
            return
        if _is_same(self.descriptor, self.path):
            os.unlink(self.path)
        self.close()

    def close(self) -> None:
        """Close the descriptor without removing the file, in a child process."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _is_same(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


__all__ = ["PidFile", "PidFileError"]
