"""Random operations on hubs and their Redis server, and a model of what each client must receive."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

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


class Client:
    """A client that reconnects at its position, and checks each item it receives.

    :ivar position: the position of the last item.
    :ivar hub: the hub that it is attached to, or None.
    """

    def __init__(self, name: str, channel: str, model: Model) -> None:
        self.name = name
        self.channel = channel
        self.model = model
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
                self._check_gap(item)
                self.position = item.until
            elif item.position is not None:
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


class Model:
    """Hubs, clients and what was published.

    :param seed: the seed of all random choices.
    :ivar problems: descriptions of what was wrong.
    """

    def __init__(self, server: RedisServer, seed: int, hubs: int = 3, clients: int = 12) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.hubs = [
            Hub(
                RedisBroker(server.url, ping_interval=0.1, timeout=0.4),
                history=lambda channel: History(count=CHANNELS[channel]),
                tail=self.random.choice([1, 5, 50]),
                timeout=10,
            )
            for _ in range(hubs)
        ]
        self.clients = [Client(str(n), self.random.choice([*CHANNELS]), self) for n in range(clients)]
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
            self._turns,
            self._cut,
            self._kill,
            self._pause,
        ]
        [operation] = self.random.choices(operations, [60, 25, 8, 20, 3, 0.6, 0.3])
        await operation()

    async def _publish(self) -> None:
        """Publish some messages at once from several processes."""
        channel = self.random.choice([*CHANNELS])
        for _ in range(self.random.choice([1, 1, 3, 30])):
            self._count += 1
            task = asyncio.ensure_future(
                self._publish_one(self.random.choice(self.hubs), channel, self._count)
            )
            self._publishing.add(task)
            task.add_done_callback(self._publishing.discard)

    async def _publish_one(self, hub: Hub, channel: str, data: int) -> None:
        try:
            position = await hub.publish(channel, data)
        except PublishError:
            return
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

    async def _turns(self) -> None:
        for _ in range(self.random.choice([1, 5, 50])):
            await asyncio.sleep(0)

    async def _cut(self) -> None:
        """Close the connections of all listeners, or all connections."""
        self.server.run(self.random.choice(["CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE normal"]))

    async def _kill(self) -> None:
        """Kill the server, and start it with an old snapshot or without data."""
        self.kills += 1
        if self.random.random() < 0.5:
            self.server.run("SAVE")
        await self._turns()
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
        for client in self.clients:
            hub = client.hub
            assert hub is not None  # attached above
            await _until(partial(_has_position, hub, client.channel))
        for channel in CHANNELS:
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

    async def _head(self, channel: str) -> Position:
        """Return the position of the last message that the server has stored."""
        while True:
            try:
                page = await self.hubs[0].broker.read(channel, None, 0, History(CHANNELS[channel]))
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
            if max(offsets, default=0) - gap.until.offset < CHANNELS[channel]:
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


__all__ = ["CHANNELS", "Client", "Model"]
