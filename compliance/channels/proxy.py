"""A proxy for TCP that delays, stalls, truncates, cuts and refuses connections."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
from collections.abc import Sequence
from typing import cast

#: With this option a connection is reset when it is closed.
_RESET = struct.pack("ii", 1, 0)
#: The parameter of a request target that names its user.
_find_user = re.compile(rb"[?&]user=([^&\s]+)").search


class Proxy:
    """Forwards connections to a server whose address may change.

    :param randomness: decides which connections are cut.
    :cvar needs_data: whether the server for a connection is chosen when the client has sent data.
    :ivar target: the address of the server; None if it is not running, so that connections are refused.
    :ivar delay: the time in seconds for which data is held back.
    :ivar cuts: the number of connections that were cut.
    """

    needs_data = False

    def __init__(self, randomness: random.Random) -> None:
        self.target: tuple[str, int] | None = None
        self.delay = 0.0
        self.cuts = 0
        self.port = 0
        self._random = randomness
        self._is_stalled = False
        self._server: asyncio.Server | None = None
        self.connections: dict[Connection, None] = {}
        #: The sides that clients have opened.
        self.accepted: dict[Connection, None] = {}

    def choose(self, data: bytes) -> tuple[str, int] | None:
        """Return the address of the server for a new connection.

        :param data: the first data of the client; empty unless `needs_data`.
        """
        return self.target

    async def start(self) -> None:
        """Begin to accept connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close everything."""
        assert self._server is not None
        self._server.close()
        for connection in list(self.connections):
            connection.reset()
        await asyncio.sleep(0)

    @property
    def is_stalled(self) -> bool:
        """Whether nothing is forwarded."""
        return self._is_stalled

    def stall(self, stalled: bool) -> None:
        """Stop or continue forwarding."""
        self._is_stalled = stalled
        for connection in list(self.connections):
            connection.resume_both()

    def cut(self, share: float, truncate: bool = False) -> None:
        """Reset some connections.

        :param share: the probability for each connection.
        :param truncate: whether to do so after a random part of the next data.
        """
        for connection in list(self.connections):
            if self._random.random() < share:
                self.cuts += 1
                if truncate:
                    connection.truncate_at = self._random.randint(1, 200)
                else:
                    connection.reset()


class Balancer(Proxy):
    """Forwards each connection of a user to another server than the user's connection before.

    The first request of a connection names the user in a parameter of its target: ``?user=NAME``.

    :param targets: the addresses of the servers, at least two.
    :ivar moves: the number of connections of users that had a connection before.
    """

    needs_data = True

    def __init__(self, randomness: random.Random, targets: Sequence[tuple[str, int]]) -> None:
        super().__init__(randomness)
        self.moves = 0
        self._targets = targets
        self._latest: dict[bytes, tuple[str, int]] = {}

    def choose(self, data: bytes) -> tuple[str, int] | None:
        """See `Proxy.choose`."""
        found = _find_user(data)
        if found is None:
            raise ValueError(f"expected a request with the parameter user, got {data!r:.200}")
        user = found[1]
        latest = self._latest.get(user)
        self.moves += latest is not None
        target = self._random.choice([each for each in self._targets if each != latest])
        self._latest[user] = target
        return target

    def cut_one(self) -> None:
        """Reset one connection."""
        if self.accepted:
            self.cuts += 1
            self._random.choice([*self.accepted]).reset()


class Connection(asyncio.Protocol):
    """One side of a connection; the accepted one creates the other.

    :param other: the accepted side.
    :ivar truncate_at: the number of bytes after which the connection is reset.
    """

    def __init__(self, proxy: Proxy, other: Connection | None = None) -> None:
        self.proxy = proxy
        self.transport: asyncio.Transport | None = None
        self.truncate_at: int | None = None
        self._is_accepted = other is None
        self._other = other
        self._waiting: list[bytes] = []
        self._has_ended = False
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the server."""
        self.transport = cast(asyncio.Transport, transport)
        self.proxy.connections[self] = None
        if self._is_accepted:
            self.proxy.accepted[self] = None
            if not self.proxy.needs_data:
                self._connecting = asyncio.ensure_future(self._connect(b""))

    async def _connect(self, data: bytes) -> None:
        target = self.proxy.choose(data)
        loop = asyncio.get_running_loop()
        try:
            if target is None:
                raise ConnectionRefusedError
            _, self._other = await loop.create_connection(lambda: Connection(self.proxy, self), *target)
        except OSError:
            self.reset()
        else:
            if self.transport is None or self.transport.is_closing():
                self._other.reset()
            else:
                self.resume_both()

    def data_received(self, data: bytes) -> None:
        """Forward data."""
        self._waiting.append(data)
        if self._connecting is None and self._is_accepted and self.proxy.needs_data:
            self._connecting = asyncio.ensure_future(self._connect(data))
        if not self.proxy.delay:
            self.resume()
        else:
            asyncio.get_running_loop().call_later(self.proxy.delay, self.resume)

    def resume(self) -> None:
        """Forward what was held back."""
        other = self._other
        if other is None or other.transport is None or self.proxy.is_stalled:
            return  # continued by `Proxy.stall` or `_connect`
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            if self.truncate_at is not None:
                data = data[: self.truncate_at]
                other.transport.write(data)
                self.truncate_at -= len(data)
                if not self.truncate_at:
                    # The other side receives the part before the end.
                    other.transport.close()
                    self.reset()
                    return
            else:
                other.transport.write(data)
        if self._has_ended:
            other.transport.close()

    def resume_both(self) -> None:
        """Forward what was held back on both sides; the other one may have been closed."""
        self.resume()
        if self._other is not None:
            self._other.resume()

    def eof_received(self) -> bool:
        """Close this side; the other one is closed when everything was forwarded."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Close the other side."""
        self.proxy.connections.pop(self, None)
        self.proxy.accepted.pop(self, None)
        self._has_ended = True
        self.resume()

    def reset(self) -> None:
        """Reset both sides without sending what was held back."""
        for side in (self, self._other):
            if side is not None and side.transport is not None and not side.transport.is_closing():
                connection = side.transport.get_extra_info("socket")
                if connection is not None:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                side.transport.abort()


__all__ = ["Balancer", "Connection", "Proxy"]
