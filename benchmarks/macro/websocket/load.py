"""The clients: blocking sockets that send prepared frames and count the received bytes.

The clients therefore need less CPU time than any of the servers. The server's frames are not masked, so their
size is known.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator

from benchmarks.macro.server.load import Connection

_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extension}\r\n"
)
_DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


def handshake(path: str, extension: str = "") -> bytes:
    """Return the request that opens a WebSocket.

    :param extension: a field line with its line end, or an empty text.
    """
    return _HANDSHAKE.format(path=path, extension=extension).encode()


def masked(payload: bytes) -> bytes:
    """Return a client's text frame of at most 125 bytes, with a mask of zeros."""
    return bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload


def frame_size(payload: int) -> int:
    """Return the size in bytes of a server's frame with a payload of this size."""
    return payload + (2 if payload < 126 else 4 if payload < 1 << 16 else 10)


class Client(Connection):
    """An open WebSocket.

    :param answer: size of the payload of each received message, in bytes.
    """

    def __init__(self, port: int, path: str, answer: int = 0) -> None:
        super().__init__(port)
        self._answer = frame_size(answer)
        extension = _DEFLATE if path == "/deflate" else ""
        self.send(handshake(path, extension))
        head, self._pending = self._until(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101") or (extension and b"permessage-deflate" not in head):
            self.close()
            raise RuntimeError(f"the server responded with {head!r}")

    def fileno(self) -> int:
        """The file descriptor of the socket."""
        return self._socket.fileno()

    def receive(self) -> bytes:
        """Receive one message, and return its frame."""
        data = self._pending
        while len(data) < self._answer:
            data += self._more()
        self._pending = data[self._answer :]
        return data[: self._answer]

    def read_nothing(self) -> None:
        """Shrink the receive buffer, for a client that does not read."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    @property
    def socket(self) -> socket.socket:
        """The underlying socket."""
        return self._socket


@contextlib.contextmanager
def clients(port: int, path: str, count: int, answer: int = 0) -> Iterator[list[Client]]:
    """Open ``count`` WebSockets, and close them at the end of the block."""
    opened: list[Client] = []
    try:
        for _ in range(count):
            opened.append(Client(port, path, answer))  # noqa: PERF401 (those opened before a failure are closed)
        yield opened
    finally:
        for client in opened:
            client.close()


def echoes(opened: list[Client], request: bytes, seconds: float) -> int:
    """Send a message on each connection after each echo, for `seconds`; return the number of echoes."""
    by_number = {client.fileno(): client.socket for client in opened}
    size, count = len(request) - 4, 0
    with select.epoll() as poll:
        for number, each in by_number.items():
            poll.register(number, select.EPOLLIN)
            each.send(request)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for number, _ in poll.poll():
                if len(os.read(number, 4096)) != size:
                    raise RuntimeError("the server sent something other than one echo")
                os.write(number, request)
                count += 1
    for client in opened:
        client.receive()
    return count


def broadcasts(control: Client, feeds: list[Client], request: bytes, count: int) -> list[float]:
    """Trigger `count` broadcasts; return the time of each delivery in seconds, as seen by the clients."""
    taken = []
    clock = time.perf_counter
    for _ in range(count):
        start = clock()
        control.send(request)
        for feed in feeds:
            feed.receive()
            taken.append(clock() - start)
        control.receive()
    return taken
