"""`Presence`: which members are in a channel."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Any

from tornado._loop.tasks import start_lazily
from tornado.channels._errors import BrokerUnavailableError
from tornado.channels._hub import Hub
from tornado.channels._names import PRESENCE
from tornado.channels._retries import gather_all
from tornado.log import app_log, gen_log


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """The difference between two states of a channel.

    :ivar channel: the name of the channel.
    :ivar joined: the new members; for each of them the data of its connections, by connection ID.
    :ivar left: the members without a connection, with the last data.
    :ivar updated: the members whose connections or data have changed.
    """

    channel: str
    joined: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    left: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    updated: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.joined or self.left or self.updated)


Observer = Callable[[PresenceChange], None]
Members = dict[str, dict[str, Any]]


#: The number of channels that are renewed at the same time.
_MAX_CONCURRENT = 32
#: The number of connections that wait for their removal above which their lease is abandoned instead.
_MAX_LEAVING = 1000
#: The time between two readings of the members of a channel, as a multiple of the time of a reading.
_REST = 3


class _Watched:
    """The state of a channel that has observers, and a receiver of announcements."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.members: Members = {}
        #: Whether `members` has been read once.
        self.is_loaded = False
        self.observers: list[Observer] = []
        self.changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def deliver(self, items: Any) -> None:
        """See `Receiver.deliver`."""
        self.changed.set()


