"""The users at the other end of a Unix socket, and the processes that hold one.

The file of a Unix socket has permissions. An abstract name has none: every local user can connect to it, and
can bind it first.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Any, NamedTuple

from tornado.log import gen_log

__all__ = ["HAS_CREDENTIALS", "OwnerListener", "Peer", "peer_of"]

#: Whether `peer_of` works on this platform.
HAS_CREDENTIALS = sys.platform == "linux"
_CREDENTIALS = struct.Struct("3i")
_ROOT = 0


class Peer(NamedTuple):
    """The process that has connected a socket, or has made it listen."""

    process: int
    user: int


def peer_of(sock: socket.socket) -> Peer:
    """Return the peer of a connected Unix socket, on Linux.

    :raises OSError: if the socket is not connected.
    """
    level = socket.SO_PEERCRED if sys.platform == "linux" else 0
    process, user, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, level, _CREDENTIALS.size))
    return Peer(process, user)


class OwnerListener(socket.socket):
    """A listening socket with an abstract name, to which only the owner of the service and root can connect.

    :param sock: the listening socket, whose descriptor this one takes over.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._users = {_ROOT, os.geteuid()}

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection of an allowed user. Those of other users are closed."""
        while True:
            connection, address = super().accept()
            peer = peer_of(connection)
            if peer.user in self._users:
                return connection, address
            connection.close()
            gen_log.warning("--admin: connection of user %d (process %d) refused", peer.user, peer.process)
