"""Pairs of connected streams, plain or TLS, and a push-mode consumer that records its events."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tornado.iostream import BaseIOStream, IOStream, SSLIOStream

#: The kinds of streams that behave alike.
KINDS = ("plain", "tls")


class Recorder:
    """A `StreamConsumer` that stores its events in `events`; a test can wait for them.

    ``on_data``, ``on_eof`` and ``on_drained`` are called inside the method for that event.
    """

    def __init__(self, on_data: Callable[[bytes], object] | None = None) -> None:
        self.events: list[Any] = []
        self.on_data = on_data
        self.on_eof: Callable[[], object] | None = None
        self.on_drained: Callable[[], object] | None = None
        self._changed = asyncio.Event()

    @property
    def data(self) -> bytes:
        """All bytes received so far."""
        return b"".join(event for event in self.events if isinstance(event, bytes))

    def _note(self, event: Any) -> None:
        self.events.append(event)
        self._changed.set()

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        assert data
        self._note(data)
        if self.on_data is not None:
            self.on_data(data)

    def eof_received(self) -> None:
        self._note("eof")
        if self.on_eof is not None:
            self.on_eof()

    def connection_lost(self, error: BaseException | None) -> None:
        self._note(("lost", error))

    def input_wanted(self) -> None:
        """Do nothing."""

    def output_drained(self) -> None:
        self._note("drained")
        if self.on_drained is not None:
            self.on_drained()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` is true after an event."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def until_lost(self) -> BaseException | None:
        """Wait for ``connection_lost``, and return its error."""
        await self.until(lambda: self.events and self.events[-1][0] == "lost")
        error: BaseException | None = self.events[-1][1]
        return error


def socket_pair(family: str = "unix") -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets: ``"unix"``, or ``"tcp"`` over the loopback interface."""
    if family == "unix":
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    return server, client


@asynccontextmanager
async def stream_pair(
    kind: str, certificates: Certificates, family: str = "unix", **options: Any
) -> AsyncIterator[tuple[IOStream, IOStream]]:
    """Connect two streams, the server's (created with `options`) and the client's; close both at the end."""
    server_socket, client_socket = socket_pair(family)
    server: IOStream
    client: IOStream
    if kind == "tls":
        server = tls_stream(server_socket, certificates.server_context, server_side=True, **options)
        client = tls_stream(client_socket, certificates.client_context, server_side=False)
        await asyncio.gather(server.wait_for_handshake(), client.wait_for_handshake())
    else:
        server, client = IOStream(server_socket, **options), IOStream(client_socket)
    try:
        yield server, client
    finally:
        client.close()
        server.close()


def tls_stream(
    sock: socket.socket, context: ssl.SSLContext, server_side: bool, **options: Any
) -> SSLIOStream:
    """Return a TLS stream on a connected socket, before its handshake."""
    wrapped = context.wrap_socket(
        sock,
        server_side=server_side,
        server_hostname=None if server_side else "localhost",
        do_handshake_on_connect=False,
    )
    return SSLIOStream(wrapped, **options)


def reset(stream: IOStream) -> None:
    """Close the socket of a TCP stream with a reset."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()
    stream.close()


def record_sends(monkeypatch: pytest.MonkeyPatch) -> list[tuple[IOStream, bytes]]:
    """Return a list to which all data that streams send is added, as stream and bytes, before encryption."""
    made: list[tuple[IOStream, bytes]] = []

    def note(kind: type[IOStream]) -> None:
        write = kind.write_to_fd

        def noted(self: IOStream, data: memoryview) -> int:
            made.append((self, bytes(data)))
            return write(self, data)

        monkeypatch.setattr(kind, "write_to_fd", noted)

    note(IOStream)
    note(SSLIOStream)
    return made


async def run_loop_iterations(count: int = 3) -> None:
    """Run some event loop iterations, to process everything that is ready now."""
    for _ in range(count):
        await asyncio.sleep(0)


async def closed(stream: BaseIOStream) -> None:
    """Wait until the stream's close callback has run."""
    event = asyncio.Event()
    stream.set_close_callback(event.set)
    await event.wait()