class _OwnConnections:
    """The connections of this process in one channel, and the lease under which they are stored.

    An operation without a response may be executed much later, after others. When another lease has begun, it
    has no effect for long, because the lease to which it belongs ends soon.
    """

    def __init__(self) -> None:
        self.worker = os.urandom(9).hex()
        #: The number of the lease, which is a part of the names in the broker.
        self.lease = 0
        #: Whether something is stored under the lease, and whether it is known what.
        self.has_begun = False
        self.is_certain = True
        self.entries: dict[str, bytes] = {}
        #: The names whose removal the broker has not confirmed.
        self.leaving: set[str] = set()

    def begin_lease(self) -> None:
        """Use another lease from now on."""
        self.worker = os.urandom(9).hex()
        self.lease += 1
        self.has_begun = False
        self.is_certain = True

    def abandon_lease(self) -> None:
        """Let everything that is stored under the lease end with it."""
        self.begin_lease()
        self.leaving.clear()

    def remove(self, connection: str) -> bool:
        """Note that a connection has ended. Return whether it existed."""
        found = self.entries.pop(connection, None) is not None
        if found:
            self.leaving.add(_name_of(connection, self.lease))
            if self.lease:  # the entry under the lease before it remains visible until that one ends
                self.leaving.add(_name_of(connection, self.lease - 1))
        return found

    def changed(self, entries: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the present entries of those connections whose entries are not the same any more."""
        return {
            each: self.entries[each]
            for each, entry in entries.items()
            if each in self.entries and self.entries[each] is not entry
        }


class Presence:
    """Registers members of channels, and reports changes in all processes.

    Each process has a lease for its connections, which it renews. When a process or its host dies, the lease
    ends, and its connections are removed. ::

        async with Presence(hub) as presence:
            connection = await presence.join("room:7", "alice", {"device": "phone"})
            presence.watch("room:7", print)
            await presence.leave("room:7", connection)

    :param lease: the duration of a lease in seconds. It is renewed three times in this time. Members of a
        dead process are reported as left after at most four thirds of it.
    """

    def __init__(self, hub: Hub, *, lease: float = 6.0) -> None:
        if not lease > 0:
            raise ValueError(f"lease must be a positive number of seconds, got {lease!r}")
        self.lease = lease
        self._hub = hub
        self._own: dict[str, _OwnConnections] = {}
        self._watched: dict[str, _Watched] = {}
        self._renewal: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to renew the leases."""
        if self._renewal is None:
            self._renewal = start_lazily(self._renew())

    async def __aenter__(self) -> Presence:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Remove all connections of this process, as far as the broker can be reached."""
        # Tasks end with the next iteration if their cancellation is lost, see `_refresh`.
        watched, self._watched = self._watched, {}
        renewal, self._renewal = self._renewal, None
        tasks = [task for task in (renewal, *(each.task for each in watched.values())) if task is not None]
        for task in tasks:
            task.cancel()
        for each in watched.values():
            each.changed.set()
            self._hub.detach(PRESENCE + each.channel, each)
        await asyncio.gather(*tasks, return_exceptions=True)
        for own in self._own.values():
            for connection in list(own.entries):
                own.remove(connection)
        await self._for_each_channel(self._remove)  # what fails ends with the lease

    # -- members --

    async def join(self, channel: str, member: str, data: Any = None) -> str:
        """Register a connection of a member. A member may have several.

        If the broker cannot be reached, the connection is registered when it can be.

        :param data: anything that can be encoded as JSON, for observers.
        :returns: the ID of the connection, for `update` and `leave`.
        """
        connection = os.urandom(9).hex()
        entry = _encode_entry(member, data)
        try:
            await self._set(channel, connection, entry)
        except BaseException:  # the caller does not learn the ID
            own = self._own.get(channel)
            if own is not None:
                own.remove(connection)
            raise
        return connection

    async def update(self, channel: str, connection: str, data: Any) -> None:
        """Change the data of a connection.

        :raises KeyError: if this process has no such connection.
        """
        member, _ = json.loads(self._own[channel].entries[connection])
        await self._set(channel, connection, _encode_entry(member, data))

    async def _set(self, channel: str, connection: str, entry: bytes) -> None:
        own = self._own.setdefault(channel, _OwnConnections())
        own.entries[connection] = entry
        try:
            await self._store(channel, own, {connection: entry})
        except BrokerUnavailableError as error:
            gen_log.info("Presence in channel %r will be registered later: %s", channel, error)

    async def _store(self, channel: str, own: _OwnConnections, entries: dict[str, bytes]) -> None:
        """Store entries. Store those again that have changed since: the broker may exchange the order.

        If the lease has ended, or its data is lost or old, store all entries under another lease.
        """
        broker = self._hub.broker
        has_ended = False
        while entries:
            lease = own.lease
            names = {connection: _name_of(connection, lease) for connection in entries}
            named = {names[connection]: entry for connection, entry in entries.items()}
            try:
                had_lease = await broker.add_presence(channel, own.worker, named, self.lease)
            except BaseException:
                own.is_certain = False  # the next renewal begins another lease
                raise
            if ended := {names[each] for each in entries if each not in own.entries}:
                own.leaving |= ended
                has_ended = True
            is_current = lease == own.lease
            if is_current and own.has_begun and not had_lease:
                # Or the responses of two calls have been exchanged, and the other lease is superfluous.
                own.begin_lease()
                entries = own.entries.copy()
            else:
                own.has_begun = own.has_begun or is_current
                entries = own.changed(entries)
        if has_ended:
            await self._remove(channel, own)
        await self._hub.send(PRESENCE + channel, 1)

    async def leave(self, channel: str, connection: str) -> None:
        """Remove a connection. It has no effect if this process has no such connection.

        :raises BrokerUnavailableError: if the broker cannot be reached. The connection is then removed by
            the next renewal.
        """
        own = self._own.get(channel)
        if own is not None and own.remove(connection):
            await self._remove(channel, own)

    async def _remove(self, channel: str, own: _OwnConnections) -> None:
        """Remove what has ended. Until the broker has confirmed this, each renewal repeats it."""
        names = list(own.leaving)
        if names:
            await self._hub.broker.remove_presence(channel, names)
            own.leaving.difference_update(names)
        if not own.entries and not own.leaving and self._own.get(channel) is own:
            del self._own[channel]
        if names:
            await self._hub.send(PRESENCE + channel, 1)

    async def members(self, channel: str) -> Members:
        """Return the members of a channel: for each of them the data of its connections.

        :raises BrokerUnavailableError: if the broker cannot be reached.
        """
        # The entry of a connection under its last lease counts.
        entries: dict[str, tuple[int, bytes]] = {}
        for name, entry in (await self._hub.broker.list_presence(channel)).items():
            connection, _, lease = name.partition("-")
            if int(lease or 0) >= entries.get(connection, (0, b""))[0]:
                entries[connection] = (int(lease or 0), entry)
        members: Members = {}
        for connection in sorted(entries):
            member, data = json.loads(entries[connection][1])
            members.setdefault(member, {})[connection] = data
        return members

    async def _renew(self) -> None:
        """Renew the leases again and again."""
        await asyncio.sleep(self.lease / 3)
        while self._renewal is not None:
            await self._for_each_channel(self._renew_one)
            await asyncio.sleep(self.lease / 3)

    async def _for_each_channel(
        self, operation: Callable[[str, _OwnConnections], Coroutine[Any, Any, None]]
    ) -> None:
        """Execute an operation for each channel with own connections, for several at the same time."""

        async def work() -> None:
            for channel, own in remaining:
                try:
                    await operation(channel, own)
                except BrokerUnavailableError:
                    pass  # the hub reports that the broker cannot be reached
                except Exception:
                    gen_log.error("Exception while presence in %r was updated", channel, exc_info=True)

        remaining = iter(list(self._own.items()))
        await gather_all(work() for _ in range(min(len(self._own), _MAX_CONCURRENT)))

    async def _renew_one(self, channel: str, own: _OwnConnections) -> None:
        """Renew a lease. Begin another one if it has ended, or if it is uncertain what is stored under it."""
        if len(own.leaving) > _MAX_LEAVING:  # the broker could not be reached
            own.abandon_lease()
        if own.entries:
            broker = self._hub.broker
            if not own.is_certain or not await broker.renew_presence(channel, own.worker, self.lease):
                own.begin_lease()
                await self._store(channel, own, dict(own.entries))
        await self._remove(channel, own)

    # -- observers --

    def watch(self, channel: str, observer: Observer) -> None:
        """Call `observer` with each `PresenceChange`. The first one contains the members present now, and may
        be empty.
        """
        watched = self._watched.get(channel)
        if watched is None:
            watched = _Watched(channel)
            self._hub.attach(PRESENCE + channel, watched)
            self._watched[channel] = watched
            watched.task = start_lazily(self._refresh(watched))
        elif watched.is_loaded:
            joined = {member: dict(connections) for member, connections in watched.members.items()}
            _notify(observer, PresenceChange(channel, joined))
        watched.observers.append(observer)

    def unwatch(self, channel: str, observer: Observer) -> None:
        """End the calls to an observer."""
        watched = self._watched.get(channel)
        if watched is None or observer not in watched.observers:
            return
        watched.observers.remove(observer)
        if not watched.observers:
            del self._watched[channel]
            self._hub.detach(PRESENCE + channel, watched)
            if watched.task is not None:
                watched.task.cancel()

    async def _refresh(self, watched: _Watched) -> None:
        """Read the members after each announcement, and at regular intervals, because leases end silently."""
        # Its cancellation may be lost: `asyncio.wait_for` of Python 3.11 suppresses some.
        while self._watched.get(watched.channel) is watched:
            watched.changed.clear()
            change, began = None, monotonic()
            try:
                change = _difference(watched, await self.members(watched.channel))
            except BrokerUnavailableError:
                pass
            except Exception:
                gen_log.error("Exception while presence in %r was read", watched.channel, exc_info=True)
            if change is not None and (change or not watched.is_loaded):
                watched.is_loaded = True
                for observer in list(watched.observers):
                    _notify(observer, change)
            # Each announcement reads all members: those of a short time share one reading.
            await asyncio.sleep(min(_REST * (monotonic() - began), self.lease / 6))
            try:
                async with asyncio.timeout(self.lease / 3):
                    await watched.changed.wait()
            except TimeoutError:
                pass


def _difference(watched: _Watched, members: Members) -> PresenceChange:
    """Replace the members of a channel, and return the difference."""
    before, watched.members = watched.members, members
    return PresenceChange(
        watched.channel,
        {name: members[name] for name in members.keys() - before.keys()},
        {name: before[name] for name in before.keys() - members.keys()},
        {name: members[name] for name in members.keys() & before.keys() if members[name] != before[name]},
    )


def _notify(observer: Observer, change: PresenceChange) -> None:
    try:
        observer(change)
    except Exception:
        app_log.error("Exception in presence observer %r", observer, exc_info=True)


def _name_of(connection: str, lease: int) -> str:
    """Return the name of a connection in the broker, under a lease."""
    return f"{connection}-{lease}"


def _encode_entry(member: str, data: Any) -> bytes:
    return json.dumps([member, data], ensure_ascii=False, allow_nan=False).encode()


__all__ = ["Presence", "PresenceChange"]
