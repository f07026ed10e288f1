"""Configuration of the measured servers, and the paths that each of them serves.

``/echo`` sends messages back. Connections to ``/feed`` receive broadcasts: a message to ``/loop`` triggers
one with a send call for each connection, a message to ``/broadcast`` one with the library's broadcast
function, if it has one. The sender of the message then receives "done". ``/idle`` and ``/deflate`` do
nothing; the latter negotiates compression.
"""

from __future__ import annotations

import os

PORT = int(os.environ.get("BENCH_PORT", "8888"))
#: "uvloop" or "asyncio", for the servers that support both.
LOOP = os.environ.get("BENCH_LOOP", "asyncio")


def text(times: str | bytes) -> str:
    """Return the text to broadcast: 64 bytes, repeated the number of times in the message."""
    return "0123456789abcdef" * 4 * int(times)
