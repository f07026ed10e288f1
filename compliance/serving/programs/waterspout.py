"""The measured program for Waterspout; `asgi.py` is the same for servers of ASGI applications."""

from __future__ import annotations

import asyncio
import os
import time

from tornado import web, websocket

VERSION = "1"
#: The WebSocket messages that have been received, one per line.
STORE = os.open(os.environ["STORE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


class Root(web.RequestHandler):
    """Answers with the version and the process ID."""

    def get(self) -> None:
        self.write(f"{VERSION} {os.getpid()}")


class Wait(Root):
    """Answers after a while."""

    async def get(self) -> None:
        await asyncio.sleep(float(self.get_argument("seconds")))
        super().get()


class Stream(web.RequestHandler):
    """Receives a body, and sends the response in six parts."""

    async def post(self) -> None:
        await asyncio.sleep(0.09)
        self.set_header("Content-Length", "600")
        for _ in range(5):
            self.write(b"x" * 100)
            await self.flush()
            await asyncio.sleep(0.01)
        self.write(b"x" * 100)


class Block(Root):
    """Blocks the event loop."""

    def get(self) -> None:
        time.sleep(600)


class Orphans(Root):
    """Leaves five processes behind that end at once, and whose parent has ended."""

    def get(self) -> None:
        if os.fork() == 0:
            for _ in range(5):
                if os.fork() == 0:
                    time.sleep(0.1)
                    os._exit(0)
            os._exit(0)
        os.wait()
        super().get()


class Acknowledge(websocket.WebSocketHandler):
    """Stores each message, and then acknowledges it."""

    def on_message(self, message: str | bytes) -> None:
        assert isinstance(message, str)
        os.write(STORE, message.encode() + b"\n")
        self.write_message(message)


application = web.Application(
    [
        ("/", Root),
        ("/wait", Wait),
        ("/stream", Stream),
        ("/block", Block),
        ("/orphans", Orphans),
        ("/ws", Acknowledge),
    ]
)
