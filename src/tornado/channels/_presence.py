"""`Presence`: which members are in a channel."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tornado.channels._errors import BrokerUnavailableError
from tornado.channels._hub import Hub
from tornado.log import app_log, gen_log

#: The prefix of the channels on which changes are announced.
_PREFIX = "$presence:"


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
        self._worker = os.urandom(9).hex()
        self._own: dict[str, dict[str, bytes]] = {}
        #: The connections whose removal the broker has not confirmed.
        self._leaving: dict[str, set[str]] = {}
        self._watched: dict[str, _Watched] = {}
        self._renewal: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to renew the leases."""
        if self._renewal is None:
            self._renewal = asyncio.get_running_loop().create_task(self._renew())

    async def __aenter__(self) -> Presence:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Remove all connections of this process, as far as the broker can be reached."""
        tasks = [each.task for each in self._watched.values() if each.task is not None]
        if self._renewal is not None:
            tasks.append(self._renewal)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for watched in self._watched.values():
            self._hub.detach(_PREFIX + watched.channel, watched)
        self._watched.clear()
        for channel, entries in list(self._own.items()):
            for connection in list(entries):
                try:
                    await self.leave(channel, connection)
                except BrokerUnavailableError:
                    pass  # the lease ends soon

    # -- members --

    async def join(self, channel: str, member: str, data: Any = None) -> str:
        """Register a connection of a member. A member may have several.

        If the broker cannot be reached, the connection is registered when it can be.

        :param data: anything that can be encoded as JSON, for observers.
        :returns: the ID of the connection, for `update` and `leave`.
        """
        connection = os.urandom(9).hex()
        await self._set(channel, connection, member, data)
        return connection

    async def update(self, channel: str, connection: str, data: Any) -> None:
        """Change the data of a connection.

        :raises KeyError: if this process has no such connection.
        """
        member, _ = json.loads(self._own[channel][connection])
        await self._set(channel, connection, member, data)

    async def _set(self, channel: str, connection: str, member: str, data: Any) -> None:
        entry = json.dumps([member, data], ensure_ascii=False).encode()
        self._own.setdefault(channel, {})[connection] = entry
        try:
            await self._hub.broker.add_presence(channel, self._worker, {connection: entry}, self.lease)
            await self._hub.send(_PREFIX + channel, 1)
        except BrokerUnavailableError as error:
            gen_log.info("Presence in channel %r will be registered later: %s", channel, error)

    async def leave(self, channel: str, connection: str) -> None:
        """Remove a connection. It has no effect if this process has no such connection.

        :raises BrokerUnavailableError: if the broker cannot be reached. The connection is then removed by
            the next renewal.
        """
        entries = self._own.get(channel)
        if entries is None or entries.pop(connection, None) is None:
            return
        if not entries:
            del self._own[channel]
        # Until the broker has confirmed the removal, the renewal repeats it.
        self._leaving.setdefault(channel, set()).add(connection)
        await self._remove(channel, [connection])

    async def _remove(self, channel: str, connections: list[str]) -> None:
        await self._hub.broker.remove_presence(channel, connections)
        leaving = self._leaving.get(channel)
        if leaving is not None:
            leaving.difference_update(connections)
            if not leaving:
                del self._leaving[channel]
        await self._hub.send(_PREFIX + channel, 1)

    async def members(self, channel: str) -> Members:
        """Return the members of a channel: for each of them the data of its connections.

        :raises BrokerUnavailableError: if the broker cannot be reached.
        """
        members: Members = {}
        for connection, entry in sorted((await self._hub.broker.list_presence(channel)).items()):
            member, data = json.loads(entry)
            members.setdefault(member, {})[connection] = data
        return members

    async def _renew(self) -> None:
        """Renew the leases. Register the connections again if a lease has ended or its data is lost."""
        broker = self._hub.broker
        while True:
            await asyncio.sleep(self.lease / 3)
            for channel, connections in list(self._leaving.items()):
                try:
                    await self._remove(channel, list(connections))
                except BrokerUnavailableError:
                    pass  # tried again by the next renewal
                except Exception:
                    gen_log.error("Exception while presence in %r was removed", channel, exc_info=True)
            for channel in list(self._own):
                try:
                    if not await broker.renew_presence(channel, self._worker, self.lease):
                        entries = dict(self._own.get(channel, ()))
                        await broker.add_presence(channel, self._worker, entries, self.lease)
                        await self._hub.send(_PREFIX + channel, 1)
                except BrokerUnavailableError:
                    pass  # the hub reports that the broker cannot be reached
                except Exception:
                    gen_log.error("Exception while presence in %r was renewed", channel, exc_info=True)

    # -- observers --

    def watch(self, channel: str, observer: Observer) -> None:
        """Call `observer` with each `PresenceChange`. The first one contains the members present now, and may
        be empty.
        """
        watched = self._watched.get(channel)
        if watched is None:
            watched = self._watched[channel] = _Watched(channel)
            watched.task = asyncio.get_running_loop().create_task(self._refresh(watched))
            self._hub.attach(_PREFIX + channel, watched)
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
            self._hub.detach(_PREFIX + channel, watched)
            if watched.task is not None:
                watched.task.cancel()

    async def _refresh(self, watched: _Watched) -> None:
        """Read the members after each announcement, and at regular intervals, because leases end silently."""
        while True:
            watched.changed.clear()
            try:
                change = _difference(watched, await self.members(watched.channel))
            except BrokerUnavailableError:
                change = None
            if change is not None and (change or not watched.is_loaded):
                watched.is_loaded = True
                for observer in list(watched.observers):
                    _notify(observer, change)
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


__all__ = ["Presence", "PresenceChange"]
