"""How a server under measurement is told what to do, and what all of them answer.

Each has these paths: ``/echo`` sends messages back. Whoever is on ``/feed`` gets what is broadcast: on a
message to ``/loop`` by a send to each, on one to ``/broadcast`` by the peer's own way of sending to many,
where it has one; then the message's sender gets "done". ``/idle`` and ``/deflate`` do nothing, the latter
with compression agreed on.
"""

from __future__ import annotations

import os

PORT = int(os.environ.get("BENCH_PORT", "8888"))
#: "uvloop" or "asyncio", for the servers that leave the choice.
LOOP = os.environ.get("BENCH_LOOP", "asyncio")


def text(times: str | bytes) -> str:
    """What is broadcast: 64 bytes, so many times as the message says."""
    return "0123456789abcdef" * 4 * int(times)
