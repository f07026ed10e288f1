"""The users at the other end of a Unix socket, and the processes that hold one.

The file of a Unix socket has permissions. An abstract name has none: every local user can connect to it, and
can bind it first.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
import sys
from typing import Any, NamedTuple

from tornado._log_rate_limit import LogRateLimit
from tornado.log import gen_log

__all__ = ["HAS_CREDENTIALS", "OwnerListener", "Peer", "peer_of"]

#: Whether `peer_of` works on this platform.
HAS_CREDENTIALS = sys.platform == "linux"
_CREDENTIALS = struct.Struct("3i")
_ROOT = 0
#: Other users can cause any number of lines.
_log_limit = LogRateLimit(gen_log)


class Peer(NamedTuple):
    """The process that has connected a socket, or has made it listen."""

    process: int
    user: int


def peer_of(sock: socket.socket) -> Peer:
    """Return the peer of a connected Unix socket, on Linux.

    :raises OSError: if the socket is not connected.
    """
    if sys.platform != "linux":
        raise OSError(f"{sys.platform} does not report the peers of Unix sockets")
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(data)
    return Peer(process, user)


class OwnerListener(socket.socket):
    """A listening socket with an abstract name, to which only the owner of the service and root can connect.

    :param sock: the listening socket, whose descriptor this one takes over.
    """

    _users: set[int]

    def __init__(self, sock: socket.socket) -> None:
        if sys.platform != "linux":
            raise OSError(f"{sys.platform} has no abstract names of Unix sockets")
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._users = {_ROOT, os.geteuid()}

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection of an allowed user.

        :raises BlockingIOError: if there is none, or after one of another user has been closed. If more are
            waiting, the event loop calls the method again in its next iteration: they cannot block it.
        """
        connection, address = super().accept()
        peer = peer_of(connection)
        if peer.user in self._users:
            return connection, address
        connection.close()
        text = "--admin: connection of user %d (process %d) refused"
        _log_limit.log("refused", logging.WARNING, text, peer.user, peer.process)
        # The number distinguishes it from an empty queue for `accept_next`.
        raise BlockingIOError(errno.ECONNABORTED, "connection of another user")
