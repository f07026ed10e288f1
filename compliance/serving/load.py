"""Clients with kept-alive connections that send requests without pause.

They count each request without a complete answer. A client does not repeat a request, and it trusts the
server: it opens a new connection only after ``Connection: close`` or the loss of the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from compliance.serving.target import Target

_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: The pause after a refused connection, in seconds.
_PAUSE = 0.005


@dataclass
class Counts:
    """The observations of the clients.

    :ivar requests: the number of requests that were sent.
    :ivar failures: the number of requests without a complete answer, by the reason.
    :ivar resets: the number of connections that ended with an error.
    :ivar refused: the number of connections that were not accepted.
    :ivar answers: the number of answers by their body: the version and the process ID.
    """

    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    resets: int = 0
    refused: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    closed: int = 0

    @property
    def failed(self) -> int:
        """The number of failed requests."""
        return sum(self.failures.values())


class KeptAlive(asyncio.Protocol):
    """One connection that sends the next request after each answer.

    :ivar ended: done when the connection has ended.
    """

    def __init__(self, counts: Counts, stopping: asyncio.Event) -> None:
        self._counts = counts
        self._stopping = stopping
        self._buffer = b""
        self._in_flight = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._counts.requests += 1
        self._in_flight = True
        self._transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        """Read the answer, and send the next request unless the server closes the connection."""
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        lines = head.lower().split(b"\r\n")
        fields = dict(line.split(b": ", 1) for line in lines[1:])
        length = int(fields[b"content-length"])
        if len(rest) < length:
            return
        self._buffer = b""
        self._in_flight = False
        if not lines[0].startswith(b"http/1.1 200"):
            self._counts.failures[lines[0].decode()] += 1
        else:
            self._counts.answers[rest.decode()] += 1
        if fields.get(b"connection") == b"close":
            self._counts.closed += 1
            self._transport.close()
        elif self._stopping.is_set():
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        """Count a request that has not been answered."""
        self._counts.resets += error is not None
        if self._in_flight:
            kind = "connection closed" if error is None else type(error).__name__
            self._counts.failures[f"{kind}{' in the answer' if self._buffer else ''}"] += 1
        self.ended.set_result(None)


async def _client(target: Target, counts: Counts, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            connection = await target.connect(lambda: KeptAlive(counts, stopping))
        except OSError:
            counts.refused += 1
            await asyncio.sleep(_PAUSE)
        else:
            await connection.ended


@contextlib.asynccontextmanager
async def load(target: Target, connections: int) -> AsyncIterator[Counts]:
    """Send requests on `connections` connections inside the block, and wait for the last answers."""
    counts, stopping = Counts(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_client(target, counts, stopping))
        try:
            yield counts
        finally:
            stopping.set()
