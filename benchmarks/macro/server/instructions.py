"""User-space instructions per request."""

from __future__ import annotations

import ssl
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.instructions import counting, method, wrapper
from benchmarks.macro.server.cpu import wrk
from benchmarks.macro.server.load import connections, rounds
from benchmarks.macro.server.process import Server, running
from benchmarks.macro.server.scenarios import Scenario
from benchmarks.peers import Peer

CONNECTIONS = 64
WARM_UP_ROUNDS = 6
#: Under callgrind: the number of rounds per part, and the number of parts.
ROUNDS, PARTS = 5, 5


class Counted:
    """A server whose instructions are counted, for the scenarios that need the same server configuration."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder

    def measure(self, scenario: Scenario, seconds: float, context: ssl.SSLContext | None) -> float:
        """Return the instructions per request."""
        if method() == "perf":
            return self._by_perf(scenario, seconds)
        return self._by_callgrind(scenario, context)

    def _by_perf(self, scenario: Scenario, seconds: float) -> float:
        wrk(self._server.port, scenario, 1.0, CONNECTIONS)
        with counting(self._server.pid, self._folder) as count:
            requests = wrk(self._server.port, scenario, seconds, CONNECTIONS)
        return count.value / requests

    def _by_callgrind(self, scenario: Scenario, context: ssl.SSLContext | None) -> float:
        requests = scenario.requests(self._server.port)
        each = max(ROUNDS // scenario.depth, 1)
        # Some parts contain a garbage collection, so the median of the parts is used.
        figures = []
        with connections(self._server.port, CONNECTIONS, context) as opened:
            rounds(opened, requests, WARM_UP_ROUNDS, scenario.depth, self._server.pid)
            for _ in range(PARTS):
                with counting(self._server.pid, self._folder) as count:
                    answered = rounds(opened, requests, each, scenario.depth, self._server.pid)
                figures.append(count.value / answered)
        return statistics.median(figures)


@contextmanager
def counted(peer: Peer, tls: Path | None, logged: bool) -> Iterator[Counted]:
    """Run the peer's program with counting for the block."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(peer, tls=tls, logged=logged, wrapper=wrapper(Path(folder))) as server,
    ):
        yield Counted(server, Path(folder))
