"""Unix sockets whose file is replaced atomically, so that clients can connect at any time.

The socket is bound to a temporary name in the same directory, listens, and is then renamed. A client
therefore reaches either the previous server or the new one. `tornado.netutil.bind_unix_socket` first removes
an existing file: a client that connects in between gets an error.

A server that still runs gets no connections any more, without noticing. This is logged: it is intended when a
program is replaced by a new version of itself, and a mistake when two programs have the same path.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import stat
import sys
from dataclasses import dataclass

from tornado._serve import port_users
from tornado._serve.unix_peers import HAS_CREDENTIALS, peer_of
from tornado.log import gen_log
from tornado.netutil import _socket_inheritance


@dataclass(frozen=True, slots=True)
class UnixSocketFile:
    """The file of a Unix socket that this process has created.

    :ivar path: its absolute path, because the program may change its directory.
    :ivar identity: the device and inode.
    :ivar process: the id of this process. Workers that inherit the socket do not remove its file.
    """

    path: str
    identity: tuple[int, int]
    process: int

    def remove(self) -> bool:
        """Remove the file, unless another server has replaced it, or another process has created it.

        :returns: whether the file was removed.
        """
        try:
            if self.process != os.getpid() or _identity(self.path) != self.identity:
                return False
            os.unlink(self.path)
        except OSError:
            return False
        return True


def bind_replacing(path: str, mode: int, backlog: int) -> tuple[socket.socket, UnixSocketFile]:
    """Return a listening, non-blocking socket whose file has replaced an existing socket at `path`.

    After a restart of the program in the same process, it is the previous socket, with the connections in its
    backlog.

    :param mode: the permissions of the file.
    :raises ValueError: if the path exists and is not a socket.
    :raises OSError: if the socket cannot be created; the message contains the path.
    """
    if sys.platform == "win32":
        raise ValueError(f"cannot listen on {path!r}: this platform does not support Unix sockets")
    path = os.path.abspath(path)
    _check_existing(path)
    inherited = _socket_inheritance.claim(socket.AF_UNIX, path)
    if inherited is not None:
        inherited.listen(backlog)
        os.chmod(path, mode)
        return inherited, UnixSocketFile(path, _identity(path), os.getpid())
    previous = _running_server(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        file = _bind_and_rename(sock, path, mode, backlog)
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)  # the error for a path that is too long has no errno
        number = error.errno or errno.ENAMETOOLONG
        raise OSError(number, f"cannot listen on the Unix socket {path!r}: {reason}") from error
    _socket_inheritance.remember(sock, socket.AF_UNIX, path)
    if previous is not None:
        gen_log.warning(
            "unix:%s is taken over from %s, which still runs and gets no more clients", path, previous
        )
    return sock, file


def _running_server(path: str) -> str | None:
    """Return a description of the process that accepts connections at a path, or None if there is none."""
    if sys.platform == "win32":
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
            return port_users.describe(peer_of(probe).process) if HAS_CREDENTIALS else "another process"
        except BlockingIOError:
            return "another process"  # its queue is full
        except OSError:
            return None


def _bind_and_rename(sock: socket.socket, path: str, mode: int, backlog: int) -> UnixSocketFile:
    # Relative to its directory, the name may be 108 bytes long, and the path of any length.
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{secrets.token_hex(4)}")
    _bind_short(sock, temporary)
    try:
        os.chmod(temporary, mode)
        sock.listen(backlog)
        identity = _identity(temporary)
        _check_length(path)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return UnixSocketFile(os.path.join(directory, name), identity, os.getpid())


def _bind_short(sock: socket.socket, path: str) -> None:
    """Bind to a path, with an error that has a number if the path is too long."""
    _check_length(path)
    sock.bind(path)


def _check_length(path: str) -> None:
    # sockaddr_un.sun_path has 108 bytes on Linux and 104 on the BSDs, with the final NUL. Clients could not
    # connect to a longer path.
    if len(os.fsencode(path)) > 103:
        raise OSError(
            errno.ENAMETOOLONG, f"the path has {len(os.fsencode(path))} bytes; at most 103 are allowed"
        )


def _check_existing(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ValueError(f"cannot listen on {path!r}: it exists and is not a socket")


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


__all__ = ["UnixSocketFile", "bind_replacing"]
