"""`MemoryBroker`: channels of one process."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from time import monotonic

from tornado.channels._broker import Broker, BrokerListener, Page, shared_error
from tornado.channels._pattern import Pattern
from tornado.channels._values import History, Message, Position

#: The number of seconds after which an unused channel is forgotten, as in Redis. Its next use begins a new
#: epoch.
_MAX_UNUSED = 86_400.0
#: The number of channels above which unused ones are searched for, each time it has doubled.
_FIRST_SWEEP = 1000


class _Stored:
    """One channel: its last position, messages with their times, idempotency keys, its last use, and the age
    of its history then.
    """

    __slots__ = ("age", "head", "keys", "messages", "used_at")

    def __init__(self, epoch: str) -> None:
        self.used_at = 0.0
        self.age = 0.0
        self.head = Position(epoch, 0)
        self.messages: deque[tuple[float, Message]] = deque()
        self.keys: dict[str, tuple[float, Position]] = {}

    def expire(self, history: History, now: float) -> None:
        """Remove what exceeds the limits."""
        messages = self.messages
        self.age = history.age
        while messages and (len(messages) > history.count or messages[0][0] <= now - history.age):
            messages.popleft()
        while self.keys:
            key = next(iter(self.keys))
            if self.keys[key][0] > now:
                break
            del self.keys[key]


class MemoryBroker(Broker):
    """A broker for a program with a single process. The history is lost when the process ends."""

    is_shared = False

    def __init__(self) -> None:
        #: The channels with messages. Clients may ask for any number of others, so they are not stored.
        self._channels: dict[str, _Stored] = {}
        #: The epoch of the channels that are not stored.
        self._epoch = _new_epoch()
        self._sweep_at = _FIRST_SWEEP
        self._subscribed: set[str] = set()
        self._patterns: dict[str, Pattern] = {}
        #: For each channel: the ends of the leases by worker; the worker and the entry by connection.
        self._presence: dict[str, tuple[dict[str, float], dict[str, tuple[str, bytes]]]] = {}
        self._listener: BrokerListener | None = None

    async def start(self, listener: BrokerListener) -> None:
        if self._listener is not None:
            raise shared_error(self)
        self._listener = listener
        listener.connected()

    async def close(self) -> None:
        self._listener = None
        self._subscribed.clear()
        self._patterns.clear()

    async def publish(
        self, message: Message, history: History, idempotency_key: str, lifetime: float
    ) -> Position:
        now = monotonic()
        stored = self._stored(message.channel)
        stored.expire(history, now)
        known = stored.keys.get(idempotency_key)
        if known is not None and known[0] > now:
            return known[1]
        position = stored.head = Position(stored.head.epoch, stored.head.offset + 1)
        message = Message(message.channel, message.payload, position, message.key)
        stored.messages.append((now, message))
        stored.keys[idempotency_key] = (now + lifetime, position)
        stored.expire(history, now)
        await self.send(message)
        return position

    async def send(self, message: Message) -> None:
        if self._listener is None:
            return
        if message.channel in self._subscribed or self._matches(message.channel):
            self._listener.received(message)

    async def read(self, channel: str, after: Position | None, limit: int, history: History) -> Page:
        if channel not in self._channels:
            return Page(Position(self._epoch, 0), 1)
        stored = self._stored(channel)
        stored.expire(history, monotonic())
        head = stored.head
        oldest = head.offset + 1 - len(stored.messages)
        if after is None:
            return Page(head, oldest)
        begin = 0
        if after.epoch == head.epoch and after.offset <= head.offset:
            begin = max(0, after.offset + 1 - oldest)
        messages = [each for _, each in stored.messages][begin : begin + limit]
        return Page(head, oldest, messages)

    async def subscribe(self, channel: str) -> None:
        self._subscribed.add(channel)

    def unsubscribe(self, channel: str) -> None:
        self._subscribed.discard(channel)

    async def subscribe_pattern(self, pattern: str) -> None:
        self._patterns[pattern] = Pattern(pattern)

    def unsubscribe_pattern(self, pattern: str) -> None:
        self._patterns.pop(pattern, None)

    async def channels(self, pattern: str) -> Collection[str]:
        return list(self._channels)

    def _matches(self, channel: str) -> bool:
        return any(pattern.matches(channel) for pattern in self._patterns.values())

    async def add_presence(
        self, channel: str, worker: str, entries: Mapping[str, bytes], lease: float
    ) -> bool:
        leases, present = self._presence.setdefault(channel, ({}, {}))
        now = monotonic()
        had_lease = leases.get(worker, 0.0) > now
        leases[worker] = now + lease
        present.update({connection: (worker, entry) for connection, entry in entries.items()})
        return had_lease

    async def remove_presence(self, channel: str, connections: Sequence[str]) -> None:
        present = self._presence.get(channel, ({}, {}))[1]
        for connection in connections:
            present.pop(connection, None)
        if not present:
            self._presence.pop(channel, None)

    async def renew_presence(self, channel: str, worker: str, lease: float) -> bool:
        leases = self._presence.get(channel, ({}, {}))[0]
        if leases.get(worker, 0.0) <= monotonic():
            return False
        leases[worker] = monotonic() + lease
        return True

    async def list_presence(self, channel: str) -> Mapping[str, bytes]:
        leases, present = self._presence.get(channel, ({}, {}))
        now = monotonic()
        for worker in [each for each, end in leases.items() if end <= now]:
            del leases[worker]
        for connection in [each for each, (worker, _) in present.items() if worker not in leases]:
            del present[connection]
        return {connection: entry for connection, (_, entry) in present.items()}

    def _stored(self, channel: str) -> _Stored:
        now = monotonic()
        stored = self._channels.get(channel)
        if stored is None:
            if len(self._channels) >= self._sweep_at:
                self._sweep(now)
            stored = self._channels[channel] = _Stored(self._epoch)
        stored.used_at = now
        return stored

    def _sweep(self, now: float) -> None:
        """Forget the channels that have not been used for a long time."""
        for name, stored in list(self._channels.items()):
            if stored.used_at < now - max(_MAX_UNUSED, 2 * stored.age) and name not in self._subscribed:
                del self._channels[name]
                self._epoch = _new_epoch()  # the offsets begin with 1 again
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._channels))


def _new_epoch() -> str:
    return os.urandom(6).hex()


__all__ = ["MemoryBroker"]
