"""Measure the memory of an idle pooled connection: run in a client's interpreter and print the growth of
the resident set in bytes.
"""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

from benchmarks.macro.client.clients import client

CONNECTIONS = 500
URL = f"http://127.0.0.1:{os.environ.get('BENCH_PORT')}"


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def main() -> None:
    """Warm up with a few connections, then open many concurrently."""
    async with client(URL, limit=CONNECTIONS) as found:
        await asyncio.gather(*[found.get("/") for _ in range(20)])
        before = _resident()
        await asyncio.gather(*[found.get("/") for _ in range(CONNECTIONS)])
        opened = sum(os.readlink(f"/proc/self/fd/{fd}").startswith("socket:") for fd in _descriptors())
        print((_resident() - before) / max(1, opened - 20))


def _descriptors() -> list[str]:
    names = os.listdir("/proc/self/fd")
    return [name for name in names if os.path.lexists(f"/proc/self/fd/{name}")]


if __name__ == "__main__":
    asyncio.run(main())
