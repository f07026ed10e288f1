"""Round trips over a connection to NATS.

``flush`` of nats-py is not used: if it is cancelled or exceeds its time limit, the response that arrives
later ends the task that reads the connection, without an error. From then on ``flush`` returns without
waiting for a response, so the connection seems to work but receives nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Echo:
    """Sends messages to itself over one connection.

    :param client: a connected client of nats-py.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._subject: str = client.new_inbox()
        self._count = 0
        self._waiting: dict[bytes, asyncio.Future[None]] = {}

    async def start(self) -> None:
        """Subscribe to the messages."""
        await self._client.subscribe(self._subject, cb=self._received)

    async def round_trip(self, timeout: float) -> None:
        """Wait until the server has processed what was sent before, and this process what it has sent.

        :param timeout: the time limit in seconds.
        :raises TimeoutError: if it is exceeded.
        """
        self._count += 1
        name = b"%d" % self._count
        future = self._waiting[name] = asyncio.get_running_loop().create_future()
        try:
            await self._client.publish(self._subject, name)
            async with asyncio.timeout(timeout):
                await future
        finally:
            del self._waiting[name]

    async def _received(self, message: Any) -> None:
        future = self._waiting.get(message.data)
        if future is not None and not future.done():
            future.set_result(None)


__all__ = ["Echo"]
