"""`SlowReceiver`: receives the messages of a channel in place of a client that reads too slowly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

from tornado.channels._counts import counts
from tornado.channels._receivers import EachReceiver
from tornado.channels._values import Gap, Message, Position, end_of

#: The memory of an item without its data, in bytes.
_OVERHEAD = 300


class SlowReceiver:
    """What a slow client will receive of one channel when it has caught up. Its memory is limited.

    :param channel: the name of the channel.
    :param after: the position of the last item that the client was sent.
    :param action: the action of the policy, except ``"close"``. With ``"wait"`` nothing is stored, and the
        client continues with the history.
    :param limit: the maximum size of the messages of ``"latest"`` in bytes, with what Python needs for them.
    :param overflow: called once if the messages of ``"latest"`` exceed the limit.
    :ivar position: the position up to which items are accounted for.
    """

    __slots__ = ("_action", "_after", "_channel", "_items", "_limit", "_overflow", "_size", "position")

    def __init__(
        self,
        channel: str,
        after: Position,
        action: Literal["wait", "skip", "latest"],
        limit: int,
        overflow: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._after = self.position = after
        self._action = action
        self._limit = limit
        self._overflow: Callable[[], None] | None = overflow
        #: With "latest", the last item of each key, in the order of their positions.
        self._items: dict[object, Message | Gap] = {}
        self._size = 0

    @property
    def waits(self) -> bool:
        """Whether the client continues with the history."""
        return self._action == "wait"

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        """See `Receiver.deliver`."""
        for item in items:
            position = end_of(item)
            if position is None or self._action == "wait":
                continue
            self.position = position
            if self._action == "latest":
                self._keep(item, position)

    def _keep(self, item: Message | Gap, position: Position) -> None:
        if self._overflow is None:
            return  # the connection is being closed
        # A message without a key, and a gap, are not replaced.
        key: object = item.key if isinstance(item, Message) and item.key is not None else position
        replaced = self._items.pop(key, None)
        if replaced is not None:
            self._size -= _size(replaced)
        self._items[key] = item
        self._size += _size(item)
        if self._size > self._limit:
            overflow, self._overflow = self._overflow, None
            self._items.clear()
            overflow()

    def take(self) -> list[Message | Gap]:
        """Return the items to send to the client."""
        if self._action == "latest":
            return list(self._items.values())
        return [] if self.position == self._after else [Gap(self._channel, self._after, self.position)]


class SlowReceivers(EachReceiver):
    """The group of the slow receivers. Their items do not count as delivered yet."""

    def deliver(self, receivers: Collection[Any], items: Sequence[Message | Gap]) -> None:
        """Pass items to all receivers."""
        counts.add_delivered(-len(receivers) * len(items))
        super().deliver(receivers, items)


SLOW_RECEIVERS = SlowReceivers()


def _size(item: Message | Gap) -> int:
    return _OVERHEAD + (len(item.payload) + len(item.key or "") if isinstance(item, Message) else 0)


__all__ = ["SLOW_RECEIVERS", "SlowReceiver"]
