"""The server for all clients. It prints its port, and exits when its standard input closes.

The responses are fixed: 13 bytes for ``/``, 100 MB for ``/large``. Request bodies are discarded.
"""

from __future__ import annotations

import asyncio
import re
import sys

LARGE = 100_000_000
_HEAD = "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n"
SMALL_RESPONSE = (_HEAD.format(13) + "Hello, client").encode()
LAST_RESPONSE = SMALL_RESPONSE.replace(b"Server: bench", b"Connection: close")
LARGE_HEAD = _HEAD.format(LARGE).encode()
CHUNK = bytes(1_000_000)

find_length = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)").search
find_close = re.compile(rb"(?i)\r\nconnection: *close").search


class Connection(asyncio.Protocol):
    """A connection that responds to its requests."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Prepare for the first request."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""
        self.remaining = 0
        self.unsent = 0

    def data_received(self, data: bytes) -> None:
        """Discard bodies, and respond to each request once its body is complete."""
        while data:
            if self.remaining:
                taken = min(self.remaining, len(data))
                self.remaining -= taken
                data = data[taken:]
                if not self.remaining:
                    self.answer()
                continue
            self.buffer += data
            head, end, data = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self.buffer = b""
            self.head = head
            length = find_length(head)
            self.remaining = int(length[1]) if length is not None else 0
            if not self.remaining:
                self.answer()

    def answer(self) -> None:
        """Send the response."""
        if self.head.startswith(b"GET /large "):
            self.transport.write(LARGE_HEAD)
            self.unsent = LARGE
            self.resume_writing()
            return
        if find_close(self.head) is not None:
            self.transport.write(LAST_RESPONSE)
            self.transport.close()
        else:
            self.transport.write(SMALL_RESPONSE)

    def pause_writing(self) -> None:
        """Pause a large response."""
        self.paused = True

    def resume_writing(self) -> None:
        """Resume a large response."""
        self.paused = False
        while self.unsent and not self.paused:
            self.unsent -= len(CHUNK)
            self.transport.write(CHUNK)


async def main() -> None:
    """Serve until the standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
