"""The limits of clients, and the policies for slow clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

SlowAction: TypeAlias = Literal["close", "skip", "latest"]

_ACTIONS = ("close", "skip", "latest")
#: The number of clients whose requests are counted before those that have paused are forgotten.
_MAX_CLIENTS = 10_000


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """The limits of one client of a `ChannelHandler`.

    :param message: the maximum size of a request in bytes.
    :param subscriptions: the maximum number of subscriptions.
    :param rate: the maximum number of requests per second on average. On a WebSocket, the requests above the
        rate wait, and no more of them are read. If one had to wait for more than five seconds, and over HTTP,
        it is refused.
    :param burst: the maximum number of requests at once.
    :param violations: the number of malformed or refused requests after which a WebSocket is closed. It
        decreases by one with each request that is valid.
    :param authentication_timeout: the time in seconds after the handshake of a WebSocket in which the client
        must have sent a request and be authenticated; otherwise it is closed with 4408. May be infinite.
    :raises ValueError: if a limit is not positive.
    """

    __module__ = "tornado.channels"  # the module that exports this class

    message: int = 64 * 1024
    subscriptions: int = 100
    rate: float = 20.0
    burst: int = 60
    violations: int = 100
    authentication_timeout: float = 30.0

    def __post_init__(self) -> None:
        for name in ("message", "subscriptions", "rate", "burst", "violations", "authentication_timeout"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be a positive number, got {value!r}")


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


def count_request(limits: ClientLimits, free_at: float, now: float) -> tuple[float, float]:
    """Count a request of a client. Its only state is a time, at which its allowance is complete again.

    :param free_at: the time from the previous call, or 0.
    :param now: the present time in seconds.
    :returns: the new time, and the number of seconds to wait; 0 if the request is permitted.
    """
    interval = 1 / limits.rate
    next_free = max(free_at, now) + interval
    wait = next_free - now - limits.burst * interval
    return (free_at, wait) if wait > 1e-9 else (next_free, 0.0)


class RequestCounter:
    """Counts the requests of clients without a connection, by user or address."""

    def __init__(self) -> None:
        self._free_at: dict[str, float] = {}

    def count(self, limits: ClientLimits, client: str, now: float) -> float:
        """Count a request. Return the number of seconds to wait; 0 if it is permitted."""
        free_at, wait = count_request(limits, self._free_at.get(client, 0.0), now)
        if client not in self._free_at and len(self._free_at) >= _MAX_CLIENTS:
            recent = [(name, each) for name, each in self._free_at.items() if each > now]
            # If all are active, half are forgotten, so that neither the size nor the time grows.
            self._free_at = dict(recent[-(_MAX_CLIENTS // 2) :])
        self._free_at[client] = free_at
        return wait


__all__ = ["ClientLimits", "RequestCounter", "SlowPolicy", "count_request"]
