"""A clock that moves only when told to, and an event loop that lives by it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class FakeClock:
    """Seconds that pass when somebody says so. Call it for the time, as one calls ``time.time``."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        if seconds < 0:
            raise ValueError(f"a clock cannot go back by {-seconds} s")
        self.now += seconds

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """An asyncio loop for which waiting moves this clock at once instead of taking time."""
        return _FakeTimeLoop(self)


class _FakeTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        return self._clock.now


class _JumpingSelector(selectors.DefaultSelector):
    """Where the loop would sleep until its next timer, the clock jumps there. Ready sockets come first.

    With no timer at all the loop really waits, so that sockets and threads still wake it.
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
