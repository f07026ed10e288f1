"""The internals of `tornado.tcpserver` that tests access."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from tornado.tcpserver import TCPServer


def listening_sockets(server: TCPServer) -> dict[int, socket.socket]:
    """Return the listening sockets by descriptor."""
    return server._sockets


def bound_sockets(server: TCPServer) -> list[socket.socket]:
    """Return the sockets of ``bind()`` that do not listen yet."""
    return server._pending_sockets


def tls_context(server: Any) -> ssl.SSLContext:
    """Return the TLS context for new connections."""
    context: ssl.SSLContext = server._context()
    return context


def connection_limits(server: TCPServer) -> Any:
    """Return the object that counts the connections, or None if they are not limited."""
    return server._connection_limits


def count_by_address(server: TCPServer) -> dict[Any, int]:
    """Return the number of connections of each address, for a server that limits them."""
    found: dict[Any, int] = connection_limits(server)._count_by_address
    return found
