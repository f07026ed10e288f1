"""Several threads, each with an event loop that serves and fetches, and the sums that must agree."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import ssl
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trustme

from compliance.threads.application import make_application, write_files
from compliance.threads.client import Client, Ports
from tornado import web
from tornado.channels._counts import counts
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web._observation._message_counts import message_counts

__all__ = ["Outcome", "run"]

_TIMEOUT = 60.0


@dataclasses.dataclass
class Outcome:
    """The result of a run.

    :ivar threads: the number of threads.
    :ivar seconds: the duration.
    :ivar done: the number of scenarios by name.
    :ivar requests: the number of responses by status code.
    :ivar errors: the exceptions, and the sums that do not agree.
    """

    threads: int
    seconds: float = 0.0
    done: Counter[str] = dataclasses.field(default_factory=Counter)
    requests: Counter[int] = dataclasses.field(default_factory=Counter)
    errors: list[str] = dataclasses.field(default_factory=list)


class _Totals:
    """The counts of the process, to be compared before and after a run."""

    def __init__(self) -> None:
        self.received = message_counts.received
        self.sent = message_counts.sent
        self.published, self.delivered = counts.published, counts.delivered


class _Worker(threading.Thread):
    """A thread that serves and fetches.

    :param servers: waits until all threads serve, and until all have finished.
    :param ports: the ports of all threads; each sets its own.
    """

    def __init__(self, number: int, shared: _Shared) -> None:
        super().__init__(name=f"loop {number}")
        self._number = number
        self._shared = shared
        self.client: Client | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve_and_fetch())
        except BaseException as error:
            self.error = error
            self._shared.stop()

    async def _serve_and_fetch(self) -> None:
        shared = self._shared
        shared.begun.append((asyncio.get_running_loop(), asyncio.current_task()))
        plain = HTTPServer(shared.application)
        secure = HTTPServer(shared.application, ssl_options=shared.server_context)
        ports = []
        for server in (plain, secure):
            sockets = bind_sockets(0, "127.0.0.1")
            server.add_sockets(sockets)
            ports.append(sockets[0].getsockname()[1])
        shared.ports[self._number] = (ports[0], ports[1])
        await self._meet()
        self.client = Client(self._number, shared.ports, shared.client_context)
        await self.client.run(shared.goes_on)
        await self._meet()
        for server in (plain, secure):
            server.stop()
            await server.close_all_connections()

    async def _meet(self) -> None:
        """Wait until all threads have come here. The event loop continues to serve the others."""
        await asyncio.to_thread(self._shared.barrier.wait, None)


class _Shared:
    """What all threads use.

    :param goes_on: whether a thread runs another round, given the number of those it has run.
    """

    def __init__(self, threads: int, folder: Path, goes_on: Callable[[int], bool]) -> None:
        (folder / "static").mkdir()
        write_files(folder / "static")
        self.access_log = folder / "access.log"
        self.application: web.Application = make_application(folder / "static", self.access_log)
        self.barrier = threading.Barrier(threads)
        self.goes_on = goes_on
        #: The event loop and the task of each thread.
        self.begun: list[tuple[asyncio.AbstractEventLoop, Any]] = []
        self.ports: list[Ports] = [(0, 0)] * threads
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(self.server_context)
        self.client_context = ssl.create_default_context()
        authority.configure_trust(self.client_context)

    def stop(self) -> None:
        """End all threads, because one has failed: the others would wait for its server."""
        self.barrier.abort()
        for loop, task in list(self.begun):
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(task.cancel)


def run(
    threads: int = 4,
    *,
    rounds: int | None = None,
    seconds: float = 60.0,
    switch_interval: float | None = None,
) -> Outcome:
    """Run the threads until each has made a number of rounds, or for a time.

    :param rounds: the number of rounds; None to run for `seconds`.
    :param switch_interval: the time in seconds after which a build with a GIL changes the thread; None to
        leave it unchanged.
    """
    interval = sys.getswitchinterval()
    if switch_interval is not None:
        sys.setswitchinterval(switch_interval)
    begun = time.monotonic()
    outcome = Outcome(threads)
    try:
        with tempfile.TemporaryDirectory() as folder:
            end = begun + seconds
            shared = _Shared(
                threads,
                Path(folder),
                (lambda done: done < rounds) if rounds is not None else (lambda done: time.monotonic() < end),
            )
            before = _Totals()
            workers = [_Worker(number, shared) for number in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            writer = shared.application.observer.access_log.writer
            writer.close()
            _collect(outcome, workers)
            if not outcome.errors:
                _compare(outcome, shared, before, [worker.client for worker in workers if worker.client])
    finally:
        sys.setswitchinterval(interval)
    outcome.seconds = time.monotonic() - begun
    return outcome


def _collect(outcome: Outcome, workers: list[_Worker]) -> None:
    for worker in workers:
        if worker.error is not None and not isinstance(
            worker.error, (asyncio.CancelledError, threading.BrokenBarrierError)
        ):
            text = "".join(traceback.format_exception(worker.error)[-3:]).rstrip()
            outcome.errors.append(f"{worker.name}: {text}")
        if worker.client is not None:
            outcome.done += worker.client.done
            outcome.requests += worker.client.requests


def _compare(outcome: Outcome, shared: _Shared, before: _Totals, clients: list[Client]) -> None:
    """Compare what the clients have counted with the metrics and with the access log."""
    observer: Any = shared.application.observer
    by_status: Counter[int] = Counter()
    received = 0
    for _, _, status, (_, durations), (received_size, _), _ in observer.metrics.as_json():
        by_status[status] += sum(durations)
        received += received_size
    messages = sum(client.messages for client in clients)
    published = sum(client.published for client in clients)
    after = _Totals()
    lines = [json.loads(line) for line in shared.access_log.read_text().splitlines()]
    logged = Counter(line["status"] for line in lines)
    answered = outcome.requests + Counter({400: sum(client.malformed for client in clients)})
    for name, found, expected in (
        ("requests by status in the metrics", by_status, answered),
        ("bytes of request bodies in the metrics", received, sum(client.sent for client in clients)),
        ("requests in flight", len(observer.in_flight), 0),
        ("received WebSocket messages", after.received - before.received, 2 * messages),
        ("sent WebSocket messages", after.sent - before.sent, 2 * messages),
        ("published messages", after.published - before.published, published),
        ("delivered messages", after.delivered - before.delivered, published),
        ("lines of the access log by status", logged, answered),
        ("lost lines of the access log", observer.access_log.writer.lost, 0),
    ):
        if found != expected:
            outcome.errors.append(f"{name}: {found}, expected {expected}")
    identifiers = Counter(line["request_id"] for line in lines)
    if identifiers and identifiers.most_common(1)[0][1] > 1:
        outcome.errors.append(f"request identifiers that were used twice: {identifiers.most_common(3)}")
