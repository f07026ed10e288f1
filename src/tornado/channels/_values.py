"""The values of channels: positions, messages, gaps and the limits of a history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

#: The maximum age of a message: ten years, in seconds.
_MAX_AGE = 315_360_000


class Position(NamedTuple):
    """The place of a message in its channel.

    :ivar epoch: identifies one uninterrupted numbering. It changes if the broker may have lost messages.
    :ivar offset: the number of the message in this epoch, starting at 1; 0 is the position before it.
    """

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Return the position of a text that ``str(position)`` has returned.

        :raises ValueError: if the text has another form.
        """
        epoch, _, offset = text.rpartition(":")
        if not epoch or not (offset.isascii() and offset.isdigit()):
            raise ValueError(f"expected a position such as 'epoch:7', got {text!r:.100}")
        return cls(epoch, int(offset))


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a channel.

    :ivar channel: the name of the channel.
    :ivar payload: the data as JSON, encoded once by the publisher.
    :ivar position: the position in the channel; None for an ephemeral message.
    :ivar key: what the message is about, for clients that need only the latest message of each key.
    """

    channel: str
    payload: bytes
    position: Position | None = None
    key: str | None = None

    @property
    def data(self) -> Any:
        """Return the published data, decoded from JSON in each call."""
        return json.loads(self.payload)


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages that a receiver has missed and that are no longer available.

    :ivar channel: the name of the channel.
    :ivar after: the position of the last message before the gap.
    :ivar until: the position of the last missing message. The next message follows it.
    """

    channel: str
    after: Position
    until: Position

    @property
    def missed(self) -> int | None:
        """Return the number of missing messages.

        It is None if it is unknown: the epoch has changed, or `after` is not a position of the channel.
        """
        missed = self.until.offset - self.after.offset
        return missed if self.after.epoch == self.until.epoch and missed >= 0 else None


def end_of(item: Message | Gap) -> Position | None:
    """Return the position after an item; None if it is an ephemeral message."""
    return item.until if isinstance(item, Gap) else item.position


def start_of(item: Message | Gap) -> Position | None:
    """Return the position before an item; None if it is an ephemeral message."""
    if isinstance(item, Gap):
        return item.after
    position = item.position
    return None if position is None else Position(position.epoch, position.offset - 1)


@dataclass(frozen=True, slots=True)
class History:
    """The limits of the history of a channel; a message is kept while it is within both.

    :param count: the number of messages.
    :param age: the age in seconds, at most ten years.
    :raises ValueError: if a limit is not positive, or the age is too large.
    """

    count: int = 1000
    age: float = 3600.0

    def __post_init__(self) -> None:
        if not self.count >= 1:
            raise ValueError(f"count must be a number of messages of at least 1, got {self.count!r}")
        if not 0.001 <= self.age <= _MAX_AGE:
            raise ValueError(f"age must be a number of seconds from 0.001 to {_MAX_AGE}, got {self.age!r}")


__all__ = ["Gap", "History", "Message", "Position", "end_of", "start_of"]
