"""Configuration of the measured programs.

Without an argument, each program serves WebSockets that receive what is published to the channel ``news``.
With the argument ``publish`` it publishes: it writes a line when it is ready; for each number that it reads,
it publishes a message that contains the number, and then writes a line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

PORT = int(os.environ.get("BENCH_PORT", "8888"))
REDIS = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379/0")
#: "uvloop" or "asyncio", for the programs that support both.
LOOP = os.environ.get("BENCH_LOOP", "asyncio")
CHANNEL = "news"
#: The size of a message in bytes.
SIZE = int(os.environ.get("BENCH_SIZE", "64"))
PUBLISHES = sys.argv[1:] == ["publish"]


def text(number: str) -> str:
    """Return a message that ends with a number."""
    return f"{number:>{SIZE}}"


async def publish_numbers(publish: Callable[[str], Coroutine[Any, Any, Any]]) -> None:
    """Publish the numbers from standard input. Nothing else runs in the process, so reading may block."""
    print("ready", flush=True)
    for line in sys.stdin:
        await publish(text(line.strip()))
        print("published", flush=True)
