"""WebSocket clients that reconnect, and send messages that the server stores and acknowledges.

A client sends its next message after the acknowledgement of the last one. After a close it connects again and
repeats the message that has not been acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from compliance.serving.target import Target
from compliance.serving.waiting import until

_HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_TEXT, _CLOSE = 0x81, 0x88
#: The number of concurrent handshakes. More would overflow the listen queue of servers with a short one.
_MAX_HANDSHAKES = 64
#: The maximum time of a handshake, and the pause after one that has failed, in seconds.
_TIMEOUT, _PAUSE = 30.0, 0.02


def frame(first: int, payload: bytes) -> bytes:
    """Return a masked frame with less than 126 bytes of payload."""
    key = random.randbytes(4)
    masked = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    return bytes((first, 0x80 | len(payload))) + key + masked


@dataclass
class WebSocketCounts:
    """The observations of the clients.

    :ivar closes: the number of closed connections by the close code, or by the reason without a close frame.
    :ivar acknowledged: the number of the last acknowledged message of each client.
    :ivar handshakes_failed: the number of connections that were refused or lost in the handshake.
    :ivar close_times: when each close frame arrived (`time.monotonic`).
    """

    closes: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[int, int] = field(default_factory=dict)
    open: int = 0
    handshakes_failed: Counter[str] = field(default_factory=Counter)
    close_times: list[float] = field(default_factory=list)

    def check(self, store: Path) -> tuple[int, int]:
        """Return the number of acknowledged messages that are not in the store, and of repeated ones."""
        lines = store.read_text().split()
        stored = set(lines)
        lost = sum(
            f"{client}:{number}" not in stored
            for client, last in self.acknowledged.items()
            for number in range(1, last + 1)
        )
        return lost, len(lines) - len(stored)


class Connection(asyncio.Protocol):
    """One connection of a client.

    :param interval: the time from an acknowledgement to the next message; None sends none.
    """

    def __init__(self, client: int, counts: WebSocketCounts, interval: float | None) -> None:
        self._client, self._counts, self._interval = client, counts, interval
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._upgraded = False
        self._closed_by = ""
        self.opened: asyncio.Future[bool] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        """Read the handshake and the frames, which are short."""
        self._buffer += data
        if not self._upgraded:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._closed_by = head[:12].decode("latin-1")
                self._transport.close()
                return
            self._buffer, self._upgraded = rest, True
            self._counts.open += 1
            self.opened.set_result(True)
            self._send_next()
        while len(self._buffer) >= 2 and len(self._buffer) >= 2 + self._buffer[1]:
            size = 2 + self._buffer[1]
            message, self._buffer = self._buffer[:size], self._buffer[size:]
            self._on_frame(message[0], message[2:])

    def _on_frame(self, first: int, payload: bytes) -> None:
        if first == _TEXT:
            self._counts.acknowledged[self._client] = int(payload.split(b":")[1])
            if self._interval is not None:
                self._loop.call_later(self._interval, self._send_next)
        elif first == _CLOSE and not self._closed_by:
            self._closed_by = str(struct.unpack("!H", payload[:2])[0]) if payload else "no code"
            self._counts.close_times.append(time.monotonic())
            self._transport.write(frame(_CLOSE, payload[:2]))

    def _send_next(self) -> None:
        if self._interval is not None and not self._closed_by and not self._transport.is_closing():
            number = self._counts.acknowledged.get(self._client, 0) + 1
            self._transport.write(frame(_TEXT, f"{self._client}:{number}".encode()))

    def close(self) -> None:
        """Close the connection as a client does."""
        if not self._closed_by:
            self._closed_by = "by the client"
            self._transport.write(frame(_CLOSE, struct.pack("!H", 1000)))

    def connection_lost(self, error: Exception | None) -> None:
        """Record the end."""
        reason = self._closed_by or "no close frame"
        if error is not None:
            reason += ", then reset"
        if self._upgraded:
            self._counts.closes[reason] += 1
            self._counts.open -= 1
        else:
            self._counts.handshakes_failed[reason] += 1
            self.opened.set_result(False)
        self.ended.set_result(None)


class _Client:
    def __init__(self, number: int, target: Target, counts: WebSocketCounts, interval: float | None) -> None:
        self._arguments = (number, counts, interval)
        self._target = target
        self._stopping = False
        self._connection: Connection | None = None

    async def run(self, handshakes: asyncio.Semaphore, reconnects: bool) -> None:
        counts = self._arguments[1]
        while not self._stopping:
            async with handshakes:
                try:
                    connection = await self._target.connect(lambda: Connection(*self._arguments))
                    opened = await asyncio.wait_for(connection.opened, _TIMEOUT)
                except OSError as error:
                    counts.handshakes_failed[type(error).__name__] += 1
                    opened = False
            if opened:
                self._connection = connection
                if self._stopping:
                    connection.close()
                await connection.ended
                if not reconnects:
                    return
            else:
                await asyncio.sleep(_PAUSE)

    def stop(self) -> None:
        self._stopping = True
        if self._connection is not None and not self._connection.ended.done():
            self._connection.close()


@contextlib.asynccontextmanager
async def websockets(
    target: Target, number: int, interval: float | None = 0.5, *, reconnects: bool = True
) -> AsyncIterator[WebSocketCounts]:
    """Hold `number` connections open inside the block."""
    counts = WebSocketCounts()
    if not number:
        yield counts
        return
    handshakes = asyncio.Semaphore(_MAX_HANDSHAKES)
    clients = [_Client(each, target, counts, interval) for each in range(number)]
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(client.run(handshakes, reconnects)) for client in clients]
        try:
            await until(lambda: counts.open == number, 60.0)
            yield counts
        finally:
            for client in clients:
                client.stop()
            _, pending = await asyncio.wait(running, timeout=10)
            for task in pending:
                task.cancel()


def store_in(folder: Path) -> Path:
    """Return the path of the file in which a program stores the messages."""
    return Path(os.path.join(folder, "store"))
