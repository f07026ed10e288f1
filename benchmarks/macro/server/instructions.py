"""User-space instructions a request: by hardware counters where there are any, else under callgrind."""

from __future__ import annotations

import functools
import re
import shutil
import signal
import ssl
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.macro.server.cpu import wrk
from benchmarks.macro.server.load import connections, rounds
from benchmarks.macro.server.peers import Peer
from benchmarks.macro.server.process import Server, running
from benchmarks.macro.server.scenarios import Scenario

CONNECTIONS = 64
WARM_UP_ROUNDS = 6
#: Under callgrind: so many rounds are counted at a time, so many times.
ROUNDS, PARTS = 5, 5


@functools.cache
def method() -> str:
    """``perf`` where the machine lets instructions be counted, else ``callgrind``, else nothing."""
    if shutil.which("perf"):
        command = ["perf", "stat", "-x,", "-e", "instructions:u", "true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if re.search(r"^\d+,", done.stderr, re.MULTILINE):
            return "perf"
    return "callgrind" if shutil.which("valgrind") else ""


class Counted:
    """A server whose instructions are counted, for scenarios that need the same configuration of it."""

    def __init__(self, server: Server, folder: Path | None) -> None:
        self._server = server
        self._folder = folder

    def measure(self, scenario: Scenario, seconds: float, context: ssl.SSLContext | None) -> float:
        """Instructions a request."""
        if self._folder is None:
            return self._by_perf(scenario, seconds)
        return self._by_callgrind(scenario, context)

    def _by_perf(self, scenario: Scenario, seconds: float) -> float:
        wrk(self._server.port, scenario, 1.0, CONNECTIONS)
        command = ["perf", "stat", "-x,", "-e", "instructions:u", "-p", str(self._server.pid)]
        counter = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        requests = wrk(self._server.port, scenario, seconds, CONNECTIONS)
        counter.send_signal(signal.SIGINT)
        _, report = counter.communicate()
        found = re.search(r"^(\d+),", report, re.MULTILINE)
        if found is None:
            raise RuntimeError(f"perf counted nothing:\n{report}")
        return int(found[1]) / requests

    def _by_callgrind(self, scenario: Scenario, context: ssl.SSLContext | None) -> float:
        request = scenario.request(self._server.port)
        count = max(ROUNDS // scenario.depth, 1)
        # Garbage collections fall into some parts and not into others: the median of the parts.
        figures = []
        with connections(self._server.port, CONNECTIONS, context) as opened:
            rounds(opened, request, WARM_UP_ROUNDS, scenario.depth, self._server.pid)
            self._dump()
            for _ in range(PARTS):
                requests = rounds(opened, request, count, scenario.depth, self._server.pid)
                figures.append(self._dump() / requests)
        return statistics.median(figures)

    def _dump(self) -> int:
        """Instructions since the last call."""
        assert self._folder is not None
        before = set(self._folder.glob("out.*"))
        subprocess.run(
            ["callgrind_control", "--dump", str(self._server.pid)], check=True, capture_output=True
        )
        total = 0
        for path in set(self._folder.glob("out.*")) - before:
            found = re.search(r"^(?:totals|summary): (\d+)", path.read_text(errors="replace"), re.MULTILINE)
            total += int(found[1]) if found else 0
        return total


@contextmanager
def counted(peer: Peer, tls: Path | None, logged: bool) -> Iterator[Counted]:
    """The peer's program with its instructions counted, for the block."""
    if method() == "perf":
        with running(peer, tls=tls, logged=logged) as server:
            yield Counted(server, None)
        return
    with tempfile.TemporaryDirectory() as folder:
        wrapper = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        with running(peer, tls=tls, logged=logged, wrapper=wrapper) as server:
            yield Counted(server, Path(folder))
