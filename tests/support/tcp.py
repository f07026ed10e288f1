"""Run a `tornado.tcpserver.TCPServer`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tornado.netutil import bind_sockets
from tornado.tcpserver import TCPServer


@contextlib.contextmanager
def listening(server: TCPServer) -> Iterator[int]:
    """Run the server on an unused port during the block, and yield the port."""
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        server.stop()
