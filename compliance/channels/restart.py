"""A rolling restart of the production command while many clients receive messages.

The clients are small, so that one process can have thousands: a WebSocket that parses the text messages of a
server, and reconnects with its position as the protocol demands.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from tests.support.supervisor import SupervisedService
from tornado.channels import Hub, RedisBroker

_SOURCE = """
import contextlib

from tornado import web
from tornado.channels import ChannelHandler, Hub, RedisBroker

hub = Hub(RedisBroker({url!r}))


@contextlib.asynccontextmanager
async def lifespan(application):
    async with hub:
        yield


application = web.Application([("/channels", ChannelHandler, {{"hub": hub}})], lifespan=lifespan)
"""
_HANDSHAKE = (
    b"GET /channels HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
#: The number of clients of one channel.
_CLIENTS_OF_A_CHANNEL = 100
#: The time limit for the connection of all clients, and for everything after the last message, in seconds.
_WITHIN = 60.0
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
#: The longest delay before a client reconnects to a server that restarts, in seconds.
_RESTART_DELAY = 5.0


@dataclass
class RestartResult:
    """The result of one test.

    :ivar expected: the number of messages that all clients together must receive.
    :ivar rate: the highest number of reconnections in a second.
    """

    clients: int
    published: int = 0
    expected: int = 0
    received: int = 0
    reconnected: int = 0
    rate: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        codes = ", ".join(f"{number} with {code}" for code, number in sorted(self.codes.items()))
        return (
            f"{self.clients} clients, {self.published} messages, "
            f"{self.received} received of {self.expected}; closed: {codes}; "
            f"{self.reconnected} reconnected, at most {self.rate} in a second; "
            f"{len(self.problems)} problems"
        )


class _Client(asyncio.Protocol):
    """A WebSocket that is subscribed to one channel, and connects again until `end`."""

    def __init__(self, port: int, channel: str, result: RestartResult, connected: Callable[[], None]) -> None:
        self._port, self._channel, self._result, self._connected = port, channel, result, connected
        self._transport: asyncio.Transport | None = None
        self._input = b""
        self._is_open = self._is_over = False
        self._code = 1006
        self.position: str | None = None
        self.last = -1
        self._task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Connect, and try again if this fails."""
        self._input, self._is_open, self._code = b"", False, 1006
        while True:
            try:
                await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)
                return
            except OSError:
                await asyncio.sleep(random.uniform(0.25, 0.5))

    def end(self) -> None:
        """Disconnect."""
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        request = {"type": "subscribe", "channel": self._channel}
        if self.position is not None:
            request["position"] = self.position
        transport.write(_HANDSHAKE + _frame(_TEXT, json.dumps(request).encode()))

    def data_received(self, data: bytes) -> None:
        self._input += data
        if not self._is_open:
            head, end, rest = self._input.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head[:20]:
                self._abort()  # the server ends: another one accepts the next connection
                return
            self._is_open, self._input = True, rest
        while (found := _take(self._input)) is not None:
            opcode, payload, self._input = found
            if opcode == _TEXT:
                self._receive(json.loads(payload))
            elif opcode == _PING:
                self._write(_frame(_PONG, payload))
            elif opcode == _CLOSE:
                self._code = int.from_bytes(payload[:2], "big") if payload else 1005
                self._write(_frame(_CLOSE, payload[:2]))

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def _abort(self) -> None:
        assert self._transport is not None
        self._transport.abort()

    def _receive(self, found: dict[str, object]) -> None:
        kind = found["type"]
        if kind == "subscribed":
            self.position = str(found["position"])
            self._connected()
        elif kind == "message":
            self.position = str(found["position"])
            number = found["data"]
            assert isinstance(number, int)
            if number != self.last + 1:
                self._result.problems.append(
                    f"a client of {self._channel} received {number} after {self.last}"
                )
            self.last = number
            self._result.received += 1
        elif kind in ("gap", "error"):
            self._result.problems.append(f"a client of {self._channel} received {found}")

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if not self._is_over:
            self._result.codes[self._code] += 1
            self._task = asyncio.ensure_future(self._reconnect())

    async def _reconnect(self) -> None:
        await asyncio.sleep(random.uniform(0, _RESTART_DELAY if self._code == 1012 else 0.5))
        await self.connect()


def _frame(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame of at most 125 bytes, with a mask of zeros."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


def _take(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Return the opcode and the payload of the first frame, and the rest; None if it is incomplete."""
    if len(data) < 4 and (len(data) < 2 or data[1] == 126):
        return None
    size, start = data[1], 2
    if size == 126:
        size, start = int.from_bytes(data[2:4], "big"), 4
    if len(data) < start + size:
        return None
    return data[0] & 15, data[start : start + size], data[start + size :]


async def run_restart(url: str, folder: Path, count: int, rate: float, before: float = 2.0) -> RestartResult:
    """Replace both workers while messages are published, and wait until all clients have everything.

    :param url: the URL of the Redis server.
    :param rate: the number of messages per second, in all channels together.
    :param before: the time from the connection of the clients to the restart, in seconds.
    """
    result = RestartResult(count)
    channels = [f"room {number}" for number in range(max(1, count // _CLIENTS_OF_A_CHANNEL))]
    connections: list[float] = []
    with SupervisedService(folder, "--workers=2", source=_SOURCE.format(url=url)) as service:
        async with Hub(RedisBroker(url)) as hub:
            clients = [
                _Client(
                    service.number,
                    channels[number % len(channels)],
                    result,
                    lambda: connections.append(monotonic()),
                )
                for number in range(count)
            ]
            try:
                await _begin(clients, connections)
                publishing = asyncio.ensure_future(_publish(hub, channels, rate, result))
                await asyncio.sleep(before)
                started = monotonic()
                service.signal(signal.SIGHUP)
                await asyncio.to_thread(service.wait_for, "reload complete")
                await _until(lambda: len(connections) >= 2 * count)
                await asyncio.sleep(before)
                publishing.cancel()
                await asyncio.wait([publishing])
                last = [result.published // len(channels)] * len(channels)
                for index in range(result.published % len(channels)):
                    last[index] += 1
                result.expected = sum(last[number % len(channels)] for number in range(count))
                await _until(lambda: result.received >= result.expected)
                reconnections = [time for time in connections if time > started]
                result.reconnected = len(reconnections)
                result.rate = max(Counter(int(time - started) for time in reconnections).values(), default=0)
            finally:
                for client in clients:
                    client.end()
        service.signal(signal.SIGTERM)
        await asyncio.to_thread(service.end)
    return result


async def _begin(clients: list[_Client], connections: list[float]) -> None:
    """Connect the clients, 200 at a time."""
    for begin in range(0, len(clients), 200):
        part = clients[begin : begin + 200]
        await asyncio.gather(*[client.connect() for client in part])
        await _until(lambda: len(connections) >= begin + len(part))  # noqa: B023 (it is awaited here)


async def _publish(hub: Hub, channels: list[str], rate: float, result: RestartResult) -> None:
    """Publish consecutive numbers to the channels in turn."""
    begun = monotonic()
    while True:
        number = result.published
        publishing = asyncio.ensure_future(
            hub.publish(channels[number % len(channels)], number // len(channels))
        )
        result.published += 1
        await asyncio.shield(publishing)
        await asyncio.sleep(begun + result.published / rate - monotonic())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_WITHIN):
        while True:
            if condition():
                return
            await asyncio.sleep(0.05)


__all__ = ["RestartResult", "run_restart"]
