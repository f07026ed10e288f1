"""The measurements of one server."""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.instructions import counting, wrapper
from benchmarks.macro.server.load import rounds
from benchmarks.macro.server.process import Server, running
from benchmarks.macro.websocket.load import Client, broadcasts, clients, echoes, masked
from benchmarks.peers import Peer

ECHOING = 64
RECEIVERS = 1000
_ECHO = masked(b"x" * 32)
_SMALL = masked(b"1")
#: The size of a message for the stalled client, in units of 64 bytes: 16 KiB.
_LARGE_TIMES = 256
_LARGE = masked(b"%d" % _LARGE_TIMES)
_UNIT = 64
_DONE = len("done")
#: The number of broadcasts per figure: for CPU time and delays, and under callgrind.
_BROADCASTS, _COUNTED_BROADCASTS = 100, 3
#: The number of rounds of echoes under callgrind.
_ROUNDS = 10
#: The number of counted parts; the median excludes parts with a garbage collection.
_PARTS = 5
#: The number of broadcasts that fill the kernel's buffers for a client that does not read (about 4 MB), and
#: the number of broadcasts that are measured afterwards.
_FILLING, _LARGE_BROADCASTS = 260, 40


def echo_cpu(server: Server, seconds: float) -> float:
    """Return CPU microseconds per echo."""
    with clients(server.port, "/echo", ECHOING, 32) as opened:
        echoes(opened, _ECHO, seconds / 4)
        before = server.cpu_seconds()
        count = echoes(opened, _ECHO, seconds)
        return (server.cpu_seconds() - before) / count * 1e6


def broadcast_cpu(server: Server, path: str) -> float:
    """Return CPU microseconds per delivery."""
    with _receivers(server, path) as (control, feeds):
        broadcasts(control, feeds, _SMALL, _BROADCASTS // 10)
        before = server.cpu_seconds()
        broadcasts(control, feeds, _SMALL, _BROADCASTS)
        return (server.cpu_seconds() - before) / (_BROADCASTS * len(feeds)) * 1e6


def instructions(peer: Peer, path: str) -> float:
    """Return user-space instructions per echo or per delivery."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(peer, wrapper=wrapper(folder)) as server:
            if path == "/echo":
                with clients(server.port, path, ECHOING, 32) as opened:
                    return _counted(
                        server,
                        folder,
                        lambda: rounds(opened, itertools.repeat(_ECHO), _ROUNDS, pid=server.pid),
                    )
            with _receivers(server, path) as (control, feeds):
                return _counted(
                    server, folder, lambda: len(broadcasts(control, feeds, _SMALL, _COUNTED_BROADCASTS))
                )


def _counted(server: Server, folder: Path, work: Callable[[], int]) -> float:
    work()
    figures = []
    for _ in range(_PARTS):
        with counting(server.pid, folder) as count:
            done = work()
        figures.append(count.value / done)
    return statistics.median(figures)


def delay(server: Server, path: str, stalled: bool) -> float:
    """Return the 99th percentile of the delivery time of 16 KiB in milliseconds, optionally with a stalled
    client.
    """
    with _receivers(server, path, _LARGE_TIMES) as (control, feeds), _silent(server, stalled):
        broadcasts(control, feeds, _LARGE, _FILLING)
        taken = broadcasts(control, feeds, _LARGE, _LARGE_BROADCASTS)
        return statistics.quantiles(taken, n=100)[-1] * 1e3


@contextmanager
def _silent(server: Server, stalled: bool) -> Iterator[None]:
    with clients(server.port, "/feed", 1 if stalled else 0) as silent:
        for client in silent:
            client.read_nothing()
        yield


@contextmanager
def _receivers(server: Server, path: str, times: int = 1) -> Iterator[tuple[Client, list[Client]]]:
    """Open a connection that triggers broadcasts, and the connections that receive them."""
    with (
        clients(server.port, "/feed", RECEIVERS, times * _UNIT) as feeds,
        clients(server.port, path, 1, _DONE) as (control,),
    ):
        yield control, feeds


def idle_memory(server: Server, path: str, count: int) -> float:
    """Return the server's memory in bytes per idle WebSocket."""
    with clients(server.port, path, 500):
        pass
    before = server.memory()
    with clients(server.port, path, count):
        return (server.memory() - before) / count
