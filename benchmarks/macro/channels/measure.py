"""The measurements of one program."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.instructions import counting, wrapper
from benchmarks.macro.channels.broker import Publisher, publisher, redis_server
from benchmarks.macro.channels.load import Subscriber, connect_at_once, subscribers
from benchmarks.macro.server.process import Server, running
from benchmarks.peers import Peer

#: Deliveries per figure of CPU time, and the number of counted messages under callgrind.
_DELIVERIES, _COUNTED = 100_000, 3
#: Subscribers that are connected for a figure of the CPU time of a connection, how many of them at a time,
#: and how often this is repeated; the first time is not counted.
_CONNECTS, _AT_ONCE, _ROUNDS = 1_000, 100, 8
#: For `slowest_delivery`: the size of a message, the number of messages, and the subscribers that read.
_LARGE, _MESSAGES, _BESIDE = 4096, 2_000, 200
_numbers = itertools.count(1)


def delivery_cpu(peer: Peer, count: int) -> float:
    """Return the server's CPU microseconds per delivery, with `count` subscribers."""
    with _serving(peer) as (server, publishing), subscribers(server.port, peer.name, count) as opened:
        messages = max(_DELIVERIES // count, 5)
        _deliver(publishing, opened, max(messages // 10, 2))
        before = server.cpu_seconds()
        _deliver(publishing, opened, messages)
        return (server.cpu_seconds() - before) / (messages * count) * 1e6


def delivery_instructions(peer: Peer, count: int) -> float:
    """Return the server's user-space instructions per delivery."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            _serving(peer, wrapper(folder)) as (server, publishing),
            subscribers(server.port, peer.name, count) as opened,
        ):
            _deliver(publishing, opened, _COUNTED)
            figures = []
            for _ in range(_COUNTED):
                with counting(server.pid, folder) as counted:
                    _deliver(publishing, opened, _COUNTED)
                figures.append(counted.value / (_COUNTED * count))
            return statistics.median(figures)


def idle_memory(peer: Peer, count: int) -> float:
    """Return the server's memory in bytes per idle subscriber."""
    with _serving(peer) as (server, _):
        with subscribers(server.port, peer.name, 500):
            pass
        before = server.memory()
        with subscribers(server.port, peer.name, count):
            return (server.memory() - before) / count


def connect_cpu(peer: Peer) -> float:
    """Return the server's CPU microseconds to accept and subscribe a client."""
    with _serving(peer) as (server, _):
        with subscribers(server.port, peer.name, _CONNECTS // 4):
            pass
        before = server.cpu_seconds()
        with subscribers(server.port, peer.name, _CONNECTS):
            return (server.cpu_seconds() - before) / _CONNECTS * 1e6


def connect_at_once_cpu(peer: Peer) -> float:
    """Return the server's CPU microseconds to accept and subscribe a client, if many connect at a time."""
    with _serving(peer) as (server, _):
        figures = []
        for _ in range(_ROUNDS):
            before = server.cpu_seconds()
            opened = connect_at_once(server.port, peer.name, _CONNECTS, _AT_ONCE)
            figures.append((server.cpu_seconds() - before) / _CONNECTS * 1e6)
            for each in opened:
                each.close()
            time.sleep(0.5)  # the server ends the sessions
        # The mean, because the kernel counts CPU time in units of 10 us a connection.
        return statistics.fmean(figures[1:])


def slowest_delivery(peer: Peer, stuck: int) -> tuple[float, float]:
    """Publish messages of 4 KiB to 200 subscribers, and to `stuck` more that never read.

    :returns: the median time until the last of the 200 has received a message, in milliseconds; and the
        growth of the server's memory in bytes.
    """
    peer = replace(peer, environment={**peer.environment, "BENCH_SIZE": str(_LARGE)})
    with (
        _serving(peer) as (server, publishing),
        subscribers(server.port, peer.name, stuck) as never_read,
        subscribers(server.port, peer.name, _BESIDE) as opened,
    ):
        for each in never_read:
            each.read_nothing()
        _deliver(publishing, opened, 100)
        before = server.memory()
        times = []
        for _ in range(_MESSAGES):
            begun = time.perf_counter()
            _deliver(publishing, opened, 1)
            times.append(time.perf_counter() - begun)
        return statistics.median(times) * 1e3, server.memory() - before


def _deliver(publishing: Publisher, opened: list[Subscriber], messages: int) -> None:
    """Publish messages one after the other, each when all subscribers have received the previous one."""
    for _ in range(messages):
        number = next(_numbers)
        publishing.publish(number)
        for each in opened:
            found = each.receive_number()
            if found != number:
                raise RuntimeError(f"a subscriber received message {found} instead of {number}")


@contextmanager
def _serving(peer: Peer, command: list[str] | None = None) -> Iterator[tuple[Server, Publisher]]:
    with redis_server() as url:
        peer = replace(peer, environment={**peer.environment, "BENCH_REDIS": url})
        with running(peer, wrapper=command or ()) as server, publisher(peer) as publishing:
            yield server, publishing


#: The metrics that are measured with each number of subscribers.
BY_SUBSCRIBERS: dict[str, Callable[[Peer, int], float]] = {
    "cpu": delivery_cpu,
    "instructions": delivery_instructions,
}
