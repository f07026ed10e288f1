"""Run one attack on one server, and measure what it costs both sides and how much it delays the probe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Target:
    """An attacked server: an interpreter with a package named tornado, and its `protection`."""

    name: str
    python: str
    protection: str = ""


@dataclass(frozen=True)
class Scenario:
    """An attack and the configuration of the server.

    :ivar seconds: by target, how long the attack lasts unless the server ends it; with "public", the server
    needs some time to close the connections.
    """

    name: str
    title: str
    seconds: float = 5.0
    public_seconds: float = 5.0
    tls: bool = False
    descriptors: int = 0
    #: Whether the server must close all connections of the attack with "public".
    ends: bool = False
    #: The maximum time of the probe's slowest response in seconds.
    slowest: float = 0.1


@dataclass
class Result:
    """The figures of one attack."""

    attacker: dict[str, Any]
    server: dict[str, Any]
    probe: dict[str, Any]
    #: The server's figures for one second without an attack.
    before: dict[str, Any]
    #: The number of attempts. An attempt is repeated if a figure exceeds its bound.
    attempts: int = 1

    @property
    def grown(self) -> int:
        """Return the maximum growth of the server's memory in bytes."""
        return max(0, int(self.server["peak"]) - int(self.before["memory"]))

    @property
    def cpu(self) -> float:
        """Return the CPU time of the attack in the server in seconds, without the cost of the probe."""
        usual = self.before["cpu"] / self.before["seconds"] * self.server["seconds"]
        return max(0.0, float(self.server["cpu"] - usual))


class _Silence(Exception):
    """Raised if a process exits instead of writing a line."""


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise _Silence
    return line


def _send_line(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _set_real_time_priority(*processes: subprocess.Popen[str]) -> None:
    """Set real-time priority for these processes, if permitted, so that the measured delays are those of the
    server and not of other processes.
    """
    for process in processes:
        try:
            os.sched_setscheduler(process.pid, os.SCHED_RR, os.sched_param(1))
        except PermissionError:
            return


def _figures(server: subprocess.Popen[str]) -> dict[str, Any]:
    _send_line(server)
    figures: dict[str, Any] = json.loads(_line(server))
    return figures


@contextmanager
def _running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def carry_out(scenario: Scenario, target: Target, certificates: Path, scale: float = 1.0) -> Result:
    """Start the server and the probe, run the attack, and collect the figures."""
    environment = {
        **os.environ,
        "ABUSE_PROTECTION": target.protection,
        "ABUSE_TLS": str(certificates) if scenario.tls else "",
        "ABUSE_DESCRIPTORS": str(scenario.descriptors),
    }
    seconds = scenario.public_seconds if target.protection == "public" else scenario.seconds
    with tempfile.TemporaryFile() as errors:
        program = [target.python, str(HERE / "app.py")]
        with _running(program, env=environment, stderr=errors) as server:
            try:
                port = _line(server).strip()
                authority = [str(certificates / "ca.pem")] if scenario.tls else []
                attack = ["compliance.abuse.attacks", scenario.name, port, str(seconds), str(scale)]
                with (
                    _running([sys.executable, "-m", *attack]) as attacker,
                    _running([sys.executable, "-m", "compliance.abuse.probe", port, *authority]) as probe,
                ):
                    _line(probe)
                    _line(attacker)
                    _set_real_time_priority(server, probe)
                    _figures(server)
                    time.sleep(1.0)
                    before = _figures(server)
                    _send_line(attacker)
                    attacked = json.loads(_line(attacker))
                    _send_line(probe)
                    return Result(attacked, _figures(server), json.loads(_line(probe)), before)
            except _Silence:
                errors.seek(0)
                text = errors.read().decode(errors="replace")
                raise RuntimeError(f"{scenario.name} on {target.name} failed:\n{text}") from None
