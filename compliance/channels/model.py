"""Random operations on hubs and their Redis server, and a model of what each client must receive."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from tests.support.channels import silence
from tests.support.databases import RedisServer
from tornado.channels import (
    BrokerUnavailableError,
    Gap,
    History,
    Hub,
    Message,
    Position,
    PublishError,
    RedisBroker,
)

#: The names of the channels, and the number of messages that each of them keeps.
CHANNELS = {"a": 20, "b": 1000}
#: The number of messages that the channels keep that are created while the model runs.
NEW_COUNT = 50
PATTERNS = ["*", "a*", "*b", "new:*"]


def history_of(channel: str) -> History:
    """Return the limits of the history of a channel."""
    return History(count=CHANNELS.get(channel, NEW_COUNT))


class Client:
    """A client that reconnects at its position, and checks each item it receives.

    :ivar start: the position before the first item.
    :ivar position: the position of the last item.
    :ivar hub: the hub that it is attached to, or None.
    """

    def __init__(self, name: str, channel: str, model: Model) -> None:
        self.name = name
        self.channel = channel
        self.model = model
        self.start: Position | None = None
        self.position: Position | None = None
        self.hub: Hub | None = None
        self.messages = 0
        self.gaps = 0

    def attach(self, hub: Hub) -> None:
        """Connect to a process."""
        self.hub = hub
        hub.attach(self.channel, self, self.position)

    def detach(self) -> None:
        """Disconnect."""
        if self.hub is not None:
            self.hub.detach(self.channel, self)
            self.hub = None

    def is_at(self, position: Position) -> bool:
        """Whether the client has everything up to a position, or began there."""
        if self.position is None:
            return self.hub is not None and self.hub.position(self.channel) == position
        return self.position == position

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        """Check that items follow the position."""
        for item in items:
            if isinstance(item, Gap):
                self.start = self.start or item.after
                self._check_gap(item)
                self.position = item.until
            elif item.position is not None:
                self.start = self.start or Position(item.position.epoch, item.position.offset - 1)
                self._check_message(item, item.position)
                self.position = item.position

    def _check_message(self, message: Message, position: Position) -> None:
        self.messages += 1
        before = self.position
        if self.hub is None:
            self._fail(f"received {position} after it was detached")
        if before is not None and position != Position(before.epoch, before.offset + 1):
            self._fail(f"received {position} after {before}")
        expected = self.model.published.get((self.channel, position))
        if expected is not None and expected != message.data:
            self._fail(f"received {message.data} at {position}, but {expected} was published")
        self.model.seen.setdefault((self.channel, position), message.data)
        if self.model.seen[self.channel, position] != message.data:
            self._fail(f"received {message.data} at {position}, unlike another client")

    def _check_gap(self, gap: Gap) -> None:
        self.gaps += 1
        # A client that was attached without a position begins at the position of its process.
        if self.position is not None and gap.after != self.position:
            self._fail(f"received {gap} at {self.position}")
        if gap.after.epoch == gap.until.epoch:
            if not gap.missed:
                self._fail(f"received the empty gap {gap}")
            self.model.gaps.append((self.channel, gap))
        elif not self.model.kills:
            self._fail(f"received {gap}, although the server was never killed")

    def _fail(self, problem: str) -> None:
        self.model.problems.append(f"client {self.name} of channel {self.channel}: {problem}")


class Observer:
    """A receiver of a pattern. It checks the items of each channel as a client of this channel does.

    :ivar channels: a client for each channel of which it has received an item.
    :ivar established: whether the pattern is established.
    """

    def __init__(self, name: str, pattern: str, model: Model) -> None:
        self.name = name
        self.pattern = pattern
        self.model = model
        self.hub: Hub | None = None
        self.established = False
        self.channels: dict[str, Client] = {}
        self.messages = 0
        #: Confirmed messages that must be received, with the number of kills before the publication.
        self._expected: list[tuple[str, Position, int]] = []
        self._waiting: asyncio.Task[None] | None = None

    def matches(self, channel: str) -> bool:
        """Whether the pattern matches a channel."""
        return fnmatchcase(channel, self.pattern)

    def attach(self, hub: Hub) -> None:
        """Connect to a process, and forget all earlier messages."""
        self.hub = hub
        self.channels, self._expected = {}, []
        hub.attach_pattern(self.pattern, self)
        self._waiting = asyncio.ensure_future(self._wait(hub))

    async def _wait(self, hub: Hub) -> None:
        await hub.established(self.pattern)
        self.established = True

    def detach(self) -> None:
        """Disconnect."""
        if self.hub is not None:
            self.hub.detach_pattern(self.pattern, self)
            self.hub = None
            self.established = False
            assert self._waiting is not None  # set by attach
            self._waiting.cancel()

    def expect(self, channel: str, position: Position, kills: int) -> None:
        """Note a message that was published after the pattern was established."""
        self._expected.append((channel, position, kills))

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        """Check items of one channel."""
        channel = items[0].channel
        if channel not in self.channels:
            self.channels[channel] = Client(f"{self.name} of pattern {self.pattern}", channel, self.model)
        client = self.channels[channel]
        client.hub = self.hub
        before = client.messages
        client.deliver(items)
        self.messages += client.messages - before

    def is_at(self, channel: str, position: Position) -> bool:
        """Whether it has everything up to a position, or nothing of the channel had to be received."""
        client = self.channels.get(channel)
        if client is None:
            return self.established and not self.lacking(channel)
        return client.position == position

    def lacking(self, channel: str) -> list[Position]:
        """Return the positions of messages before the first item that had to be received.

        If the server has lost a new channel before any message of it arrived, nothing tells of the loss.
        """
        client = self.channels.get(channel)
        start = None if client is None else client.start
        lacking = []
        for name, position, kills in self._expected:
            if name != channel:
                continue
            if start is None:
                is_lacking = kills == self.model.kills
            else:
                is_lacking = start.epoch == position.epoch and start.offset >= position.offset
            if is_lacking:
                lacking.append(position)
        return lacking


class Model:
    """Hubs, clients and what was published.

    :param seed: the seed of all random choices.
    :ivar problems: descriptions of what was wrong.
    """

    def __init__(
        self, server: RedisServer, seed: int, hubs: int = 3, clients: int = 12, observers: int = 5
    ) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.hubs = [
            Hub(
                RedisBroker(server.url, ping_interval=0.1, timeout=0.4),
                history=history_of,
                tail=self.random.choice([1, 5, 50]),
                timeout=10,
            )
            for _ in range(hubs)
        ]
        self.clients = [Client(str(n), self.random.choice([*CHANNELS]), self) for n in range(clients)]
        self.observers = [Observer(str(n), PATTERNS[n % len(PATTERNS)], self) for n in range(observers)]
        self.published: dict[tuple[str, Position], Any] = {}
        self.seen: dict[tuple[str, Position], Any] = {}
        self.problems: list[str] = []
        #: The gaps within an epoch.
        self.gaps: list[tuple[str, Gap]] = []
        self.kills = 0
        self._count = 0
        self._publishing: set[asyncio.Task[None]] = set()

    async def run(self, rounds: int) -> None:
        """Execute operations, then wait until all clients have everything."""
        for hub in self.hubs:
            await hub.start()
        try:
            for _ in range(rounds):
                await self._step()
            await self._converge()
            self.check_gaps()
        finally:
            for observer in self.observers:
                observer.detach()
            for task in self._publishing:
                task.cancel()
            await asyncio.gather(*self._publishing, return_exceptions=True)
            for hub in self.hubs:
                await hub.close()

    async def _step(self) -> None:
        operations = [
            self._publish,
            self._move,
            self._detach,
            self._observe,
            self._silence,
            self._turns,
            self._cut,
            self._kill,
            self._pause,
        ]
        [operation] = self.random.choices(operations, [60, 25, 8, 8, 3, 20, 3, 0.6, 0.3])
        await operation()

    async def _publish(self) -> None:
        """Publish some messages at once from several processes."""
        channel = self.random.choice([*CHANNELS])
        if self.random.random() < 0.2:
            channel = f"new:{self._count // 100}"  # each of them is used for some time
        for _ in range(self.random.choice([1, 1, 3, 30])):
            self._count += 1
            task = asyncio.ensure_future(
                self._publish_one(self.random.choice(self.hubs), channel, self._count)
            )
            self._publishing.add(task)
            task.add_done_callback(self._publishing.discard)

    async def _publish_one(self, hub: Hub, channel: str, data: int) -> None:
        observers = [
            (each, each.channels) for each in self.observers if each.established and each.matches(channel)
        ]
        kills = self.kills
        try:
            position = await hub.publish(channel, data)
        except PublishError:
            return
        for observer, channels in observers:
            if observer.channels is channels:  # it has not moved
                observer.expect(channel, position, kills)
        if self.published.setdefault((channel, position), data) != data:
            self.problems.append(f"two messages have the position {position} of channel {channel}")
        if self.seen.get((channel, position), data) != data:
            self.problems.append(f"a client received another message at {position} of channel {channel}")

    async def _move(self) -> None:
        """Connect a client to another process."""
        client, hub = self.random.choice(self.clients), self.random.choice(self.hubs)
        client.detach()
        if client.position is None and self.random.random() < 0.5:
            try:
                client.position = await hub.head(client.channel)
            except BrokerUnavailableError:
                return
        client.attach(hub)

    async def _detach(self) -> None:
        self.random.choice(self.clients).detach()

    async def _observe(self) -> None:
        """Detach an observer, or connect it to another process."""
        observer = self.random.choice(self.observers)
        observer.detach()
        if self.random.random() < 0.8:
            observer.attach(self.random.choice(self.hubs))

    async def _silence(self) -> None:
        """Reduce channels without messages to their positions, as after some time."""
        hub = self.random.choice(self.hubs)
        for _ in range(2):
            if any(each.hub is hub for each in self.observers):
                silence(hub)
            await self._turns()

    async def _turns(self) -> None:
        for _ in range(self.random.choice([1, 5, 50])):
            await asyncio.sleep(0)

    async def _cut(self) -> None:
        """Close the connections of all listeners, or all connections."""
        self.server.run(self.random.choice(["CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE normal"]))

    async def _kill(self) -> None:
        """Kill the server, and start it with an old snapshot or without data."""
        if self.random.random() < 0.5:
            self.server.run("SAVE")
        await self._turns()
        self.kills += 1
        self.server.stop()
        await asyncio.sleep(self.random.random() / 2)
        self.server.start()

    async def _pause(self) -> None:
        with self.server.paused():
            await asyncio.sleep(self.random.choice([0.05, 1]))

    async def _converge(self) -> None:
        """Wait until all clients have received the last message of their channel."""
        await self._publish()
        self.server.run("CLIENT KILL TYPE pubsub")
        while self._publishing:
            await asyncio.wait(self._publishing)
        for client in self.clients:
            if client.hub is None:
                client.attach(self.random.choice(self.hubs))
        for observer in self.observers:
            if observer.hub is None:
                observer.attach(self.random.choice(self.hubs))
        for client in self.clients:
            hub = client.hub
            assert hub is not None  # attached above
            await _until(partial(_has_position, hub, client.channel))
        for channel in {*CHANNELS, *(name for name, _ in self.published)}:
            # No message follows: what was lost during the last interruption must be read nevertheless.
            head = await self._head(channel)
            waiting = [client for client in self.clients if client.channel == channel]
            try:
                async with asyncio.timeout(20):
                    await _until(partial(_are_at, waiting, head))
            except TimeoutError:
                self.problems += [
                    f"client {client.name} of channel {channel} is at {client.position}, not at {head}"
                    for client in waiting
                    if not client.is_at(head)
                ]
            await self._converge_observers(channel, head)

    async def _converge_observers(self, channel: str, head: Position) -> None:
        """Wait until all observers have the last message of a channel."""
        waiting = [each for each in self.observers if each.matches(channel)]
        try:
            async with asyncio.timeout(20):
                await _until(lambda: all(each.is_at(channel, head) for each in waiting))
        except TimeoutError:
            self.problems += [
                f"observer {each.name} of {each.pattern} is at {each.channels.get(channel)} of channel "
                f"{channel}, not at {head}"
                for each in waiting
                if not each.is_at(channel, head)
            ]
        for each in waiting:
            if lacking := each.lacking(channel):
                self.problems.append(
                    f"observer {each.name} of {each.pattern} has not received {lacking[:5]} of {channel}"
                )

    async def _head(self, channel: str) -> Position:
        """Return the position of the last message that the server has stored."""
        while True:
            try:
                page = await self.hubs[0].broker.read(channel, None, 0, history_of(channel))
                return page.head
            except BrokerUnavailableError:
                await asyncio.sleep(0.05)

    def check_gaps(self) -> None:
        """Check that gaps within an epoch contain only messages that exceeded the limit of the history."""
        for channel, gap in self.gaps:
            offsets = (
                position.offset
                for known in (self.published, self.seen)
                for name, position in known
                if name == channel and position.epoch == gap.until.epoch
            )
            if max(offsets, default=0) - gap.until.offset < history_of(channel).count:
                self.problems.append(f"the messages of {gap} were within the history")


async def _until(condition: Callable[[], bool]) -> None:
    while True:
        if condition():
            return
        await asyncio.sleep(0.01)


def _has_position(hub: Hub, channel: str) -> bool:
    return hub.position(channel) is not None


def _are_at(clients: Sequence[Client], position: Position) -> bool:
    return all(client.is_at(position) for client in clients)


__all__ = ["CHANNELS", "Client", "Model", "Observer"]
