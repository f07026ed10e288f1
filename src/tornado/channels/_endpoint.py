"""`Endpoint`: what all clients of a hub in one process share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextvars import Context
from time import monotonic
from typing import Any, Protocol, TypeVar

from tornado._loop.deadlines import DeadlineScheduler
from tornado._loop.tasks import keep_reference, start_lazily
from tornado.channels._encoding import Encoder
from tornado.channels._errors import BrokerUnavailableError
from tornado.channels._hub import Hub
from tornado.channels._limits import ClientLimits, RequestCounter
from tornado.channels._names import REVOCATIONS
from tornado.channels._presence import Presence
from tornado.channels._presence_events import PresenceFeed
from tornado.channels._requests import encode_limits
from tornado.channels._session_state import Identity
from tornado.channels._transport import SlowClient, Transport
from tornado.channels._values import Gap, Message
from tornado.log import gen_log

#: How long a polling client is present after its last poll has ended, in seconds.
_LINGER = 10.0
#: If revocations may have been lost, all users connect again: the number of batches, and their interval in
#: seconds.
_RECONNECT_BATCHES, _RECONNECT_INTERVAL = 50, 0.2

_Transport = TypeVar("_Transport", bound=Transport)


class RevocableSession(SlowClient, Protocol):
    """The part of a session that an endpoint uses."""

    identity: Identity

    def revoke(self, user: str, channel: str | None) -> None:
        """End what is revoked, if the user is that of this session."""

    def reconnect(self) -> None:
        """Close the connection, so that the client connects again and is authorized again."""


class Endpoint:
    """The sessions, the transports and the presence of the clients of a hub.

    :ivar hub: the hub.
    :ivar encoder: encodes each message once.
    :ivar sessions: the sessions of open connections and waiting polls by receiver.
    :ivar revision: the number of revocations received. A permission is valid if it has not changed since.
    :ivar is_watching: whether revocations are received.
    """

    def __init__(self, hub: Hub, presence: Presence | None = None) -> None:
        self.hub = hub
        self.encoder = Encoder()
        self.sessions: dict[Any, RevocableSession] = {}
        self.revision = 0
        self.is_watching = False
        self._reconnecting: asyncio.Task[None] | None = None
        self._requests = RequestCounter()
        self._authentications: DeadlineScheduler | None = None
        self._transports: dict[type[Transport], Transport] = {}
        self._given_presence = presence
        self._presence: Presence | None = presence
        self._feeds: dict[str, PresenceFeed] = {}
        #: The last arguments and the result of `encode_limits`.
        self._encoded_limits: tuple[ClientLimits, float, str] | None = None
        #: The connections of polling clients between two polls, by user, client and channel.
        self._lingering: dict[tuple[str, str, str], tuple[str, asyncio.TimerHandle]] = {}

    async def close(self) -> None:
        """End the presence of all clients."""
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        if self._authentications is not None:
            self._authentications.clear()
        for _, timer in self._lingering.values():
            timer.cancel()
        self._lingering.clear()
        for feed in self._feeds.values():
            feed.close()
        self._feeds.clear()
        if self._presence is not None and self._given_presence is None:
            await self._presence.close()

    def transport(self, kind: type[_Transport]) -> _Transport:
        """Return the transport of a class."""
        transport = self._transports.get(kind)
        if transport is None:
            transport = self._transports[kind] = kind(self.encoder, self.sessions)
        return transport  # type: ignore[return-value]  # the key is its class

    def encode_limits(self, limits: ClientLimits, keep_alive: float) -> str:
        """Return the result of `encode_limits`, which is called again only for other limits."""
        found = self._encoded_limits
        if found is None or found[0] is not limits or found[1] != keep_alive:
            found = self._encoded_limits = limits, keep_alive, encode_limits(limits, keep_alive)
        return found[2]

    def count_publication(self, limits: ClientLimits, user: str | None, address: str) -> float:
        """Count a publication over HTTP; see `RequestCounter`."""
        return self._requests.count_publication(limits, user, address, monotonic())

    def count_reception(self, limits: ClientLimits, user: str | None, address: str, client: str) -> float:
        """Count an event stream or a poll; see `RequestCounter`."""
        return self._requests.count_reception(limits, user, address, client, monotonic())

    @property
    def authentications(self) -> DeadlineScheduler:
        """The time limits of clients that are not authenticated yet."""
        found = self._authentications
        if found is None:
            clock = asyncio.get_running_loop().time
            # Connections begin often, so the timer is kept between them.
            found = self._authentications = DeadlineScheduler(clock, context=Context(), keep_timer=True)
        return found

    # -- revocations --

    async def watch_revocations(self) -> None:
        """Begin to receive revocations. Permissions are granted only after this."""
        position = await self.hub.head(REVOCATIONS)
        if not self.is_watching:
            self.is_watching = True
            self.hub.attach(REVOCATIONS, self, position)

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        """Apply revocations; see `Receiver.deliver`."""
        self.revision += 1
        for item in items:
            if isinstance(item, Gap):
                if self._reconnecting is not None:
                    self._reconnecting.cancel()
                self._reconnecting = start_lazily(self._reconnect_all())
                continue
            revoked = item.data
            for session in list(self.sessions.values()):
                session.revoke(revoked["user"], revoked["channel"])

    async def _reconnect_all(self) -> None:
        """Close all connections of users in batches, because it is unknown what was revoked."""
        sessions = [each for each in self.sessions.values() if each.identity.user is not None]
        random.shuffle(sessions)
        size = max(1, -(-len(sessions) // _RECONNECT_BATCHES))
        while sessions:
            for session in sessions[-size:]:
                session.reconnect()
            del sessions[-size:]
            await asyncio.sleep(_RECONNECT_INTERVAL)

    # -- presence --

    @property
    def presence(self) -> Presence:
        """The presence of the clients, created when it is first needed."""
        presence = self._presence
        if presence is None:
            presence = self._presence = Presence(self.hub)
            presence.start()
        return presence

    def watch(self, channel: str, receiver: Any, transport: Transport, version: str = "") -> None:
        """Send the members of a channel, and their changes, to a client."""
        feed = self._feeds.get(channel)
        if feed is None:
            feed = self._feeds[channel] = PresenceFeed(channel, self.presence)
        feed.add(receiver, transport, version)

    def unwatch(self, channel: str, receiver: Any, transport: Transport) -> None:
        """End the presence events of a client."""
        feed = self._feeds.get(channel)
        if feed is not None:
            feed.remove(receiver, transport)
            if not feed:
                del self._feeds[channel]
                feed.close()

    def leave(self, channel: str, connection: str) -> None:
        """Remove a connection without waiting."""
        _ = keep_reference(asyncio.ensure_future(self._leave(channel, connection)))

    async def _leave(self, channel: str, connection: str) -> None:
        try:
            await self.presence.leave(channel, connection)
        except BrokerUnavailableError as error:
            gen_log.info("Presence in channel %r will be removed later: %s", channel, error)

    def leave_later(self, user: str, client: str, channel: str, connection: str) -> None:
        """Remove a connection unless the client polls again soon."""
        key = (user, client, channel)
        previous = self.take_lingering(*key)
        if previous is not None:  # two polls at the same time
            self.leave(channel, previous)

        def leave() -> None:
            del self._lingering[key]
            self.leave(channel, connection)

        timer = asyncio.get_running_loop().call_later(_LINGER, leave)
        self._lingering[key] = (connection, timer)

    def take_lingering(self, user: str, client: str, channel: str) -> str | None:
        """Return the connection of the client's last poll, if it is still present."""
        connection, timer = self._lingering.pop((user, client, channel), (None, None))
        if timer is not None:
            timer.cancel()
        return connection


def endpoint_of(hub: Hub, presence: Presence | None = None) -> Endpoint:
    """Return the endpoint of a hub, and create it if necessary."""
    endpoint = hub.endpoint
    if endpoint is None:
        endpoint = hub.endpoint = Endpoint(hub, presence)
    assert isinstance(endpoint, Endpoint)  # no other class sets it
    return endpoint


async def revoke(hub: Hub, user: str, channel: str | None = None) -> None:
    """Withdraw the permissions of a user on all connections, in all processes, within a second.

    The authorization methods of the handlers are called again when the client subscribes or connects again.
    Change what they decide from, for example in a database, before calling this function.

    :param user: the user of the `Identity`.
    :param channel: the channel whose subscription ends; None to close the connections of the user with 4403.
    :raises PublishError: if the broker has not confirmed the revocation by the deadline.
    """
    await hub.publish(REVOCATIONS, {"user": user, "channel": channel})


revoke.__module__ = "tornado.channels"  # the module that exports it

__all__ = ["Endpoint", "RevocableSession", "endpoint_of", "revoke"]
