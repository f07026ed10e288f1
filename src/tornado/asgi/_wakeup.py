"""`Wakeup`: lets calls of ``receive`` wait until there is an event."""

from __future__ import annotations

import asyncio


class Wakeup:
    """The calls that wait for the next event.

    An application may call ``receive`` in several tasks, for example to detect a disconnect, so each call
    waits for a Future of its own. A cancelled call then affects no other.
    """

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def wait(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Return a Future that is done at the next call of `wake`."""
        waiter = loop.create_future()
        if self._waiters:  # an application may poll with a timeout, which cancels each Future
            self._waiters = [each for each in self._waiters if not each.done()]
        self._waiters.append(waiter)
        return waiter

    def wake(self) -> None:
        """Continue all waiting calls."""
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)


__all__ = ["Wakeup"]
