"""Clients of the service: a small load that never ends. ``main.py`` starts this program.

It ends when its standard input is closed, which is the end of the service.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPError
from tornado.websocket import WebSocketClosedError, websocket_connect

#: The routes, with their shares of the requests.
ROUTES: dict[Callable[[], str], int] = {
    lambda: f"/items/{random.randint(1, 105)}": 60,
    lambda: "/": 17,
    lambda: "/search?q=lamp": 17,
    lambda: "/report": 5,
    lambda: f"/orders/A{random.randint(1, 3)}": 1,
}
#: How long a client waits for the route that hangs, and then until it sends the next request, in seconds.
HANG, PAUSE = 20.0, 10.0
SOCKETS = 3


class Load:
    """The clients.

    :param url: the URL of the service.
    :param rate: the number of requests per second.
    """

    def __init__(self, url: str, rate: float) -> None:
        self.url = url
        self.rate = rate
        self.client = AsyncHTTPClient()
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run all clients until the task is cancelled."""
        clients = [self.visit, self.hang, self.follow, *[self.chat] * SOCKETS]
        async with asyncio.TaskGroup() as group:
            for each in clients:
                group.create_task(self.repeat(each))

    async def repeat(self, client: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a client again and again. It fails while the service is not there, or replaces its workers."""
        while True:
            try:
                await client()
            except (OSError, HTTPError, WebSocketClosedError):
                await asyncio.sleep(1)

    async def visit(self) -> None:
        """Send requests at irregular intervals. Some of them overlap."""
        while True:
            await asyncio.sleep(random.expovariate(self.rate))
            (choose,) = random.choices(list(ROUTES), list(ROUTES.values()))
            task = asyncio.create_task(self.fetch(choose()))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def fetch(self, target: str) -> None:
        """Send a request. Its failure is not reported, because the dashboard shows it."""
        try:
            await self.client.fetch(self.url + target, raise_error=False)
        except (OSError, HTTPError):
            pass

    async def hang(self) -> None:
        """Send a request to the route that never answers, give up, and wait."""
        try:
            await self.client.fetch(f"{self.url}/warehouse", request_timeout=HANG)
        except HTTPError:
            await asyncio.sleep(PAUSE)

    async def follow(self) -> None:
        """Read the event stream for a minute."""
        await self.client.fetch(
            f"{self.url}/ticker",
            raise_error=False,
            streaming_callback=lambda data: None,
            request_timeout=60,
        )

    async def chat(self) -> None:
        """Exchange messages over a WebSocket."""
        connection = await websocket_connect(f"{self.url.replace('http', 'ws', 1)}/chat")
        try:
            while True:
                await connection.write_message("hello")
                if await connection.read_message() is None:
                    raise WebSocketClosedError
                await asyncio.sleep(random.uniform(0.2, 1))
        finally:
            connection.close()


async def main(url: str, rate: float) -> None:
    """Send requests until the standard input is closed."""
    running = asyncio.create_task(Load(url, rate).run())
    await asyncio.to_thread(sys.stdin.buffer.read)
    running.cancel()
    await asyncio.wait([running])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
