"""Limits on the number of a server's connections, in total and per address, and the classes of counted
streams.

The address of the socket's peer is used. An address that a proxy forwards in header fields is received too
late to be checked here. IPv6 addresses with the same first 64 bits count as one address, because internet
providers assign at least a prefix of this length to each customer. Unix sockets have no address, so only the
total applies to them.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Collection
from typing import Any

from tornado.iostream import IOStream, SSLIOStream

#: The part of the process's file descriptor limit that connections may use. The rest is for files and for
#: connections that the program opens.
SHARE_OF_DESCRIPTORS = 0.75


class ConnectionLimits:
    """Counts a server's connections and decides whether to accept another one.

    :param total: the maximum number of connections, or None. It is lowered to three quarters of the number of
        file descriptors that the process may open.
    :param each: the maximum number of connections per address, or None.
    :param exempt: addresses to which `each` does not apply, such as those of proxies.
    :ivar on_room: called when a connection has ended while their number was at its maximum; or None.
    """

    __slots__ = ("_count_by_address", "_exempt", "count", "each", "on_room", "total")

    def __init__(self, total: int | None, each: int | None, exempt: Collection[str] = ()) -> None:
        max_descriptors = _max_descriptors()
        if total is not None and max_descriptors is not None:
            total = min(total, max(1, int(max_descriptors * SHARE_OF_DESCRIPTORS)))
        self.total = total
        self.count = 0
        self.on_room: Callable[[], object] | None = None
        self.each = each
        self._exempt = frozenset(exempt)
        self._count_by_address: dict[str | int, int] = {}

    def is_full(self) -> bool:
        """Whether the maximum number of connections has been reached."""
        return self.total is not None and self.count >= self.total

    def key(self, connection: socket.socket, address: Any) -> str | int | None:
        """Return the key under which the peer's address is counted, or None if it is not counted."""
        if self.each is None or not address:
            return None
        if connection.family == socket.AF_INET:
            key: str | int = address[0]
        elif connection.family == socket.AF_INET6:
            number = ipaddress.IPv6Address(address[0].partition("%")[0])
            mapped = number.ipv4_mapped
            key = int(number) >> 64 if mapped is None else str(mapped)
        else:
            return None
        return None if key in self._exempt or address[0] in self._exempt else key

    def is_address_full(self, key: str | int | None) -> bool:
        """Whether the address with this key has reached its maximum number of connections."""
        return key is not None and self.each is not None and self._count_by_address.get(key, 0) >= self.each

    def enter(self, stream: _CountedMixin, key: str | int | None) -> None:
        """Count `stream` until it is closed."""
        stream._connection_limits, stream._connection_limits_key = self, key
        self.count += 1
        if key is not None:
            self._count_by_address[key] = self._count_by_address.get(key, 0) + 1

    def leave(self, key: str | int | None) -> None:
        """Stop counting a stream with this key, because it has been closed."""
        was_full = self.is_full()
        self.count -= 1
        if key is not None:
            remaining = self._count_by_address[key] - 1
            if remaining:
                self._count_by_address[key] = remaining
            else:
                del self._count_by_address[key]
        if was_full and self.on_room is not None:
            self.on_room()


def _max_descriptors() -> int | None:
    """Return the maximum number of file descriptors of the process, or None if it is unlimited or unknown."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


class _CountedMixin(IOStream):
    """Base class of both counted streams. It has no slots, so it can be combined with either class."""

    __slots__ = ()

    _connection_limits: ConnectionLimits | None
    _connection_limits_key: str | int | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._connection_limits = None
        super().__init__(*args, **kwargs)

    def _after_close(self) -> None:
        limits, self._connection_limits = self._connection_limits, None
        if limits is not None:
            limits.leave(self._connection_limits_key)
        super()._after_close()


class CountedTLSStream(_CountedMixin, SSLIOStream):
    """A TLS stream that is counted by a `ConnectionLimits`."""

    __slots__ = ("_connection_limits", "_connection_limits_key")


class CountedStream(_CountedMixin):
    """A stream that is counted by a `ConnectionLimits`. It remains counted after `start_tls`."""

    __slots__ = ("_connection_limits", "_connection_limits_key")

    def _tls_stream_class(self) -> type[SSLIOStream]:
        return CountedTLSStream

    def _hand_over_to(self, stream: SSLIOStream) -> None:
        super()._hand_over_to(stream)
        if isinstance(stream, CountedTLSStream):
            stream._connection_limits, self._connection_limits = self._connection_limits, None
            stream._connection_limits_key = self._connection_limits_key
