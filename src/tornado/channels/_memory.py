"""`MemoryBroker`: channels of one process.

Messages end by their age, also in channels that are not used any more, and their size is limited: clients
that may publish to names of their choice could otherwise fill the memory.
"""

from __future__ import annotations

import asyncio
import heapq
import os
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from tornado.channels._broker import Begin, Broker, BrokerListener, Page, shared_error
from tornado.channels._pattern import Pattern
from tornado.channels._values import History, Message, Position

#: The number of seconds after which an unused channel is forgotten, as in Redis. Its next use begins a new
#: epoch.
_MAX_UNUSED = 86_400.0
#: The memory that a message and an idempotency key need in addition to their texts, in bytes.
_OVERHEAD = 350
#: The time by which the end of messages may be late, in seconds: it limits how often the timer runs.
_DELAY = 0.1


class _Stored:
    """One channel: its begin and last position, messages and idempotency keys with their times, its last use,
    and the age of its history then.

    :ivar run: the part of the positions from before it existed.
    :ivar end: the time at which a timer will call `expire`; None if it will not.
    :ivar size: the size of what is stored in bytes.
    """

    __slots__ = ("age", "begun_at", "end", "head", "keys", "messages", "run", "size", "used_at")

    def __init__(self, now: float, run: str) -> None:
        self.run = run
        self.begun_at = now
        self.used_at = now
        self.age = 0.0
        self.head = Position(_new_epoch(), 0)
        self.messages: deque[tuple[float, Message]] = deque()
        self.keys: dict[str, tuple[float, Position]] = {}
        self.end: float | None = None
        self.size: int = 0

    def add(self, message: Message, key: str, now: float, lifetime: float) -> None:
        """Store a message and its idempotency key."""
        assert message.position is not None
        self.head = message.position
        self.messages.append((now, message))
        self.keys[key] = (now + lifetime, message.position)
        self.size += _size(message) + _key_size(key)

    def expire(self, now: float, count: float | None = None) -> None:
        """Remove what exceeds the limits.

        :param count: the number of messages to keep.
        """
        messages, keys = self.messages, self.keys
        limit = len(messages) if count is None else count
        while messages and (len(messages) > limit or messages[0][0] <= now - self.age):
            self.size -= _size(messages.popleft()[1])
        while keys:
            key = next(iter(keys))
            if keys[key][0] > now:
                break
            del keys[key]
            self.size -= _key_size(key)

    def next_end(self) -> float | None:
        """Return the time at which something ends; None if nothing is stored."""
        ends = [self.messages[0][0] + self.age] if self.messages else []
        if self.keys:
            ends.append(next(iter(self.keys.values()))[0])
        return min(ends, default=None)

    def reduce(self, excess: float) -> None:
        """Remove the oldest messages and keys until this number of bytes is free."""
        limit = max(0.0, self.size - excess)
        while self.size > limit and (self.messages or self.keys):
            if self.messages:
                self.size -= _size(self.messages.popleft()[1])
            if self.keys:
                key = next(iter(self.keys))
                del self.keys[key]
                self.size -= _key_size(key)


