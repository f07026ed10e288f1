"""A clock that tests control, and an event loop that uses it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class FakeClock:
    """A clock whose time changes only by `advance`. Calling it returns the time, like ``time.time()``."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Advance the time by ``seconds``."""
        if seconds < 0:
            raise ValueError(f"a clock cannot go back by {-seconds} s")
        self.now += seconds

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Create an asyncio loop that advances this clock instead of waiting for a timer."""
        return _FakeTimeLoop(self)


class _FakeTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        return self._clock.now


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that advances the clock to the next timer if no socket is ready.

    Without a timer, it waits in real time, so sockets and threads can wake the loop.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._advance: Callable[[float], None] = clock.advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, Any]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self._advance(timeout)
        return ready
