"""The subscribers: blocking sockets that read one frame at a time.

They check the number in each message, so a message that is lost, repeated or reordered ends the measurement.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
from collections.abc import Iterator

from benchmarks.macro.websocket.load import Client, handshake, masked

_SOCKET_IO = "/socket.io/?EIO=4&transport=websocket"
_SUBSCRIBE = b'{"type":"subscribe","channel":"news"}'
_NUMBER = re.compile(rb" (\d+)\"")
_PLAIN_NUMBER = re.compile(rb" (\d+)$")
_TEXT, _PING, _PONG = 1, 9, 10


class Subscriber(Client):
    """A WebSocket that is subscribed to the channel ``news``.

    :param kind: the name of the peer.
    """

    def __init__(self, port: int, kind: str) -> None:
        super().__init__(port, _SOCKET_IO if kind == "socketio" else "/feed")
        if kind == "socketio":
            self._read_until(b"0{")
            self.send(masked(b"40"))
            self._read_until(b"40{")
        elif kind == "channels":
            self.send(masked(_SUBSCRIBE))
            self._read_until(b'"subscribed"')

    def receive_number(self) -> int:
        """Receive a message, and return the number that it ends with."""
        while True:
            payload = self.receive()
            if payload == b"2":  # a ping of Engine.IO
                self.send(masked(b"3"))
            elif found := _NUMBER.search(payload) or _PLAIN_NUMBER.search(payload):
                return int(found[1])
            else:
                raise RuntimeError(f"the server sent {payload!r}")

    def receive(self) -> bytes:
        """Receive a text message, and return its payload. Pings of the WebSocket are answered."""
        while True:
            self._need(2)
            opcode, size = self._pending[0] & 15, self._pending[1]
            start = 2
            if size == 126:
                self._need(4)
                size, start = int.from_bytes(self._pending[2:4], "big"), 4
            self._need(start + size)
            payload = self._pending[start : start + size]
            self._pending = self._pending[start + size :]
            if opcode == _TEXT:
                return payload
            if opcode == _PING:
                self.send(bytes([0x80 | _PONG, 0x80 | len(payload)]) + bytes(4) + payload)

    def _need(self, size: int) -> None:
        while len(self._pending) < size:
            self._pending += self._more()

    def _read_until(self, mark: bytes) -> None:
        while mark not in self.receive():
            pass


#: For each kind of peer: what a client sends, and the part of the response that it waits for, in order. The
#: first thing that is sent is the handshake of the WebSocket.
_STEPS: dict[str, list[tuple[bytes, bytes]]] = {
    "channels": [(b"", b"\r\n\r\n"), (masked(_SUBSCRIBE), b'"subscribed"')],
    "socketio": [(b"", b"0{"), (masked(b"40"), b"40{")],
}
_PLAIN_STEPS = [(b"", b"\r\n\r\n")]


def connect_at_once(port: int, kind: str, count: int, concurrency: int) -> list[socket.socket]:
    """Connect and subscribe clients, many at the same time.

    :param count: the number of clients.
    :param concurrency: the number of clients that connect at a time.
    :returns: the sockets, to be closed by the caller.
    """
    steps = _STEPS.get(kind, _PLAIN_STEPS)
    opened: list[socket.socket] = []
    connecting: dict[int, tuple[socket.socket, int, bytes]] = {}
    remaining = count
    with select.epoll() as poll:
        while remaining or connecting:
            while remaining and len(connecting) < concurrency:
                sock = socket.create_connection(("127.0.0.1", port))
                opened.append(sock)
                sock.sendall(handshake(_SOCKET_IO if kind == "socketio" else "/feed"))
                poll.register(sock, select.EPOLLIN)
                connecting[sock.fileno()] = sock, 0, b""
                remaining -= 1
            for number, _ in poll.poll():
                sock, step, received = connecting[number]
                data = sock.recv(4096)
                if not data:
                    raise RuntimeError("the server has closed a connection")
                received += data
                if steps[step][1] not in received:
                    connecting[number] = sock, step, received
                elif step + 1 < len(steps):
                    sock.sendall(steps[step + 1][0])
                    connecting[number] = sock, step + 1, b""
                else:
                    poll.unregister(number)
                    del connecting[number]
    return opened


@contextlib.contextmanager
def subscribers(port: int, kind: str, count: int) -> Iterator[list[Subscriber]]:
    """Open ``count`` subscribers, and close them at the end of the block."""
    opened: list[Subscriber] = []
    try:
        for _ in range(count):
            opened.append(Subscriber(port, kind))  # noqa: PERF401 (those opened before a failure are closed)
        yield opened
    finally:
        for each in opened:
            each.close()
