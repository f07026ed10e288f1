"""The delay of the event loop, and the pauses of the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from time import perf_counter
from typing import Any

from tornado.web._observation._histogram import Histogram

__all__ = ["CollectorPauses", "LoopDelay", "collector_pauses", "loop_delay", "start_measuring"]

#: The time between two measurements, in seconds.
INTERVAL = 0.2


class LoopDelay:
    """A timer that records how late the event loop calls it.

    :param loop: the asyncio loop.
    :ivar delays: the delays, in seconds.
    :ivar beats: the number of calls. It stands still while a callback blocks the loop.
    :ivar on_beat: functions that the timer calls.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.delays = Histogram()
        self.beats = 0
        self.on_beat: list[Callable[[], None]] = []
        self._loop = weakref.ref(loop)
        # The handle of the timer is not stored, because it refers to the loop, which is a weak key of
        # `_loop_delays`.
        self._is_stopped = False
        self._schedule(loop)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._expected = loop.time() + INTERVAL
        loop.call_at(self._expected, self._beat)

    def _beat(self) -> None:
        loop = self._loop()
        if loop is None or self._is_stopped:
            return
        self.beats += 1
        self.delays.record(max(0.0, loop.time() - self._expected))
        for call in self.on_beat:
            call()
        self._schedule(loop)

    def stop(self) -> None:
        """Stop measuring."""
        self._is_stopped = True


class CollectorPauses:
    """Records how long each garbage collection takes, during which the program stands still.

    :ivar pauses: the durations, in seconds.
    """

    def __init__(self) -> None:
        self.pauses = Histogram()
        self._begin = 0.0
        gc.callbacks.append(self._call)

    def _call(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._begin = perf_counter()
        elif self._begin:
            self.pauses.record(perf_counter() - self._begin)
            self._begin = 0.0

    def stop(self) -> None:
        """Stop measuring."""
        gc.callbacks.remove(self._call)


# Not a `PerLoop`: CPython 3.11 reads the attributes of an object more slowly after its `__dict__` has been
# accessed, which costs each iteration of an asyncio loop 4,200 instructions.
_loop_delays: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopDelay] = weakref.WeakKeyDictionary()
_pauses: list[CollectorPauses] = []
_starting = threading.Lock()


def loop_delay(loop: asyncio.AbstractEventLoop) -> LoopDelay:
    """Return the recorder of an event loop, which begins with the first call."""
    delay = _loop_delays.get(loop)
    if delay is None:
        delay = _loop_delays[loop] = LoopDelay(loop)
    return delay


def collector_pauses() -> CollectorPauses:
    """Return the recorder of this process, which begins with the first call."""
    with _starting:
        if not _pauses:
            _pauses.append(CollectorPauses())
    return _pauses[0]


def start_measuring(loop: asyncio.AbstractEventLoop, on_beat: Callable[[], None]) -> None:
    """Start to measure the delay of an event loop and the pauses of the collector, if this is not done yet.

    :param on_beat: a function that the timer of the event loop calls regularly.
    """
    delay = loop_delay(loop)
    if on_beat not in delay.on_beat:
        delay.on_beat.append(on_beat)
    collector_pauses()
