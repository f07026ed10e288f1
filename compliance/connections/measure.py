"""Run a server and its clients, each in its own process: open, hold and close the connections."""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compliance.connections.herd import TIMEOUT, Plan

ROOT = Path(__file__).resolve().parents[2]
#: The number of connections in a client process.
SHARE = 4_000
#: The number of file descriptors that a process needs in addition to its connections.
SPARE = 50


@dataclass
class Outcome:
    """The results of a plan.

    :ivar opened: the number of connections that were open at the same time.
    :ivar held: the number of connections that were still open after all messages.
    :ivar errors: the number of errors by description.
    :ivar latencies: the seconds from each message to its echo, sorted.
    :ivar seconds: the time at the start, with all connections open, after all messages, and with all
        connections closed.
    :ivar states: the state of the server at the same times; empty if `url` names another server.
    """

    plan: Plan
    opened: int = 0
    held: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    states: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def problems(self) -> list[str]:
        """Return a description of each deviation from the plan."""
        plan, found = self.plan, [f"{count} times: {error}" for error, count in self.errors.items()]
        echoes = plan.connections * plan.rounds
        for name, count, wanted in (
            ("connections opened", self.opened, plan.connections),
            ("connections held to the end", self.held, plan.connections),
            ("echoes", len(self.latencies), echoes),
        ):
            if count != wanted:
                found.append(f"{name}: {count:,} of {wanted:,}")
        if self.states and self.states[-1]["closed"] != self.states[-1]["opened"]:
            found.append("calls of open(): {opened:,}; of on_close(): {closed:,}".format(**self.states[-1]))
        return found

    def percentile(self, part: float) -> float:
        """Return the seconds within which a fraction `part` of the echoes arrived; NaN without any."""
        if not self.latencies:
            return math.nan
        return self.latencies[min(int(part * len(self.latencies)), len(self.latencies) - 1)]


class Process:
    """A process that runs a module of this package and communicates in lines; a context manager that ends
    it.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"compliance.connections.{module}", *arguments]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            self._process.kill()
        self._process.communicate()

    def write_line(self, line: object = "") -> None:
        """Write a line to the standard input of the process."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def use_real_time_scheduling(self) -> None:
        """Set real-time scheduling if permitted, so that other processes do not delay the echoes."""
        if hasattr(os, "sched_setscheduler"):
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(self._process.pid, os.SCHED_RR, os.sched_param(1))

    def read_json(self) -> Any:
        """Read a line of JSON from the standard output of the process.

        :raises RuntimeError: if the process has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} has ended with status {self._process.wait()}")
        return json.loads(line)


def check_limit(plan: Plan, ours: bool) -> None:
    """Check that the limit on file descriptors is high enough for a process.

    :param ours: whether the server is ours, so that one process holds all connections.
    :raises ValueError: if the limit is too low.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = (plan.connections if ours else min(plan.connections, SHARE)) + SPARE
    if hard not in (resource.RLIM_INFINITY, -1) and hard < needed:
        raise ValueError(
            f"a process needs {needed:,} file descriptors, but its hard limit is {hard:,} (ulimit -Hn)"
        )


def run_plan(plan: Plan, url: str | None = None, *, real_time: bool = False) -> Outcome:
    """Carry out a plan.

    :param url: the URL of another echo server; None for our server.
    :param real_time: whether to use real-time scheduling while the connections are held.
    :raises ValueError: if the limit on file descriptors is too low.
    :raises RuntimeError: if a process ends prematurely.
    """
    check_limit(plan, url is None)
    outcome = Outcome(plan)
    with ExitStack() as stack:
        server = None
        if url is None:
            server = stack.enter_context(Process("server"))
            url = f"ws://127.0.0.1:{server.read_json()}/"

        _record(outcome, server)
        count = max(1, math.ceil(plan.connections / SHARE))
        common = (url, str(plan.connections), str(plan.period), str(plan.rounds))
        clients = [
            stack.enter_context(Process("client", *common, str(first), str(count))) for first in range(count)
        ]
        outcome.opened = sum(client.read_json() for client in clients)
        _record(outcome, server)
        if real_time:
            for process in [*clients, *([server] if server is not None else [])]:
                process.use_real_time_scheduling()
        start = time.monotonic()
        for client in clients:
            client.write_line(start)
        outcome.held = sum(client.read_json() for client in clients)
        _record(outcome, server)
        for client in clients:
            client.write_line()
        for client in clients:
            report = client.read_json()
            outcome.errors.update(report["errors"])
            outcome.latencies += report["latencies"]
        _record(outcome, server)
        if server is not None:
            _wait_for_on_close(outcome.states, server)
    outcome.latencies.sort()
    return outcome


def _record(outcome: Outcome, server: Process | None) -> None:
    """Record the time and the state of our server."""
    outcome.seconds.append(time.monotonic())
    if server is not None:
        server.write_line()
        outcome.states.append(server.read_json())


def _wait_for_on_close(states: list[dict[str, float]], server: Process) -> None:
    """Wait until the server has called all `on_close` methods, which may happen after the client has closed
    the connections.
    """
    end = time.monotonic() + TIMEOUT
    while states[-1]["closed"] < states[-1]["opened"] and time.monotonic() < end:
        server.write_line()
        states[-1] = server.read_json()
