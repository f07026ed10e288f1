"""Publishing to Redis: messages that wait at the same time share one command.

While a command is executed, further messages are collected. The next command publishes all of them, so the
rate is not limited by the time of one round trip.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tornado._loop.tasks import start_lazily
from tornado.channels._errors import BrokerUnavailableError
from tornado.channels._redis_pipeline import Call
from tornado.channels._values import Position
from tornado.log import gen_log

#: The maximum number of messages, and of bytes in their payloads, in one command.
_MAX_MESSAGES, _MAX_SIZE = 100, 1_048_576


@dataclass(frozen=True, slots=True)
class Entry:
    """A message to publish.

    :ivar keys: the keys of the channel; messages with the same keys may share a command.
    :ivar arguments: the arguments of the script for the channel.
    :ivar key: the idempotency key in Redis.
    :ivar own: the arguments of the script for this message.
    :ivar size: the size of the payload in bytes.
    """

    keys: tuple[bytes, ...]
    arguments: tuple[bytes, ...]
    key: bytes
    own: tuple[bytes, ...]
    size: int


#: Executes calls at the same time, and returns the result or the exception of each.
Execute: TypeAlias = Callable[[Sequence[Call]], Awaitable[Sequence[Any]]]


@dataclass(slots=True)
class _Batch:
    """Messages of one channel in one call."""

    entries: list[Entry] = field(default_factory=list)
    futures: list[asyncio.Future[Position] | None] = field(default_factory=list)
    size: int = 0

    def has_room(self, entry: Entry) -> bool:
        """Whether the entry may be added."""
        if not self.entries:
            return True  # all earlier publishers were cancelled
        first = self.entries[0]
        return (
            entry.arguments[1:] == first.arguments[1:]  # the first argument is a new epoch
            and len(self.entries) < _MAX_MESSAGES
            and self.size + entry.size <= _MAX_SIZE
        )

    def add(self, entry: Entry, future: asyncio.Future[Position] | None) -> None:
        """Add a message. The future may be None if the result is not needed."""
        self.entries.append(entry)
        self.futures.append(future)
        self.size += entry.size

    def finish(self, result: Sequence[Position] | BrokerUnavailableError) -> None:
        """Pass the results on to the publishers that still wait."""
        for index, future in enumerate(self.futures):
            if future is not None and not future.done():
                if isinstance(result, BrokerUnavailableError):
                    future.set_exception(BrokerUnavailableError(str(result)))
                else:
                    future.set_result(result[index])

    def call(self) -> Call:
        """Return the keys and the arguments."""
        first = self.entries[0]
        return (
            [*first.keys, *[each.key for each in self.entries]],
            [*first.arguments, *[argument for each in self.entries for argument in each.own]],
        )


class RedisPublisher:
    """Publishes messages in the order of the calls.

    :param execute: executes calls of the script. After it was cancelled, it can be called again.
    :param errors: the exceptions that mean that Redis could not be reached or has failed.
    :param address: the address for error messages.
    :param timeout: the time limit of `execute`, in seconds.
    """

    def __init__(
        self, execute: Execute, errors: tuple[type[Exception], ...], address: str, timeout: float
    ) -> None:
        self._execute = execute
        self._errors = errors
        self._address = address
        self._timeout = timeout
        self._waiting: deque[tuple[Entry, asyncio.Future[Position]]] = deque()
        self._is_busy = False
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End the publication of the messages that wait."""
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._refuse_waiting("the broker is closed")

    def _refuse_waiting(self, reason: str) -> None:
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(BrokerUnavailableError(reason))

    async def publish(self, entry: Entry) -> Position:
        """Publish a message.

        :raises BrokerUnavailableError: if this fails, or takes longer than the time limit.
        """
        if self._is_busy:
            future: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
            self._waiting.append((entry, future))
            return await future
        self._is_busy = True
        batch = _Batch()
        batch.add(entry, None)
        try:
            [result] = await self._run([batch])  # no task is needed
        finally:
            self._continue()
        if isinstance(result, BrokerUnavailableError):
            raise result
        return result[0]

    def _continue(self) -> None:
        """Publish in a task what has been collected."""
        if self._waiting:
            self._task = start_lazily(self._publish_waiting())
        else:
            self._is_busy = False

    async def _publish_waiting(self) -> None:
        batches: list[_Batch] = []
        try:
            while self._waiting:
                batches = _take(self._waiting)
                for batch, result in zip(batches, await self._run(batches), strict=True):
                    batch.finish(result)
        except BaseException as error:
            reason = f"Redis at {self._address}: the operation has failed"
            for batch in batches:
                batch.finish(BrokerUnavailableError(reason))
            self._refuse_waiting(reason)
            if not isinstance(error, Exception):
                raise
            gen_log.error("Exception while messages were published to Redis", exc_info=True)
        finally:
            self._task = None
            self._is_busy = False

    async def _run(self, batches: Sequence[_Batch]) -> list[list[Position] | BrokerUnavailableError]:
        """Execute the calls of batches. Return the positions of the messages of each, or an exception."""
        try:
            async with asyncio.timeout(self._timeout):
                results = await self._execute([batch.call() for batch in batches])
        except TimeoutError:
            error = BrokerUnavailableError(
                f"Redis at {self._address} did not respond within {self._timeout} s"
            )
            return [error for _ in batches]
        except self._errors as error:
            return [self._unavailable(error) for _ in batches]
        return [
            self._unavailable(result) if isinstance(result, Exception) else _positions(result)
            for result in results
        ]

    def _unavailable(self, error: Exception) -> BrokerUnavailableError:
        return BrokerUnavailableError(f"Redis at {self._address}: {error}")


def _take(waiting: deque[tuple[Entry, asyncio.Future[Position]]]) -> list[_Batch]:
    """Remove messages until a batch has no room, and return them by channel."""
    batches: dict[tuple[bytes, ...], _Batch] = {}
    while waiting:
        entry, future = waiting[0]
        batch = batches.get(entry.keys)
        if batch is None:
            batch = batches[entry.keys] = _Batch()
        elif not batch.has_room(entry):
            break  # calls for the same channel must not be executed at the same time
        waiting.popleft()
        if not future.done():  # the publisher may have been cancelled
            batch.add(entry, future)
    return [batch for batch in batches.values() if batch.entries]


def _positions(result: Sequence[Any]) -> list[Position]:
    epoch = result[0].decode()
    return [Position(epoch, offset) for offset in result[1:]]


__all__ = ["Entry", "Execute", "RedisPublisher"]
