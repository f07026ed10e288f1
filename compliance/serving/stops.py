"""SIGTERM during requests, and with open WebSockets."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from compliance.serving.figures import Figures, rounded
from compliance.serving.load import load
from compliance.serving.process import Running
from compliance.serving.servers import Server
from compliance.serving.target import Target
from compliance.serving.waiting import until
from compliance.serving.websockets import websockets

#: The steps of the sweep, and the time of one, in seconds.
STEPS = 220
STEP = 0.001
#: A request that takes 200 ms: 60 ms to send it in four parts, 90 ms in the handler, 50 ms for the response.
_PARTS = (
    b"POST /stream HTTP/1.1\r\nHo",
    b"st: localhost\r\nContent-Length: 20\r\n\r\n",
    b"x" * 10,
    b"x" * 10,
)
_PART_TIME = 0.02
#: The time in which the clients set their timers before the first request, in seconds.
_LEAD = 0.3
#: A client that opens a connection must send its request within this time, in seconds. Servers close
#: connections that have been silent for longer; Waterspout does so after a second.
_MAX_LATENESS = 0.5
#: The number of connections of the load.
_CLIENTS = 32
_GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: The maximum time for an answer, and for a server to end, in seconds.
_TIMEOUT = 30.0


@dataclass
class Sweep:
    """What the clients of a sweep have seen.

    :ivar failures: the number of requests without a complete answer, by the reason.
    :ivar late: the number of requests that were sent too late after their connection had been opened, because
        the machine was busy: to the server, such a client is silent.
    :ivar lost: for each such request, the milliseconds from its begin to the signal.
    """

    requests: int = 0
    late: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    lost: list[int] = field(default_factory=list)


async def _receive(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head[:-4].split(b"\r\n")[1:])
    await reader.readexactly(int(fields[b"content-length"]))
    return head


async def _sleep_until(moment: float) -> None:
    """Wait for a time of the event loop's clock."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_at(moment, future.set_result, None)
    await future


class _Client:
    """One request of a sweep.

    A third of the connections are opened for the request, a third before, and a third have been used before.

    :param number: the number of its step: it begins that many milliseconds after `begin`.
    """

    def __init__(self, target: Target, sweep: Sweep, number: int) -> None:
        self._target, self._sweep, self._number = target, sweep, number

    async def run(self, ready: asyncio.Barrier, begin: asyncio.Future[float]) -> None:
        if self._number % 3:
            reader, writer = await self._target.open()
            if self._number % 3 == 2:
                writer.write(_GET)
                await _receive(reader)
        await ready.wait()
        await _sleep_until(await begin + self._number * STEP)
        began = time.monotonic()
        try:
            if not self._number % 3:
                reader, writer = await self._target.open()
            if time.monotonic() - began > _MAX_LATENESS:
                self._sweep.late += 1
                writer.close()
                return
            self._sweep.requests += 1
            async with asyncio.timeout(_TIMEOUT):
                await self._exchange(reader, writer)
        except asyncio.IncompleteReadError as error:
            self._fail("closed" + (" in the answer" if error.partial else ""))
        except OSError as error:  # also of the connection itself, which then counts as a request
            self._fail(type(error).__name__)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for part in _PARTS:
                writer.write(part)
                await asyncio.sleep(_PART_TIME)
            head = await _receive(reader)
        finally:
            writer.close()
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(head[:12].decode("latin-1"))

    def _fail(self, reason: str) -> None:
        self._sweep.failures[reason] += 1
        self._sweep.lost.append(STEPS - self._number)


async def sweep(server: Server, **running: Any) -> Figures:
    """Send SIGTERM to a server with requests that have begun 1 to 220 ms before, in steps of 1 ms."""
    counts = Sweep()
    loop = asyncio.get_running_loop()
    ready, begin = asyncio.Barrier(STEPS + 1), loop.create_future()
    async with Running(server, **running) as service, asyncio.TaskGroup() as group:
        for number in range(STEPS):
            group.create_task(_Client(service.target, counts, number).run(ready, begin))
        await ready.wait()
        # All times are relative to this one: on a busy machine, a delay must not let a request begin after
        # the signal. The event loop runs timers in the order of their times.
        start = loop.time() + _LEAD
        begin.set_result(start)
        await _sleep_until(start + STEPS * STEP)
        service.signal(signal.SIGTERM)
        seconds = await service.until_ended(_TIMEOUT)
        status = service.status
    return {
        "requests": counts.requests,
        "late": counts.late,
        "failed": sum(counts.failures.values()),
        "failures": dict(counts.failures),
        "lost_after_ms": sorted(counts.lost),
        "seconds": rounded(seconds),
        "status": status,
    }


async def websockets_at_stop(server: Server, number: int = 100, **running: Any) -> Figures:
    """Send SIGTERM to a server with open WebSockets."""
    async with Running(server, **running) as service:
        async with websockets(service.target, number, None, reconnects=False) as counts:
            began = time.monotonic()
            service.signal(signal.SIGTERM)
            seconds = await service.until_ended(_TIMEOUT)
        status = service.status
    return {
        "websockets": number,
        "closes": dict(counts.closes),
        "last_close_seconds": rounded(
            max(counts.close_times, default=began) - began if counts.close_times else None
        ),
        "seconds": rounded(seconds),
        "status": status,
    }


async def stop_under_load(server: Server, **running: Any) -> Figures:
    """Send SIGTERM under the load of kept-alive connections, with one request that takes another second.

    After `Connection: close`, the clients open new connections. The server should refuse them: one that is
    accepted by the kernel only waits, and is reset when the server ends.
    """
    async with Running(server, **running) as service:
        async with load(service.target, _CLIENTS) as counts:
            await until(lambda: counts.requests > 500, _TIMEOUT)
            waiting = asyncio.create_task(service.ask("/wait?seconds=1.2"))
            await asyncio.sleep(0.2)
            service.signal(signal.SIGTERM)
            seconds = await service.until_ended(_TIMEOUT)
        [answer] = await asyncio.gather(waiting, return_exceptions=True)
        status = service.status
    return {
        "requests": counts.requests,
        "failed": counts.failed,
        "failures": dict(counts.failures),
        "resets": counts.resets,
        "refused": counts.refused,
        "answered": isinstance(answer, bytes),
        "seconds": rounded(seconds),
        "status": status,
    }
