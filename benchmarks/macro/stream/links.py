"""Pairs of connected streams over TCP, a Unix socket, TLS or a pipe."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from tornado.iostream import BaseIOStream, IOStream, PipeIOStream, SSLIOStream

Pair = tuple[BaseIOStream, BaseIOStream]
Link = Callable[[], Awaitable[Pair]]


def tcp_sockets() -> tuple[socket.socket, socket.socket]:
    """Return the sockets of a client and a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a client and a server, with the certificates in the folder ``BENCH_TLS``."""
    folder = Path(os.environ["BENCH_TLS"])
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "server.pem", folder / "server.key")
    return ssl.create_default_context(cafile=str(folder / "ca.pem")), server


async def tcp() -> Pair:
    """Connect two streams over the loopback interface."""
    near, far = (IOStream(each) for each in tcp_sockets())
    near.set_nodelay(True)
    far.set_nodelay(True)
    return near, far


async def unix() -> Pair:
    """Connect two streams by a pair of Unix sockets."""
    near, far = socket.socketpair()
    return IOStream(near), IOStream(far)


async def tls() -> Pair:
    """Connect two streams over TLS on the loopback interface, and complete the handshake."""
    client, server = contexts()
    near, far = tcp_sockets()
    near_tls = client.wrap_socket(near, server_hostname="127.0.0.1", do_handshake_on_connect=False)
    far_tls = server.wrap_socket(far, server_side=True, do_handshake_on_connect=False)
    pair = SSLIOStream(near_tls), SSLIOStream(far_tls)
    for each in pair:
        each.set_nodelay(True)
    await asyncio.gather(*(each.wait_for_handshake() for each in pair))
    return pair


async def pipe() -> Pair:
    """Connect two streams by a pipe: the first one writes, the second one reads."""
    reading, writing = os.pipe()
    return PipeIOStream(writing), PipeIOStream(reading)


LINKS: dict[str, Link] = {"tcp": tcp, "unix": unix, "tls": tls, "pipe": pipe}