class MemoryBroker(Broker):
    """A broker for a program with a single process. The history is lost when the process ends.

    :param max_channels: the number of channels whose positions are stored. Above it, those without a
        subscription that were used least recently are forgotten; their next messages begin a new epoch.
    :param max_bytes: the size of all messages and idempotency keys. Above it, those of the channels that were
        published to least recently are removed, which their receivers get as a gap.
    :raises ValueError: if a limit is not positive.
    :ivar size: the present size of all messages and idempotency keys.
    """

    is_shared = False

    def __init__(self, *, max_channels: int = 10_000, max_bytes: int = 64 * 2**20) -> None:
        for name, value in (("max_channels", max_channels), ("max_bytes", max_bytes)):
            if not value > 0:
                raise ValueError(f"{name} must be a positive number, got {value!r}")
        self.max_channels = max_channels
        self.max_bytes = max_bytes
        #: The channels with messages, in the order of their last use. Clients may ask for any number of
        #: others, so they are not stored.
        self._channels: dict[str, _Stored] = {}
        #: Those of them that store something, in the order of their last publication.
        self._filled: dict[str, _Stored] = {}
        self.size: int = 0
        #: A part of the positions of channels that do not exist.
        self._run = _new_epoch()
        #: The times at which something ends in a channel, as a heap.
        self._ends: list[tuple[float, str]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._subscribed: set[str] = set()
        self._patterns: dict[str, Pattern] = {}
        #: For each channel: the ends of the leases by worker; the worker and the entry by connection.
        self._presence: dict[str, tuple[dict[str, float], dict[str, tuple[str, bytes]]]] = {}
        self._listener: BrokerListener | None = None

    async def start(self, listener: BrokerListener) -> None:
        if self._listener is not None:
            raise shared_error(self)
        self._listener = listener
        self._set_timer()
        listener.connected()

    async def close(self) -> None:
        self._listener = None
        self._subscribed.clear()
        self._patterns.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def publish(
        self, message: Message, history: History, idempotency_key: str, lifetime: float
    ) -> Position:
        channel, now = message.channel, _now()
        stored = self._use(channel, now) or self._create(channel, now)
        known = stored.keys.get(idempotency_key)
        if known is not None and known[0] > now:
            return known[1]
        before = stored.size
        stored.age = history.age
        position = Position(stored.head.epoch, stored.head.offset + 1)
        message = Message(channel, message.payload, position, message.key, message.author)
        stored.add(message, idempotency_key, now, lifetime)
        stored.expire(now, history.count)
        self._filled.pop(channel, None)
        self._filled[channel] = stored
        self.size += stored.size - before
        if self.size > self.max_bytes:
            self._reduce()
        if stored.end is None:
            self._schedule(channel, stored)
        await self.send(message)
        return position

    async def send(self, message: Message) -> None:
        if self._listener is None:
            return
        if message.channel in self._subscribed or self._matches(message.channel):
            self._listener.received(message)

    async def read(self, channel: str, after: Position | None, limit: int, history: History) -> Page:
        now = _now()
        stored = self._use(channel, now)
        if stored is None:
            return Page.of_absent(Begin(self._run, now, _MAX_UNUSED))
        before = stored.size
        stored.age = history.age
        stored.expire(now, history.count)
        self.size += stored.size - before
        head, created = stored.head, Begin(stored.run, stored.begun_at, _MAX_UNUSED)
        oldest = head.offset + 1 - len(stored.messages)
        if after is None:
            return Page(head, oldest, (), created)
        begin = 0
        if after.epoch == head.epoch and after.offset <= head.offset:
            begin = max(0, after.offset + 1 - oldest)
        messages = [each for _, each in stored.messages][begin : begin + limit]
        return Page(head, oldest, messages, created)

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
        now = _now()
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
        if leases.get(worker, 0.0) <= _now():
            return False
        leases[worker] = _now() + lease
        return True

    async def list_presence(self, channel: str) -> Mapping[str, bytes]:
        leases, present = self._presence.get(channel, ({}, {}))
        now = _now()
        for worker in [each for each, end in leases.items() if end <= now]:
            del leases[worker]
        for connection in [each for each, (worker, _) in present.items() if worker not in leases]:
            del present[connection]
        return {connection: entry for connection, (_, entry) in present.items()}

    def _use(self, channel: str, now: float) -> _Stored | None:
        """Return a channel that exists."""
        stored = self._channels.pop(channel, None)
        if stored is not None:
            self._channels[channel] = stored  # the last one
            stored.used_at = now
        return stored

    def _create(self, channel: str, now: float) -> _Stored:
        self._forget_unused(now)
        if len(self._channels) >= self.max_channels:
            self._forget_one()
        stored = self._channels[channel] = _Stored(now, self._run)
        return stored

    def _forget_unused(self, now: float) -> None:
        """Forget the channels that have not been used for a long time."""
        while self._channels:
            name, stored = next(iter(self._channels.items()))
            if stored.used_at >= now - max(_MAX_UNUSED, 2 * stored.age):
                return
            if name in self._subscribed:
                _ = self._use(name, now)
            else:
                self._forget(name)

    def _forget_one(self) -> None:
        """Forget the channel without a subscription that was used least recently."""
        found = next((name for name in self._channels if name not in self._subscribed), None)
        if found is not None:
            self._forget(found)
            # It may begin again soon: positions from before it existed cannot be compared with that any more.
            self._run = _new_epoch()

    def _forget(self, name: str) -> None:
        self.size -= self._channels.pop(name).size
        self._filled.pop(name, None)

    def _reduce(self) -> None:
        """Remove the messages of the channels that were published to least recently."""
        while self.size > self.max_bytes and self._filled:
            name, stored = next(iter(self._filled.items()))
            before = stored.size
            stored.reduce(self.size - self.max_bytes)
            self.size += stored.size - before
            if not stored.size:
                del self._filled[name]

    # -- the end of messages by their age --

    def _schedule(self, channel: str, stored: _Stored) -> None:
        """Let what is stored in a channel end in time."""
        end = stored.end = stored.next_end()
        if end is None:
            return
        heapq.heappush(self._ends, (end, channel))
        if len(self._ends) > 2 * len(self._channels) + 16:  # most are those of forgotten channels
            self._ends = [(each.end, name) for name, each in self._channels.items() if each.end is not None]
            heapq.heapify(self._ends)
        if self._timer is None or end + _DELAY < self._timer.when():
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ends and self._listener is not None:
            self._timer = asyncio.get_running_loop().call_at(self._ends[0][0] + _DELAY, self._expire)

    def _expire(self) -> None:
        """Remove what has ended."""
        self._timer = None
        now = _now()
        while self._ends and self._ends[0][0] <= now:
            end, name = heapq.heappop(self._ends)
            stored = self._channels.get(name)
            if stored is None or stored.end != end:
                continue  # it was forgotten, and may exist again
            before = stored.size
            stored.expire(now)
            self.size += stored.size - before
            if not stored.size:
                self._filled.pop(name, None)
            self._schedule(name, stored)
        self._set_timer()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _size(message: Message) -> int:
    return len(message.payload) + len(message.key or "") + _OVERHEAD


def _key_size(key: str) -> int:
    return len(key) + _OVERHEAD


def _new_epoch() -> str:
    return os.urandom(6).hex()


__all__ = ["MemoryBroker"]
