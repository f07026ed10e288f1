"""The messages and receivers of one channel in one process, without input and output.

A receiver is *waiting* until it has received everything up to the channel's last message, and *live* after
that. Live receivers share one position, so a message costs them no comparison. The last messages are kept
in `ChannelState`, so most receivers that resume need no history from the broker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from tornado.channels._broker import Page
from tornado.channels._counts import counts_of
from tornado.channels._receivers import ReceiverGroup
from tornado.channels._values import Gap, Message, Position, end_of
from tornado.log import app_log

#: The number of messages before the position of a receiver that are read with those after it. A page, unless
#: its messages are large, contains more.
_NEAR = 250


class ChannelState:
    """The state of one channel.

    :param name: the name of the channel.
    :param tail: the number of messages to keep in memory.
    :ivar last: the position of the last message for live receivers; None until it is known.
    :ivar is_stale: whether messages may be missing after `last`.
    :ivar refreshed: the value of `last` when the hub has last looked for silent channels.
    """

    __slots__ = (
        "_asking",
        "_counts",
        "_is_flushing",
        "_live",
        "_pending",
        "_reads_for_live",
        "_tail",
        "_waiting",
        "is_stale",
        "last",
        "name",
        "refreshed",
    )

    def __init__(self, name: str, tail: int) -> None:
        self.name = name
        self.last: Position | None = None
        self.is_stale = True
        self.refreshed: Position | None = None
        self._live: dict[ReceiverGroup, dict[Any, None]] = {}
        self._waiting: dict[Any, tuple[ReceiverGroup, Position | None]] = {}
        #: The waiting receivers for which history is being read.
        self._asking: dict[Any, tuple[ReceiverGroup, Position | None]] = {}
        self._tail: deque[Message] = deque(maxlen=tail)
        self._pending: list[Message | Gap] = []
        #: Whether the next page is that of the live receivers, if others wait, too.
        self._reads_for_live = True
        self._is_flushing = False
        self._counts = counts_of(name)

    def __len__(self) -> int:
        """Return the number of receivers."""
        return len(self._waiting) + sum(map(len, self._live.values()))

    def __bool__(self) -> bool:
        return True

    @property
    def must_read(self) -> bool:
        """Whether history must be read from the broker."""
        return self.is_stale or bool(self._waiting)

    # -- receivers --

    def attach(self, receiver: Any, group: ReceiverGroup, since: Position | None) -> None:
        """Add a receiver, or change the position of one that is attached."""
        self.detach(receiver)
        if since is not None and self.last is not None:
            self.flush()
            if since == self.last and not self._is_flushing:  # nothing to deliver
                self._make_live(receiver, group)
                return
        self._waiting[receiver] = (group, since)
        self.settle()

    def _make_live(self, receiver: Any, group: ReceiverGroup) -> None:
        receivers = self._live.get(group)
        if receivers is None:
            receivers = self._live[group] = {}
        receivers[receiver] = None

    def detach(self, receiver: Any) -> None:
        """Remove a receiver if it is attached."""
        if self._waiting.pop(receiver, None) is not None:
            return
        for group, receivers in self._live.items():
            if receiver in receivers:
                del receivers[receiver]
                if not receivers:
                    del self._live[group]
                return

    def settle(self) -> None:
        """Make the waiting receivers live for which no history must be read."""
        if self.last is None or not self._waiting or self._is_flushing:
            return
        self.flush()
        for receiver, entry in list(self._waiting.items()):
            group, since = entry
            items = self._tail_after(since)
            if items is None:
                continue
            if self._waiting.get(receiver) is not entry:
                continue  # detached, or attached again, by a receiver before it
            del self._waiting[receiver]
            self._make_live(receiver, group)
            if items:
                self._deliver(group, (receiver,), items)

    def _tail_after(self, since: Position | None) -> list[Message] | None:
        """Return the messages after a position, or None if they are not in memory."""
        last = self.last
        assert last is not None  # checked by settle
        if since is None or since == last:
            return []
        missing = last.offset - since.offset
        if since.epoch != last.epoch or not 0 < missing <= len(self._tail):
            return None
        return list(self._tail)[-missing:]

    # -- messages --

    def receive(self, message: Message) -> bool:
        """Add a message from the broker. Set `is_stale` if others are missing before it.

        :returns: whether there is something to `flush`.
        """
        position, last = message.position, self.last
        if position is None:
            self._pending.append(message)
            return True
        if last is not None and position.epoch == last.epoch:
            if position.offset == last.offset + 1:
                self._append(message, position)
                return True
            if position.offset <= last.offset:
                return False
        self.is_stale = True
        return False

    def _append(self, message: Message, position: Position) -> None:
        self.last = position
        self._tail.append(message)
        self._pending.append(message)

    def flush(self) -> None:
        """Deliver the messages received since the last call to the live receivers."""
        if not self._pending or self._is_flushing:
            return
        self._is_flushing = True  # receivers that are attached now do not get these messages
        try:
            while self._pending:
                items, self._pending = self._pending, []
                for group, receivers in list(self._live.items()):
                    self._deliver(group, receivers, items)
        finally:
            self._is_flushing = False
        self.settle()

    def _deliver(self, group: ReceiverGroup, receivers: Any, items: Sequence[Message | Gap]) -> None:
        self._counts.add_delivered(len(receivers) * len(items))
        try:
            group.deliver(receivers, items)
        except Exception:
            app_log.error("Exception in %r.deliver() for channel %r", group, self.name, exc_info=True)

    # -- history --

    def begin_read(self) -> Position | None:
        """Begin to read history.

        :returns: the position after which to read; None if only the head is needed.
        """
        self._asking = dict(self._waiting)
        needed = [since for _, since in self._waiting.values() if since is not None]
        waiting = _first_of(needed) if needed else None
        live = self.last if self.is_stale else None
        self.is_stale = False
        if live is None or waiting is None:
            return live or waiting
        if waiting.epoch == live.epoch and waiting.offset >= live.offset:
            return live  # this page, or one that follows it, is for both
        self._reads_for_live = not self._reads_for_live
        return live if self._reads_for_live else waiting

    def apply(self, page: Page) -> None:
        """Deliver a part of the history to all receivers for which it is the next part."""
        if self.last is None:
            self.last = page.head
            if page.end == page.head.offset:
                self._tail.extend(page.messages)
        else:
            self._apply_to_live(page, self.last)
        asking, self._asking = self._asking, {}
        for receiver, entry in asking.items():
            group, since = entry
            # The page may be older than the position of a receiver that was attached during the read.
            if since is None or self._waiting.get(receiver) is not entry:
                continue
            items = _next_items(self.name, page, since, page.head)
            if items:
                self._waiting[receiver] = (group, end_of(items[-1]))
                self._counts.add_gaps("history", isinstance(items[0], Gap))
                self._deliver(group, (receiver,), items)
        self.settle()

    def _apply_to_live(self, page: Page, last: Position) -> None:
        items = _next_items(self.name, page, last, None)
        if items is None:
            # The page is that of a receiver with another position, or older than what was received since.
            if last.epoch != page.head.epoch or last.offset < page.head.offset:
                self.is_stale = True
            return
        for item in items:
            if isinstance(item, Gap):
                self.last = item.until
                self._tail.clear()
                self._pending.append(item)
                self._counts.add_gaps("history", sum(map(len, self._live.values())))
            elif item.position is not None:
                self._append(item, item.position)
        self.flush()
        assert self.last is not None
        if self.last.epoch != page.head.epoch or self.last.offset < page.head.offset:
            self.is_stale = True


def _first_of(needed: Sequence[Position]) -> Position:
    """Return the position after which to read. The first one is that of the receiver that has waited longest.

    Others may come again and again, so only those shortly before it are served together with it.
    """
    epoch, last = needed[0]
    return min(each for each in needed if each.epoch == epoch and each.offset >= last - _NEAR)


def _next_items(
    channel: str, page: Page, since: Position, head: Position | None
) -> list[Message | Gap] | None:
    """Return what follows a position according to a page; None if the page does not begin there.

    :param head: where to continue after a position that does not exist yet; None if this is not an error.
    """
    start = page.start
    if since.epoch == page.head.epoch and start - 1 <= since.offset <= page.head.offset:
        return list(page.messages[since.offset + 1 - start :])
    if since.epoch == page.head.epoch and since.offset > page.head.offset:
        return None if head is None else [Gap(channel, since, head)]
    if start != page.oldest:
        return None
    return [Gap(channel, since, Position(page.head.epoch, start - 1)), *page.messages]


__all__ = ["ChannelState"]
