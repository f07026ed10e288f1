"""``platform.twisted.TwistedResolver``: a resolver that uses Twisted's DNS client."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.names.client import Resolver as DNSClient
from twisted.names.error import DNSQueryTimeoutError, DNSServerError, DomainError, ResolverError
from twisted.names.hosts import Resolver as HostsFile

from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated
from tornado._tornado4.legacy_arguments import takes_callback
from tornado._yielded_values import convert_yielded
from tornado.ioloop import IOLoop
from tornado.netutil import Resolver, is_valid_ip

__all__ = ["TwistedResolver"]

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
#: Record types (RFC 1035 section 3.2.2, RFC 3596 section 2.1).
_TYPES = {1: socket.AF_INET, 28: socket.AF_INET6}
#: The exceptions that mean that a name has no address. UnicodeError means that it cannot be encoded.
_FAILURES = (DomainError, DNSQueryTimeoutError, DNSServerError, ResolverError, UnicodeError)


class TwistedResolver(Resolver):
    """A `.Resolver` without threads that uses ``/etc/hosts`` and the name servers in ``/etc/resolv.conf``.

    ::

        Resolver.configure("tornado.platform.twisted.TwistedResolver")

    It requires the package ``Twisted``. IPv6 addresses are looked up only if a name has no IPv4 address, or
    if `family` is ``AF_INET6``.

    Deprecated: the default resolver supports every name source of the operating system, and
    `tornado.platform.caresresolver.CaresResolver` does not use threads either.
    """

    def initialize(self) -> None:
        """Initialize the resolver. The constructor calls this method."""
        deprecated("TwistedResolver", "use the default Resolver, or CaresResolver")
        self._loop: IOLoop | None = None
        self._client: DNSClient | None = None

    @takes_callback
    async def resolve(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> list[tuple[int, Any]]:
        """Resolve ``host``, as `.Resolver.resolve` does. A literal address needs no look-up.

        :raises OSError: if the name has no address of this family; the exception is a `socket.gaierror`.
        """
        if is_valid_ip(host):
            addresses = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
            return [(each[0], each[4]) for each in addresses]
        failure: Exception | None = None
        for wanted in _FAMILIES if family == socket.AF_UNSPEC else (family,):
            try:
                found = await self._look_up(host, wanted)
            except _FAILURES as error:
                failure = error
            else:
                if found:
                    return [(wanted, _socket_address(address, port, wanted)) for address in found]
        raise socket.gaierror(socket.EAI_NONAME, f"no address for {host!r}: {failure!r}") from failure

    async def _look_up(self, host: str, family: int) -> list[str]:
        """Return the addresses of one family: from the hosts file, or else from a name server."""
        name = host if host.isascii() else host.encode("idna").decode("ascii")
        hosts: Any = HostsFile()  # type: ignore[no-untyped-call]
        try:
            answers = await _query(hosts, name, family)
        except DomainError:
            answers = await _query(self._client_for(IOLoop.current()), name, family)
        return [_address(each.payload) for each in answers if _TYPES.get(each.type) == family]

    def _client_for(self, loop: Any) -> DNSClient:
        """Return the DNS client for a loop. Its sockets and timers belong to one loop."""
        if self._client is None or self._loop is not loop:
            reactor = AsyncioSelectorReactor(loop.asyncio_loop)
            client = DNSClient(resolv="/etc/resolv.conf", reactor=reactor)  # type: ignore[no-untyped-call]
            self._client, self._loop = client, loop
        return self._client


async def _query(source: Any, name: str, family: int) -> Any:
    method = source.lookupAddress if family == socket.AF_INET else source.lookupIPV6Address
    answers, _authority, _additional = await convert_yielded(method(name))
    return answers


def _address(payload: Any) -> str:
    family = _TYPES[payload.TYPE]
    return socket.inet_ntop(family, payload.address)


def _socket_address(address: str, port: int, family: int) -> tuple[Any, ...]:
    return (address, port) if family == socket.AF_INET else (address, port, 0, 0)


export(globals(), module="tornado.platform.twisted")
