"""Listening sockets on unused ports."""

from __future__ import annotations

import socket

from tornado.netutil import bind_sockets


def bind_unused_port(reuse_port: bool = False, address: str = "127.0.0.1") -> tuple[socket.socket, int]:
    """Bind a listening socket to an unused port, which the kernel selects.

    :param reuse_port: whether to set SO_REUSEPORT.
    :param address: the IPv4 address to listen on.
    :returns: the listening socket, and its port.
    """
    [sock] = bind_sockets(0, address, family=socket.AF_INET, reuse_port=reuse_port)
    return sock, sock.getsockname()[1]
