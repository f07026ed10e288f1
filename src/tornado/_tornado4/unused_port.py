"""``testing.get_unused_port``: a port that is free at the moment."""

from __future__ import annotations

import socket

from tornado._export import export
from tornado._tornado4.deprecation import deprecated

__all__ = ["get_unused_port"]


def get_unused_port() -> int:
    """A TCP port of the kernel's choice, free now; somebody else may take it at any time.

    Deprecated: `bind_unused_port <tornado.testing.bind_unused_port>` gives a port, and the socket that holds
    it.
    """
    deprecated("testing.get_unused_port", "use bind_unused_port(), whose port nobody can take")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


export(globals(), module="tornado.testing")
