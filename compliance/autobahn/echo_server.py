"""The server under test, written for Tornado's API. It prints its port and serves until it is terminated."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado import web, websocket
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

#: The size of the largest message in the cases (9.1.6, 9.2.6), in bytes.
LARGEST = 16 * 1024 * 1024


class Echo(websocket.WebSocketHandler):
    """A handler that returns each message to the client, as text or as bytes."""

    def on_message(self, message: str | bytes) -> Any:
        """Return the message to the client."""
        return self.write_message(message, isinstance(message, bytes))

    def get_compression_options(self) -> dict[str, Any]:
        """Enable compression for clients that offer it."""
        return {}


async def main() -> None:
    """Run the server."""
    server = HTTPServer(web.Application([("/", Echo)], websocket_max_message_size=LARGEST))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
