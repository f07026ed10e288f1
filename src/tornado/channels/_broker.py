"""The interface between a hub and its broker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from tornado.channels._values import History, Message, Position

#: The epoch of a received message whose epoch is not known. The hub then reads the history.
UNKNOWN_EPOCH = "?"
#: The size of a page of the history, in bytes, after which no further message is added.
MAX_PAGE = 2**20


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a channel's history.

    :ivar head: the position of the last message published; the offset is 0 if there is none.
    :ivar oldest: the offset of the oldest message that is available, or ``head.offset + 1``.
    :ivar messages: consecutive messages.
    """

    head: Position
    oldest: int
    messages: Sequence[Message] = ()

    @property
    def start(self) -> int:
        """Return the offset of the first message of this page."""
        return self.messages[0].position.offset if self.messages else self.head.offset + 1  # type: ignore[union-attr]

    @property
    def end(self) -> int:
        """Return the offset of the last message of this page, or that of `head`."""
        return self.messages[-1].position.offset if self.messages else self.head.offset  # type: ignore[union-attr]


class BrokerListener(Protocol):
    """The methods of a hub that its broker calls, in the event loop in which the broker was started."""

    def received(self, message: Message) -> None:
        """Receive a message of a subscribed channel. Messages may be missing or repeated."""

    def connected(self) -> None:
        """Learn that all subscriptions are established again. Messages may have been missed before."""

    def disconnected(self) -> None:
        """Learn that no messages will arrive until the next call of `connected`."""


class Broker(ABC):
    """Stores the messages of channels, numbers them and distributes them to processes.

    The hub repeats failed operations, looks for missing messages and removes duplicates. A broker has three
    obligations: `publish` assigns the offset, stores the message and distributes it in one atomic step;
    a message that is published after `subscribe` has returned is received or detected as missing; and the
    epoch changes whenever stored messages may have been lost.

    Every method that waits raises `BrokerUnavailableError` within the timeout of the broker.

    :cvar is_shared: whether the broker connects several processes.
    :ivar max_unused: the number of seconds after which a channel that was neither published to nor read may
        be forgotten, so that its next message begins a new epoch; None for never.
    """

    is_shared: ClassVar[bool] = True
    max_unused: float | None = 86_400.0

    @abstractmethod
    async def start(self, listener: BrokerListener) -> None:
        """Begin to connect, and return without waiting for the connection.

        :raises RuntimeError: if it was started, and not closed since.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""

    @abstractmethod
    async def publish(
        self, message: Message, history: History, idempotency_key: str, lifetime: float
    ) -> Position:
        """Store a message and send it to all processes that have subscribed to its channel.

        :param idempotency_key: if a message with this key was stored in the last `lifetime` seconds, its
            position is returned and nothing is stored.
        """

    @abstractmethod
    async def send(self, message: Message) -> None:
        """Send an ephemeral message, which is not stored and has no position."""

    @abstractmethod
    async def read(self, channel: str, after: Position | None, limit: int, history: History) -> Page:
        """Return the messages that follow a position.

        :param after: if it is not a position of the history, the page begins with the oldest message. With
            None the page contains no messages, only the position of the last one.
        :param limit: the maximum number of messages. A page may contain fewer, because of their size, but at
            least one if there is one.
        """

    @abstractmethod
    async def subscribe(self, channel: str) -> None:
        """Subscribe to a channel, and return when the subscription is established."""

    @abstractmethod
    def unsubscribe(self, channel: str) -> None:
        """End the subscription without waiting."""

    @abstractmethod
    async def subscribe_pattern(self, pattern: str) -> None:
        """Subscribe to all channels that match a pattern, and return when the subscription is established.

        A message is received once, although its channel and several patterns are subscribed.
        """

    @abstractmethod
    def unsubscribe_pattern(self, pattern: str) -> None:
        """End the subscription to a pattern without waiting."""

    @abstractmethod
    async def channels(self, pattern: str) -> Collection[str]:
        """Return the existing channels that match a pattern. Others may be among them."""

    def patterns_receive(self, channel: str) -> bool:
        """Whether the messages of a channel arrive by the subscription to a pattern that matches it."""
        return True

    async def heads(
        self, channels: Collection[str], history_of: Callable[[str], History]
    ) -> Mapping[str, Position]:
        """Return the positions of the last messages of channels, as far as this is faster than reading each.

        :param history_of: returns the limits of the history of a channel.

        Positions of other channels may be among them. `read` is called for those that are missing.
        """
        return {}

    @abstractmethod
    async def add_presence(
        self, channel: str, worker: str, entries: Mapping[str, bytes], lease: float
    ) -> bool:
        """Store entries of a process by connection ID, and begin or renew its lease.

        :param worker: identifies the process.
        :param lease: the number of seconds after which the entries of the process are removed.
        :returns: False if the process had no lease: its earlier entries may have been removed or lost, or be
            out of date.
        """

    @abstractmethod
    async def remove_presence(self, channel: str, connections: Sequence[str]) -> None:
        """Remove entries."""

    @abstractmethod
    async def renew_presence(self, channel: str, worker: str, lease: float) -> bool:
        """Renew the lease of a process.

        :returns: False if the process has no lease: it has ended, or the data is lost or may be out of date.
        """

    @abstractmethod
    async def list_presence(self, channel: str) -> Mapping[str, bytes]:
        """Return the entries of all processes whose lease has not ended, by connection ID."""


def shared_error(broker: Broker) -> RuntimeError:
    """Return the exception for a broker that is started twice."""
    return RuntimeError(f"{broker!r} belongs to a hub that is open already: create a broker for each hub")


__all__ = ["MAX_PAGE", "UNKNOWN_EPOCH", "Broker", "BrokerListener", "Page", "shared_error"]
