"""Opening and closing connections, with plain streams and with TCPServer and TCPClient."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import AsyncGenerator

from benchmarks.macro.stream.links import contexts
from benchmarks.worker import Case
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.netutil import add_accept_handler, bind_sockets
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer


class EchoServer(TCPServer):
    """A server that sends back one line, and closes the connection."""

    async def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        try:
            await stream.write(await stream.read_until(b"\n"))
        except StreamClosedError:
            pass
        stream.close()


async def accept(times: int) -> AsyncGenerator[None, None]:
    """Connect to a listening socket, accept the connection, and close both ends."""
    listener = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)[0]
    accepted: asyncio.Queue[socket.socket] = asyncio.Queue()
    stop = add_accept_handler(listener, lambda connection, address: accepted.put_nowait(connection))
    address = listener.getsockname()
    yield
    for _ in range(times):
        near = IOStream(socket.socket())
        await near.connect(address)
        far = IOStream(await accepted.get())
        near.close()
        far.close()
    yield
    stop()
    listener.close()


async def serve(tls: bool, times: int) -> AsyncGenerator[None, None]:
    """A client connection to a server: one line in each direction, then close."""
    client_context, server_context = contexts() if tls else (None, None)
    server = EchoServer(ssl_options=server_context)
    listener = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)[0]
    server.add_socket(listener)
    address = listener.getsockname()
    yield
    for _ in range(times):
        near = await _connect(address, client_context)
        near.write(b"hello\n")
        await near.read_until(b"\n")
        near.close()
    yield
    server.stop()


async def _connect(address: tuple[str, int], context: ssl.SSLContext | None) -> IOStream:
    if context is None:
        return await IOStream(socket.socket()).connect(address)
    return await SSLIOStream(socket.socket(), ssl_options=context).connect(address, "127.0.0.1")


async def client(times: int) -> AsyncGenerator[None, None]:
    """Like `serve`, but the client is a TCPClient, which resolves the host name."""
    server = EchoServer()
    listener = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)[0]
    server.add_socket(listener)
    port = listener.getsockname()[1]
    maker = TCPClient()
    yield
    for _ in range(times):
        near = await maker.connect("127.0.0.1", port)
        near.write(b"hello\n")
        await near.read_until(b"\n")
        near.close()
    yield
    maker.close()
    server.stop()


CASES = [
    Case("accept", "connect, accept, close both ends", accept, 50),
    Case(
        "server",
        "connect to a TCPServer, a line in each direction, close",
        functools.partial(serve, False),
        50,
    ),
    Case("server-tls", "the same over TLS, with the handshake", functools.partial(serve, True), 20),
    Case("client", "the same without TLS, with TCPClient", client, 50),
]
