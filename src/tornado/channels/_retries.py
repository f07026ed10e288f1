"""`Retries`: the delays between attempts while the broker cannot be reached."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterable
from typing import Any, Final

#: The first delay of each operation, in seconds.
FIRST_DELAY: Final = 0.02
#: The maximum delay, in seconds.
MAX_DELAY: Final = 0.4


class Retries:
    """Waits before the next attempt. The hub ends all waits as soon as the broker is connected again."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    async def wait(self, delay: float) -> float:
        """Wait for a random part of a delay, or until `wake` is called.

        :param delay: the maximum time in seconds; that of the first call is `FIRST_DELAY`.
        :returns: the delay for the next call.
        """
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        timer = loop.call_later(delay * random.uniform(0.5, 1), _wake, waiter)
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)
        return min(2 * delay, MAX_DELAY)

    def wake(self) -> None:
        """End all waits."""
        for waiter in self._waiters:
            _wake(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def gather_all(operations: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Execute operations at the same time. If one fails, cancel the others, and raise its exception."""
    try:
        async with asyncio.TaskGroup() as group:
            for operation in operations:
                group.create_task(operation)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


__all__ = ["FIRST_DELAY", "MAX_DELAY", "Retries", "gather_all"]
