"""The end of a listening socket: no connection is lost between the last accept and the close.

A close resets the connections in the accept queue, and those whose TCP handshake ends just then. On Linux, a
packet filter on the listening socket can prevent this: it drops the first packet (SYN) of new handshakes,
while the handshakes that have begun end normally, and their connections are accepted. A client whose packet
was dropped sends it again after a second. It then reaches the socket that has replaced this one, or is
refused.
"""

from __future__ import annotations

import array
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from tornado.netutil._accept import accept_next

#: Time in seconds in which a handshake that has begun usually ends.
HANDSHAKE_TIME = 0.2
#: The maximum number of connections that are accepted from one queue; Linux's default limit of a queue.
_MAX_QUEUE = 4096
_SO_ATTACH_FILTER = 26
#: A classic BPF program: load the flags of the TCP header (offset 13), keep SYN and ACK, and drop the packet
#: if only SYN is set.
_PROGRAM = (
    (0x30, 0, 0, 13),  # ldb [13]
    (0x54, 0, 0, 0x12),  # and #0x12
    (0x15, 0, 1, 0x02),  # jeq #0x02
    (0x06, 0, 0, 0),  # ret #0: drop
    (0x06, 0, 0, 0xFFFFFFFF),  # ret #-1: accept
)


class ListenerOrigins:
    """Remembers which process has created each listening socket of a server.

    A packet filter applies to all processes that share a socket, so it must not be set on a shared one.
    """

    __slots__ = ("_creators",)

    def __init__(self) -> None:
        self._creators: dict[int, int] = {}

    def add(self, sockets: list[socket.socket]) -> None:
        """Record that this process has just created the sockets."""
        for sock in sockets:
            self._creators[sock.fileno()] = os.getpid()

    def is_own(self, sock: socket.socket) -> bool:
        """Whether this process has created a socket, so that no other process accepts its connections."""
        return self._creators.get(sock.fileno()) == os.getpid()


def drop_handshakes(sock: socket.socket) -> bool:
    """Let no more TCP handshakes begin on a listening socket that no other process uses.

    :returns: whether handshakes that have begun may still end, because the clients are on other machines.
    """
    if sys.platform != "linux" or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    instructions = array.array("B", b"".join(struct.pack("HBBI", *each) for each in _PROGRAM))
    program = struct.pack("HP", len(_PROGRAM), instructions.buffer_info()[0])
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        return not ipaddress.ip_address(sock.getsockname()[0].partition("%")[0]).is_loopback
    except (OSError, ValueError):
        return False  # a sandbox without packet filters: only an optimization is missing


def accept_queue(sock: socket.socket, callback: Callable[[socket.socket, Any], None]) -> None:
    """Call `callback` for each connection in the accept queue of a socket; see `.add_accept_handler`."""
    for _ in range(_MAX_QUEUE):
        if sock.fileno() < 0 or not accept_next(sock, callback):
            return
