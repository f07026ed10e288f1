"""Unused ports."""

from __future__ import annotations

import socket

from tornado import testing


def test_an_unused_port():
    sock, port = testing.bind_unused_port()
    with sock:
        assert sock.getsockname() == ("127.0.0.1", port)
        socket.create_connection(("127.0.0.1", port)).close()
