"""`PatternSubscription`: an asynchronous iterator over the messages of all channels that match a pattern."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol

from tornado.channels._values import Gap, Message, Position, end_of, start_of


class _Hub(Protocol):
    def attach(self, channel: str, receiver: Any, since: Position | None = None) -> None: ...

    def detach(self, channel: str, receiver: Any) -> None: ...

    def attach_pattern(self, pattern: str, receiver: Any) -> None: ...

    def detach_pattern(self, pattern: str, receiver: Any) -> None: ...

    async def established(self, pattern: str) -> None: ...

    def position(self, channel: str) -> Position | None: ...


class PatternSubscription:
    """The messages and gaps of all channels that match a pattern; see `Hub.subscribe_pattern`.

    If too many items wait for the consumer, later ones are not stored. When it has caught up, they are read
    from the history, one channel after the other.
    """

    def __init__(self, hub: _Hub, pattern: str, limit: int, all_open: set[Any]) -> None:
        if not limit >= 1:
            raise ValueError(f"limit must be a number of messages of at least 1, got {limit!r}")
        self._hub = hub
        self._pattern = pattern
        self._limit = limit
        #: The iterators that are in use.
        self._all = all_open
        self._items: deque[Message | Gap] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._is_open = False
        #: The positions from which channels continue.
        self._behind: dict[str, Position] = {}
        self._catching_up: _CatchUp | None = None

    async def __aenter__(self) -> PatternSubscription:
        self._hub.attach_pattern(self._pattern, self)
        self._is_open = True
        self._all.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._all.discard(self)
        self._hub.detach_pattern(self._pattern, self)
        if self._catching_up is not None:
            self._catching_up.end()
            self._catching_up = None
        self._items.clear()
        self._behind.clear()
        self.end()

    def end(self) -> None:
        """End the iteration after the messages that have arrived, because the hub is closed."""
        self._is_open = False
        self._wake()

    async def established(self) -> None:
        """Wait until the subscription is established.

        All messages that are published later are received, or reported by a gap.
        """
        await self._hub.established(self._pattern)

    def __aiter__(self) -> PatternSubscription:
        return self

    async def __anext__(self) -> Message | Gap:
        while not self._items:
            if not self._is_open:
                raise StopAsyncIteration
            if self._behind and self._catching_up is None:
                channel, since = next(iter(self._behind.items()))
                self._catching_up = _CatchUp(self, self._hub, channel)
                self._hub.attach(channel, self._catching_up, since)
                continue
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._items.popleft()

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        """Receive messages of one channel; see `Receiver`."""
        if self._is_open and items[0].channel not in self._behind:
            self._add(items)

    def _add(self, items: Sequence[Message | Gap]) -> bool:
        """Store items. Return whether there was room for all."""
        for item in items:
            if len(self._items) >= self._limit:
                before = start_of(item)
                if before is None:
                    continue  # ephemeral messages may be lost
                self._behind[item.channel] = before
                self._wake()
                return False
            self._items.append(item)
        self._wake()
        return True

    def caught_up(self, items: Sequence[Message | Gap], receiver: _CatchUp) -> bool:
        """Receive items of a channel that is behind. Return whether there was room for all."""
        if self._catching_up is not receiver:
            return False
        if self._add(items):
            return True
        self._catching_up = None
        return False

    def current(self, channel: str, receiver: _CatchUp) -> None:
        """Receive the items of a channel directly again."""
        if self._catching_up is receiver:
            self._catching_up = None
            self._behind.pop(channel, None)
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _CatchUp:
    """The receiver of one channel that is behind, until it has received everything."""

    def __init__(self, subscription: PatternSubscription, hub: _Hub, channel: str) -> None:
        self._subscription = subscription
        self._hub = hub
        self._channel = channel
        self._last: Position | None = None
        self._is_scheduled = False

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        """Receive messages; see `Receiver`."""
        if not self._subscription.caught_up(items, self):
            self.end()
            return
        for item in items:
            self._last = end_of(item) or self._last
        if not self._is_scheduled:
            # The same messages may not have been delivered to the pattern yet.
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._finish)

    def _finish(self) -> None:
        self._is_scheduled = False
        if self._last is not None and self._last == self._hub.position(self._channel):
            self._subscription.current(self._channel, self)
            self.end()

    def end(self) -> None:
        """Receive no further messages."""
        self._hub.detach(self._channel, self)


__all__ = ["PatternSubscription"]
