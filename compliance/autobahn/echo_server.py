"""The server under test, on Tornado's API: ours and upstream's alike. It prints its port and serves until it
is ended.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tornado import web, websocket
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

#: The largest message of the cases (9.1.6, 9.2.6).
LARGEST = 16 * 1024 * 1024


class Echo(websocket.WebSocketHandler):
    """Sends each message back, as text or as bytes."""

    def on_message(self, message: str | bytes) -> Any:
        """Send it back."""
        return self.write_message(message, isinstance(message, bytes))

    def get_compression_options(self) -> dict[str, Any]:
        """Compress where the client wants it."""
        return {}


async def main() -> None:
    """Serve."""
    server = HTTPServer(web.Application([("/", Echo)], websocket_max_message_size=LARGEST))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
