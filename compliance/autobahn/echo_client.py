"""The client under test, written for Tornado's API. ``echo_client.py PORT JOBS`` runs the cases that kosoku
serves on a port of 127.0.0.1, JOBS at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

from tornado.websocket import WebSocketClosedError, websocket_connect

#: The size of the largest message in the cases (9.1.6, 9.2.6), in bytes.
LARGEST = 16 * 1024 * 1024
AGENT = "echo"


async def ask(url: str) -> str | bytes | None:
    """Return the first message of a server; None if the server closes without sending a message."""
    connection = await websocket_connect(url)
    return await connection.read_message()


async def echo(url: str) -> None:
    """Return each message to the server until the server closes the connection."""
    connection = await websocket_connect(url, compression_options={}, max_message_size=LARGEST)
    while (message := await connection.read_message()) is not None:
        # In some cases the server sends more messages after its close frame.
        with contextlib.suppress(WebSocketClosedError):
            await connection.write_message(message, isinstance(message, bytes))


async def main() -> None:
    """Run the cases."""
    base, jobs = f"ws://127.0.0.1:{sys.argv[1]}", int(sys.argv[2])
    count = await ask(f"{base}/getCaseCount")
    assert count is not None
    numbers = iter(range(1, int(count) + 1))

    async def work() -> None:
        for number in numbers:
            await echo(f"{base}/runCase?case={number}&agent={AGENT}")

    async with asyncio.TaskGroup() as workers:
        for _ in range(jobs):
            workers.create_task(work())
    await ask(f"{base}/updateReports?agent={AGENT}")


if __name__ == "__main__":
    asyncio.run(main())
