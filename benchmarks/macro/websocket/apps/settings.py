"""Configuration of the measured servers, and the paths that each of them serves.

``/echo`` sends messages back. Connections to ``/feed`` receive broadcasts: a message to ``/loop`` triggers a
broadcast with one send call per connection, a message to ``/broadcast`` a broadcast with the library's own
function, if the library has one. The sender of the message then receives "done". ``/idle`` and ``/deflate``
do nothing; the latter negotiates compression.
"""

from __future__ import annotations

import os

PORT = int(os.environ.get("BENCH_PORT", "8888"))
#: "uvloop" or "asyncio", for the servers that support both.
LOOP = os.environ.get("BENCH_LOOP", "asyncio")


def text(times: str | bytes) -> str:
    """Return the text to broadcast: 64 bytes, repeated the number of times in the message."""
    return "0123456789abcdef" * 4 * int(times)
