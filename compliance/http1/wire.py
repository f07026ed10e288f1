"""A connection that sends exactly the given octets, plain or over TLS, and supports half-close."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import socket
import ssl
from collections.abc import Iterator

#: Limits for sending octets one by one. From RUN equal octets on, they are one piece, since splitting padding
#: tests nothing. After SINGLE pieces, the rest (a flood) is split into pieces of FLOOD octets, a prime
#: number.
RUN, SINGLE, FLOOD = 256, 1024, 499
_PIECE = re.compile(rb"(.)\1{%d,}|." % (RUN - 1), re.DOTALL)


def pieces(data: bytes) -> Iterator[bytes]:
    """Yield the octets of ``data`` one by one, except for padding and floods."""
    position = 0
    for match in itertools.islice(_PIECE.finditer(data), SINGLE):
        yield match[0]
        position = match.end()
    for start in range(position, len(data), FLOOD):
        yield data[start : start + FLOOD]


class Wire:
    """A connection. After its loss, reads return the end of the input, and writes are discarded."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        if context is not None:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    @classmethod
    async def open(cls, address: tuple[str, int], context: ssl.SSLContext | None = None) -> Wire:
        """Connect, and do the handshake under TLS.

        :raises OSError: if the connection fails.
        """
        sock = socket.socket()
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, address)
            wire = cls(sock, context)
            await wire._greet()
        except BaseException:
            sock.close()
            raise
        return wire

    async def _greet(self) -> None:
        while self._tls is not None:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._loop.sock_recv(self._socket, 65536)
                if not data:
                    raise ConnectionError("closed during the TLS handshake") from None
                self._incoming.write(data)
            else:
                await self._flush()
                return

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._loop.sock_sendall(self._socket, data)

    async def send(self, data: bytes) -> bool:
        """Send all of ``data``; return False if the peer no longer accepts data."""
        try:
            if self._tls is None:
                await self._loop.sock_sendall(self._socket, data)
            else:
                self._tls.write(data)
                await self._flush()
        except (OSError, ssl.SSLError):
            return False
        return True

    async def receive(self) -> bytes:
        """Receive available data; empty at the end."""
        try:
            while True:
                if self._tls is not None:
                    with contextlib.suppress(ssl.SSLWantReadError):
                        return self._tls.read(65536)
                data = await self._loop.sock_recv(self._socket, 65536)
                if self._tls is None or not data:
                    return data
                self._incoming.write(data)
        except (OSError, ssl.SSLError):  # a reset, or TLS close_notify
            return b""

    async def half_close(self) -> None:
        """Close the sending side."""
        with contextlib.suppress(OSError):
            if self._tls is not None:
                with contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()
                await self._flush()
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
