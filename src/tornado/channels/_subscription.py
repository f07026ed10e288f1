"""`Subscription`: an asynchronous iterator over the messages of a channel."""

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


class Subscription:
    """The messages and gaps of a channel, as an asynchronous iterator; see `Hub.subscribe`.

    :ivar position: the position of the last message returned.
    """

    def __init__(
        self, hub: _Hub, channel: str, since: Position | None, limit: int, all_open: set[Any]
    ) -> None:
        if not limit >= 1:
            raise ValueError(f"limit must be a number of messages of at least 1, got {limit!r}")
        self._hub = hub
        self._channel = channel
        self._limit = limit
        #: The iterators that are in use.
        self._all = all_open
        self._items: deque[Message | Gap] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._is_open = False
        self._is_attached = False
        #: The position of the last item accepted, from which to continue after an overflow.
        self._accepted = since
        self.position = since

    async def __aenter__(self) -> Subscription:
        self._attach()
        self._is_open = True
        self._all.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_attached = False
        self._items.clear()
        self._hub.detach(self._channel, self)
        self._all.discard(self)
        self.end()

    def end(self) -> None:
        """End the iteration after the messages that have arrived, because the hub is closed."""
        self._is_open = False
        self._wake()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Message | Gap:
        while not self._items:
            if not self._is_open:
                raise StopAsyncIteration
            if not self._is_attached:
                self._attach()
                continue
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        item = self._items.popleft()
        self.position = end_of(item) or self.position
        return item

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        """Receive messages; see `Receiver`. Detach if too many are waiting for the consumer."""
        if not self._is_attached:
            return
        for item in items:
            if len(self._items) >= self._limit:
                before = start_of(item)
                if before is None:
                    continue  # ephemeral messages may be lost
                self._accepted = self._accepted or before
                self._is_attached = False
                self._hub.detach(self._channel, self)
                break
            self._items.append(item)
            self._accepted = end_of(item) or self._accepted
        self._wake()

    def _attach(self) -> None:
        self._is_attached = True
        self._hub.attach(self._channel, self, self._accepted)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


__all__ = ["Subscription"]
