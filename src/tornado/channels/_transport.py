"""`Transport`: how the clients of one kind of connection are sent messages.

A transport has no state for a client. Its clients are the *receivers* of the hub: a handler of a WebSocket,
an event stream, or a waiting poll.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from tornado.channels._encoding import EncodedItem, Encoder
from tornado.channels._limits import SlowPolicy
from tornado.channels._values import Gap, Message, Position, start_of


class SlowClient(Protocol):
    """The part of a session that a group uses."""

    def fall_behind(self, channel: str, after: Position, policy: SlowPolicy, reads_history: bool) -> None:
        """Apply a policy to this client, which has received everything up to a position.

        :param reads_history: whether it receives the history, which can wait.
        """


class Transport(ABC):
    """One kind of connection.

    :param encoder: the encoder of the endpoint.
    :param sessions: the sessions of the endpoint by receiver.
    """

    #: Whether clients are sent the differences between two states of the members of a channel. Otherwise each
    #: presence event contains the complete state.
    sends_differences = True

    def __init__(self, encoder: Encoder, sessions: Mapping[Any, SlowClient]) -> None:
        self._encoder = encoder
        self._sessions = sessions
        self._groups: dict[SlowPolicy, TransportGroup] = {}
        #: The last group that was returned. Most handlers have one policy, whose hash is not needed then.
        self._last_group: TransportGroup | None = None

    def group(self, policy: SlowPolicy) -> TransportGroup:
        """Return the group of the receivers of channels with a policy."""
        last = self._last_group
        if last is not None and last.policy is policy:
            return last
        group = self._groups.get(policy)
        if group is None:
            group = self._groups[policy] = TransportGroup(self, policy, self._encoder, self._sessions)
        self._last_group = group
        return group

    def send(self, receiver: Any, text: bytes, position: str | None = None) -> None:
        """Send a reply to one client.

        :param position: the position that the reply contains.
        """
        self.send_to_all((receiver,), EncodedItem(text, position), None)

    @abstractmethod
    def send_to_all(
        self, receivers: Collection[Any], item: EncodedItem, policy: SlowPolicy | None
    ) -> Collection[Any]:
        """Send an item to clients, except those that are slow according to `policy`.

        :returns: the slow clients.
        """

    @abstractmethod
    def when_sent(self, receiver: Any, rest: int, callback: Callable[[], None]) -> None:
        """Call `callback` when at most `rest` bytes of a client's output are unsent."""

    @abstractmethod
    def close(self, receiver: Any, code: int, reason: str) -> None:
        """End the connection of a client with a close code."""


class TransportGroup:
    """The receivers of a transport in all channels with the same policy; see `ReceiverGroup`.

    :ivar policy: the policy.
    """

    def __init__(
        self,
        transport: Transport,
        policy: SlowPolicy,
        encoder: Encoder,
        sessions: Mapping[Any, SlowClient],
    ) -> None:
        self._transport = transport
        self.policy = policy
        self._encoder = encoder
        self._sessions = sessions

    def __repr__(self) -> str:
        return f"<TransportGroup {type(self._transport).__name__}, {self.policy}>"

    def deliver(self, receivers: Collection[Any], items: Sequence[Message | Gap]) -> None:
        """Send items to all receivers. Each item is encoded once in this process."""
        reads_history = isinstance(receivers, tuple)
        for item in items:
            encoded = self._encoder.encode(item)
            slow = self._transport.send_to_all(receivers, encoded, self.policy)
            after = start_of(item) if slow else None
            if after is None:
                continue  # slow clients do not get ephemeral messages
            excluded = set(slow)
            receivers = [each for each in receivers if each not in excluded]
            for receiver in excluded:
                session = self._sessions.get(receiver)
                if session is not None:
                    session.fall_behind(item.channel, after, self.policy, reads_history)


__all__ = ["Transport", "TransportGroup"]
