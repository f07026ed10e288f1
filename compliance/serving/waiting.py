"""Waiting for a condition that nothing reports, such as the end of a process that is not a child."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: The pause between two attempts, in seconds.
PAUSE = 0.01


async def until(condition: Callable[[], bool], timeout: float) -> float | None:
    """Wait until a condition is true; return the seconds, or None after the timeout."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout:
            return None
        await asyncio.sleep(PAUSE)
    return time.monotonic() - began
