"""How many connections a server holds, in all and of each address, and the streams that are counted.

An address is what the socket says; what a proxy tells in header fields comes later and cannot be asked here.
Of IPv6 the first 64 bits count as one address, as that is what one customer is given at least. Unix sockets
have no address and are limited in number only.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from typing import Any

from tornado.iostream import IOStream, SSLIOStream

#: Of the descriptors that a process may open, connections get this part; the rest is for files and for
#: connections that the program opens itself.
SHARE_OF_DESCRIPTORS = 0.75


class ConnectionLimits:
    """Counts a server's connections and says when there are too many.

    :param total: the most connections in all, or None. Never more than three quarters of the descriptors that
        the process may open.
    :param each: the most connections of one address, or None.
    :param exempt: addresses to which `each` does not apply: proxies.
    """

    __slots__ = ("_exempt", "_of_address", "count", "each", "total")

    def __init__(self, total: int | None, each: int | None, exempt: Collection[str] = ()) -> None:
        room = _descriptors()
        if total is not None and room is not None:
            total = min(total, max(1, int(room * SHARE_OF_DESCRIPTORS)))
        self.total = total
        self.count = 0
        self.each = each
        self._exempt = frozenset(exempt)
        self._of_address: dict[str | int, int] = {}

    def is_full(self) -> bool:
        """Whether there are as many connections as there may be in all."""
        return self.total is not None and self.count >= self.total

    def key(self, connection: socket.socket, address: Any) -> str | int | None:
        """What stands for the peer's address; None where it is not counted."""
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

    def is_too_many(self, key: str | int | None) -> bool:
        """Whether this address has as many connections as one may have."""
        return key is not None and self.each is not None and self._of_address.get(key, 0) >= self.each

    def enter(self, stream: _CountedMixin, key: str | int | None) -> None:
        """Count `stream` until it is closed."""
        stream._connection_limits, stream._connection_limits_key = self, key
        self.count += 1
        if key is not None:
            self._of_address[key] = self._of_address.get(key, 0) + 1

    def leave(self, key: str | int | None) -> None:
        """A counted stream is closed."""
        self.count -= 1
        if key is not None:
            left = self._of_address[key] - 1
            if left:
                self._of_address[key] = left
            else:
                del self._of_address[key]


def _descriptors() -> int | None:
    """How many descriptors the process may open, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


class _CountedMixin(IOStream):
    """What both kinds of counted streams do. Without slots, so that it goes with either kind's."""

    __slots__ = ()

    _connection_limits: ConnectionLimits | None
    _connection_limits_key: str | int | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._connection_limits = None
        super().__init__(*args, **kwargs)

    def _after_close(self) -> None:
        admission, self._connection_limits = self._connection_limits, None
        if admission is not None:
            admission.leave(self._connection_limits_key)
        super()._after_close()


class CountedTLSStream(_CountedMixin, SSLIOStream):
    """A stream over TLS that an `ConnectionLimits` counts."""

    __slots__ = ("_connection_limits", "_connection_limits_key")


class CountedStream(_CountedMixin):
    """A stream that an `ConnectionLimits` counts, on its way through `start_tls` too."""

    __slots__ = ("_connection_limits", "_connection_limits_key")

    def _tls_stream(  # type: ignore[override]  # called as the class that it otherwise is
        self, *args: Any, **kwargs: Any
    ) -> CountedTLSStream:
        stream = CountedTLSStream(*args, **kwargs)
        stream._connection_limits, self._connection_limits = self._connection_limits, None
        stream._connection_limits_key = self._connection_limits_key
        return stream
