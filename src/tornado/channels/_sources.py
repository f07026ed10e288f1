"""`Source`: a user, or the address of clients without one, and what its clients use together.

A client can open many connections, so limits of a connection alone do not limit it. What costs the broker or
the process something also counts for the source: requests that the broker executes, channels that only its
clients have opened, and presence.
"""

from __future__ import annotations

from typing import Protocol

from tornado.channels._limits import ClientLimits, count_request, source_of

#: The number of sources above which those that use nothing are looked for, each time it has doubled.
_FIRST_SWEEP = 1000


class Source:
    """What the clients of one user or one address use.

    :ivar name: identifies the user or the address.
    :ivar is_user: whether it is a user.
    :ivar free_at: the state of the allowance for requests; see `count_request`.
    :ivar sessions: the number of sessions.
    :ivar opened: the number of channels that had no receivers in this process before.
    :ivar present: the number of presences.
    """

    __slots__ = ("free_at", "is_user", "name", "opened", "present", "sessions")

    def __init__(self, name: str, is_user: bool) -> None:
        self.name = name
        self.is_user = is_user
        self.free_at = 0.0
        self.sessions = 0
        self.opened = 0
        self.present = 0

    def clients(self, limits: ClientLimits) -> int:
        """Return the number of clients whose limits this source may use."""
        return limits.clients_per_user if self.is_user else limits.clients_per_address

    def count_request(self, limits: ClientLimits, now: float) -> float:
        """Count a request. Return the number of seconds to wait before it is counted, or 0."""
        self.free_at, wait = count_request(limits, self.free_at, now, self.clients(limits))
        return wait

    def is_idle(self, now: float) -> bool:
        """Whether nothing must be remembered."""
        return not (self.sessions or self.opened or self.present) and self.free_at <= now


class _Hub(Protocol):
    def has_receivers(self, channel: str) -> bool: ...


class Sources:
    """The sources of the clients of a hub in this process."""

    def __init__(self, hub: _Hub) -> None:
        self._hub = hub
        self._sources: dict[str, Source] = {}
        self._sweep_at = _FIRST_SWEEP
        #: The source that has opened a channel, until it has no receivers.
        self._opened: dict[str, Source] = {}

    def acquire(self, user: str | None, address: str, now: float) -> Source:
        """Return the source of a new session."""
        name, is_user = source_of(user, address)
        source = self._sources.get(name)
        if source is None:
            if len(self._sources) >= self._sweep_at:
                self._sources = {key: each for key, each in self._sources.items() if not each.is_idle(now)}
                self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._sources))
            source = self._sources[name] = Source(name, is_user)
        source.sessions += 1
        return source

    def release(self, source: Source, now: float) -> None:
        """End a session."""
        source.sessions -= 1
        if source.is_idle(now):
            self._sources.pop(source.name, None)

    def may_open(self, source: Source, channel: str, limits: ClientLimits) -> bool:
        """Whether a client may subscribe to a channel."""
        return source.opened < limits.subscriptions * source.clients(limits) or self._hub.has_receivers(
            channel
        )

    def open(self, source: Source, channel: str) -> None:
        """Count a channel for the source if it has no receivers yet."""
        if not self._hub.has_receivers(channel):
            self._opened[channel] = source
            source.opened += 1

    def close(self, channel: str) -> None:
        """Stop counting a channel without receivers. It may still have some."""
        source = self._opened.get(channel)
        if source is not None and not self._hub.has_receivers(channel):
            del self._opened[channel]
            source.opened -= 1


__all__ = ["Source", "Sources"]
