"""The limits of clients, and the policies for slow clients."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

SlowAction: TypeAlias = Literal["close", "skip", "latest"]

_ACTIONS = ("close", "skip", "latest")
#: The number of allowances in a table before those that are complete again are forgotten.
_MAX_ALLOWANCES = 10_000
#: The size of a subscription in the list of a request: a position, and a channel and data of usual lengths.
_SUBSCRIPTION_SIZE = 1024


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The limits of one client of a `ChannelHandler`.

    :param message: the maximum size of a request in bytes. A request with a list of subscriptions may be
        larger by 1 KiB for each permitted subscription.
    :param subscriptions: the maximum number of subscriptions.
    :param rate: the maximum number of requests per second on average. On a WebSocket, the requests above the
        rate wait, and no more of them are read. If one had to wait for more than five seconds, and over HTTP,
        it is refused.
    :param burst: the maximum number of requests at once.
    :param violations: the number of malformed or refused requests after which a WebSocket is closed. It
        decreases by one with each request that is valid.
    :param authentication_timeout: the time in seconds after the handshake of a WebSocket in which the client
        must have sent a request and be authenticated; otherwise it is closed with 4408. May be infinite.
    :param clients_per_user: the number of clients of one user, such as the tabs of a browser, that may use
        the rate and the burst for event streams and polls at the same time. A client chooses its ID, so its
        requests also count for its user.
    :param clients_per_address: the same for the anonymous clients of one address, such as that of a proxy, or
        of one IPv6 network (/64).
    :raises ValueError: if a limit is not positive.
    """

    __module__ = "tornado.channels"  # the module that exports this class

    message: int = 64 * 1024
    subscriptions: int = 100
    rate: float = 20.0
    burst: int = 60
    violations: int = 100
    authentication_timeout: float = 30.0
    clients_per_user: int = 10
    clients_per_address: int = 50

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be a positive number, got {value!r}")

    @property
    def list_size(self) -> int:
        """The maximum size of a request with a list of subscriptions, in bytes."""
        return self.message + _SUBSCRIPTION_SIZE * self.subscriptions


@dataclass(frozen=True, slots=True)
class SlowPolicy:
    """What to do if a client reads the messages of a channel too slowly.

    :param action: ``"close"``: close the connection, so that the client resumes with the history; ``"skip"``:
        leave out messages and report them as a gap; ``"latest"``: when the client has caught up, send only
        the latest message of each key.
    :param limit: the number of unsent bytes above which a client is slow. With ``"latest"`` it also limits
        the size of the messages that wait.
    :raises ValueError: if an argument is invalid.
    """

    __module__ = "tornado.channels"  # the module that exports this class

    action: SlowAction = "close"
    limit: int = 256 * 1024

    def __post_init__(self) -> None:
        if self.action not in _ACTIONS:
            raise ValueError(f"action must be one of {', '.join(map(repr, _ACTIONS))}, got {self.action!r}")
        if not self.limit > 0:
            raise ValueError(f"limit must be a positive number of bytes, got {self.limit!r}")


def count_request(limits: ClientLimits, free_at: float, now: float, clients: int = 1) -> tuple[float, float]:
    """Count a request. The only state of an allowance is a time, at which it is complete again.

    :param free_at: the time from the previous call, or 0.
    :param now: the present time in seconds.
    :param clients: the number of clients that share the allowance.
    :returns: the new time, and the number of seconds to wait; 0 if the request is permitted.
    """
    interval = 1 / (limits.rate * clients)
    next_free = max(free_at, now) + interval
    wait = next_free - now - limits.burst * clients * interval
    return (free_at, wait) if wait > 1e-9 else (next_free, 0.0)


@lru_cache(1024)
def _network_of(address: str) -> str:
    """Return the part of an address that a client cannot choose.

    A client with IPv6 can use each address of its network, whose prefix usually has 64 bits.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # for example, that of a Unix socket
        return address
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.ipv4_mapped is not None:
        return address
    return f"{ipaddress.IPv6Address(int(parsed) >> 64 << 64)}/64"


class RequestCounter:
    """Counts the requests of clients without a connection, by what the clients cannot choose.

    Publications count for the user, or for the address of a client without a user. Streams and polls have an
    allowance for each client, because many clients poll from the address of one proxy, and a larger one for
    the user or the address, because a client chooses its ID. The allowances of clients are in a table of
    their own, so that many IDs do not displace the other ones.
    """

    def __init__(self) -> None:
        self._sources = _Allowances()
        self._clients = _Allowances()

    def count_publication(self, limits: ClientLimits, user: str | None, address: str, now: float) -> float:
        """Count a publication. Return the number of seconds to wait; 0 if it is permitted."""
        name, _ = _source_of(limits, user, address)
        return self._sources.take(limits, f"publish {name}", 1, now)

    def count_reception(
        self, limits: ClientLimits, user: str | None, address: str, client: str, now: float
    ) -> float:
        """Count a stream or a poll. Return the number of seconds to wait; 0 if it is permitted."""
        name, clients = _source_of(limits, user, address)
        wait = self._clients.wait(limits, f"{client} {name}", 1, now)
        # A client that is refused does not use the allowance of the others.
        wait = wait or self._sources.take(limits, f"receive {name}", clients, now)
        return wait or self._clients.take(limits, f"{client} {name}", 1, now)


def _source_of(limits: ClientLimits, user: str | None, address: str) -> tuple[str, int]:
    """Return the name of a user or an address, and the number of its clients."""
    if user:
        return f"user {user}", limits.clients_per_user
    return f"address {_network_of(address)}", limits.clients_per_address


class _Allowances:
    """A table of the allowances that are not complete."""

    def __init__(self) -> None:
        self._free_at: dict[str, float] = {}

    def wait(self, limits: ClientLimits, name: str, clients: int, now: float) -> float:
        """Return the number of seconds until a request is permitted."""
        return count_request(limits, self._free_at.get(name, 0.0), now, clients)[1]

    def take(self, limits: ClientLimits, name: str, clients: int, now: float) -> float:
        """Count a request if it is permitted. Return the number of seconds to wait otherwise, or 0."""
        free_at, wait = count_request(limits, self._free_at.get(name, 0.0), now, clients)
        if name not in self._free_at and len(self._free_at) >= _MAX_ALLOWANCES:
            recent = [(name, each) for name, each in self._free_at.items() if each > now]
            # If all are active, the half that was used least is forgotten, so that neither the size nor the
            # time grows.
            recent.sort(key=lambda item: item[1])
            self._free_at = dict(recent[-(_MAX_ALLOWANCES // 2) :])
        self._free_at[name] = free_at
        return wait


__all__ = ["ClientLimits", "RequestCounter", "SlowPolicy", "count_request"]
