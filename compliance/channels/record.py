"""Messages that were published and received, and the checks of one client of one channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compliance.channels.worker import history_of
from tornado.channels import Gap, Position


class Record:
    """The messages of all channels, as far as they are known.

    :ivar problems: descriptions of what was wrong.
    :ivar kills: how many times the broker was killed.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.messages = 0
        self.gaps = 0
        self.confirmed = 0
        self.kills = 0
        #: The data at each offset, by channel and epoch.
        self._data: dict[tuple[str, str], dict[int, Any]] = {}
        #: The position at which each message was seen, by channel, epoch and data.
        self._positions: dict[tuple[str, str, Any], int] = {}
        self._gaps: list[Gap] = []

    def fail(self, problem: str) -> None:
        """Add a problem."""
        self.problems.append(problem)

    def confirm(self, channel: str, position: Position, data: Any) -> None:
        """Note that the broker has confirmed a message."""
        self.confirmed += 1
        self.see(channel, position, data, "the publisher")

    def see(self, channel: str, position: Position, data: Any, observer: str) -> None:
        """Note that a message was observed, and compare it with what others have observed."""
        epoch = (channel, position.epoch)
        offsets = self._data.setdefault(epoch, {})
        known = offsets.setdefault(position.offset, data)
        if known != data:
            self.fail(f"{observer} has {data} at {position} of {channel}, others have {known}")
        offset = self._positions.setdefault((*epoch, data), position.offset)
        if offset != position.offset:
            self.fail(f"message {data} of {channel} is stored twice: at {position} and at {offset}")

    def heads(self, channel: str) -> dict[str, int]:
        """Return the offset of the last message of each epoch."""
        return {epoch: max(offsets) for (name, epoch), offsets in self._data.items() if name == channel}

    def lose(self, gap: Gap) -> None:
        """Note that a gap was reported."""
        self.gaps += 1
        self._gaps.append(gap)

    def check(self) -> None:
        """Check the gaps since the last call, and the number of epochs."""
        gaps, self._gaps = self._gaps, []
        for gap in set(gaps):
            if gap.after.epoch != gap.until.epoch:
                continue
            last = max(self._data.get((gap.channel, gap.until.epoch), {0: None}))
            if last - gap.until.offset < history_of(gap.channel).count:
                self.fail(f"the messages of {gap} were within the history, which ends at {last}")
        epochs: dict[str, int] = {}
        for channel, _ in self._data:
            epochs[channel] = epochs.get(channel, 0) + 1
        for channel, count in epochs.items():
            if count > self.kills + 1:
                self.fail(
                    f"channel {channel} has {count} epochs, but the broker was killed {self.kills} times"
                )


class Track:
    """The objects of the protocol that one client has received from one channel.

    :param name: the name of the client for problems.
    :ivar position: the position up to which the client has everything, or knows that it is lost.
    :ivar start: the first position.
    :ivar received: the number of messages received.
    :ivar missed: the number of messages in gaps within an epoch.
    """

    def __init__(self, name: str, channel: str, record: Record) -> None:
        self.name = name
        self.channel = channel
        self.position: Position | None = None
        self.start: Position | None = None
        #: The gaps between two epochs.
        self.breaks: list[Gap] = []
        self.received = 0
        self.missed = 0
        self._record = record

    def __repr__(self) -> str:
        return f"{self.name} of channel {self.channel}"

    def receive(self, found: Mapping[str, Any]) -> None:
        """Check an object that the server has sent for this channel."""
        check = _CHECKS.get(found["type"])
        if check is not None:
            check(self, found)

    def _fail(self, problem: str) -> None:
        self._record.fail(f"{self!r}: {problem}")

    def _on_subscribed(self, found: Mapping[str, Any]) -> None:
        position = Position.parse(found["position"])
        if self.position is None:
            self.position = self.start = position
        elif self.position != position:
            self._fail(f"subscribed at {position}, not at {self.position}")

    def _on_message(self, found: Mapping[str, Any]) -> None:
        if "position" not in found:
            return
        position, before = Position.parse(found["position"]), self.position
        self.position = position
        self.received += 1
        self._record.messages += 1
        if before is None or position != Position(before.epoch, before.offset + 1):
            self._fail(f"received {position} after {before}")
        self._record.see(self.channel, position, found["data"], self.name)

    def _on_gap(self, found: Mapping[str, Any]) -> None:
        gap = Gap(self.channel, Position.parse(found["after"]), Position.parse(found["until"]))
        before, self.position = self.position, gap.until
        self._record.lose(gap)
        if gap.after != before:
            self._fail(f"received {gap} at {before}")
        if found["missed"] != gap.missed:
            self._fail(f"received {found}, but it misses {gap.missed}")
        if gap.after.epoch == gap.until.epoch:
            if not gap.missed:
                self._fail(f"received the empty gap {gap}")
            self.missed += gap.missed or 0
            return
        self.breaks.append(gap)
        if not self._record.kills:
            self._fail(f"received {gap}, although the broker was never killed")


_CHECKS = {
    "subscribed": Track._on_subscribed,
    "message": Track._on_message,
    "gap": Track._on_gap,
}

__all__ = ["Record", "Track"]
