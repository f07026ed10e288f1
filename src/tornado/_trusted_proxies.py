"""`TrustedProxies`: the proxies whose forwarding header fields a server uses."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Collection

#: How many addresses are remembered, of proxies and of the clients that they report.
_CACHED = 1024

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrustedProxies:
    """A container of the IP addresses of proxies.

    ``address in proxies`` is whether a text is the address of a proxy.

    :param proxies: IP addresses, networks such as ``10.0.0.0/8``, and ``unix`` for all peers that connect
        through a Unix socket.
    :raises ValueError: for any other text.
    """

    __slots__ = ("_find", "_networks", "unix")

    def __init__(self, proxies: Collection[str]) -> None:
        if isinstance(proxies, str):
            raise ValueError(f"trusted_proxies must be a list of addresses and networks, got {proxies!r}")
        self.unix: bool = "unix" in proxies
        self._networks = [_network(each) for each in proxies if each != "unix"]
        # Parsing an address costs 2 microseconds, and every request of a proxy has the same one.
        self._find = functools.lru_cache(_CACHED)(self._is_in_network)

    def __contains__(self, address: object) -> bool:
        return self._find(address)

    def _is_in_network(self, address: object) -> bool:
        try:
            parsed = ipaddress.ip_address(str(address).partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(
            "trusted_proxies must contain IP addresses, networks such as 10.0.0.0/8, or 'unix', got "
            f"{text!r} ({error})"
        ) from None


__all__ = ["TrustedProxies"]
