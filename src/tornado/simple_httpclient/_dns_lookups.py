"""`SharedLookups`: a resolver that combines concurrent lookups of the same name and can cache results."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tornado.gen import convert_yielded
from tornado.netutil import OverrideResolver, Resolver, is_valid_ip

__all__ = ["SharedLookups", "may_share"]

#: Maximum number of results to cache.
_MAX_CACHED = 1024

_Addresses = list[tuple[int, Any]]
_Key = tuple[str, int, socket.AddressFamily]


def may_share(resolver: Resolver) -> bool:
    """Whether results may be shared. A Resolver that the program defines may return different results each
    time.
    """
    if type(resolver) is OverrideResolver:
        return may_share(resolver.resolver)
    return type(resolver).__module__.partition(".")[0] == "tornado"


class _Lookup:
    """A pending lookup and the number of callers that wait for it."""

    __slots__ = ("future", "waiting")

    def __init__(self, future: asyncio.Future[_Addresses]) -> None:
        self.future = future
        self.waiting = 0


class SharedLookups(Resolver):
    """A resolver that delegates to another one, with one lookup for concurrent calls with equal arguments.

    :param resolver: the other resolver. `close` does not close it.
    :param ttl: the time in seconds to cache a result; 0 for no cache.
    """

    resolver: Resolver
    ttl: float

    def initialize(self, resolver: Resolver, ttl: float = 0.0) -> None:
        """Initialize the instance; the constructor calls this with its arguments."""
        self.resolver = resolver
        self.ttl = ttl
        self._pending: dict[_Key, _Lookup] = {}
        self._cache: dict[_Key, tuple[float, _Addresses]] = {}

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        """Return the addresses of a host; see `.Resolver.resolve`."""
        if is_valid_ip(host):
            addresses: _Addresses = await convert_yielded(self.resolver.resolve(host, port, family))
            return addresses
        key = host, port, family
        now = asyncio.get_running_loop().time()
        cached = self._cache.get(key)
        if cached is not None and now < cached[0]:
            return list(cached[1])
        lookup = self._pending.get(key)
        if lookup is None:
            lookup = self._pending[key] = _Lookup(convert_yielded(self.resolver.resolve(host, port, family)))
            lookup.future.add_done_callback(lambda future: self._lookup_done(key, future))
        lookup.waiting += 1
        try:
            return list(await asyncio.shield(lookup.future))
        finally:
            lookup.waiting -= 1
            if not lookup.waiting and not lookup.future.done():
                # All callers have been cancelled.
                if self._pending.get(key) is lookup:
                    del self._pending[key]
                lookup.future.cancel()

    def forget(self, host: str) -> None:
        """Remove a host from the cache, for example because connecting to its addresses has failed."""
        for key in [key for key in self._cache if key[0] == host]:
            del self._cache[key]

    def _lookup_done(self, key: _Key, future: asyncio.Future[_Addresses]) -> None:
        lookup = self._pending.get(key)
        if lookup is not None and lookup.future is future:
            del self._pending[key]
        if future.cancelled() or future.exception() is not None or self.ttl <= 0:
            return
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[key] = asyncio.get_running_loop().time() + self.ttl, list(future.result())
