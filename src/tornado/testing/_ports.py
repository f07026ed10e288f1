"""Ports that nobody else uses."""

from __future__ import annotations

import socket

from tornado.netutil import bind_sockets


def bind_unused_port(reuse_port: bool = False, address: str = "127.0.0.1") -> tuple[socket.socket, int]:
    """Bind a server socket to a port of the kernel's choice.

    :arg reuse_port: set SO_REUSEPORT on it.
    :arg address: where to listen, IPv4.
    :returns: the listening socket, and its port.
    """
    [sock] = bind_sockets(0, address, family=socket.AF_INET, reuse_port=reuse_port)
    return sock, sock.getsockname()[1]
