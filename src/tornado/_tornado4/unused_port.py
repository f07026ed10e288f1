"""``testing.get_unused_port``: the number of a port that is currently unused."""

from __future__ import annotations

import socket

from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated

__all__ = ["get_unused_port"]


def get_unused_port() -> int:
    """Return an unused TCP port, selected by the kernel. Another process may bind it at any time.

    Deprecated: `bind_unused_port <tornado.testing.bind_unused_port>` returns a port together with a socket
    bound to it.
    """
    deprecated("testing.get_unused_port", "use bind_unused_port(), which reserves the port")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


export(globals(), module="tornado.testing")
