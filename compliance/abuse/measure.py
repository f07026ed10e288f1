"""One attack on one server: what the attacker spent, what the server spent, how long the probe waited."""

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
    """A server to attack: an interpreter with a package called tornado, and the protection to ask it for."""

    name: str
    python: str
    protection: str = ""


@dataclass(frozen=True)
class Scenario:
    """An attack and what the server is started with.

    :ivar seconds: how long attackers hold on where nothing stops them; by target, as what "public" ends takes
        its time.
    """

    name: str
    title: str
    seconds: float = 5.0
    public_seconds: float = 5.0
    tls: bool = False
    descriptors: int = 0
    #: Whether "public" is to close all of the attackers' connections.
    ends: bool = False
    #: What the probe's slowest answer may take, in seconds.
    slowest: float = 0.1


@dataclass
class Result:
    """The figures of one attack."""

    attacker: dict[str, Any]
    server: dict[str, Any]
    probe: dict[str, Any]
    #: The server's figures of a second without an attack.
    before: dict[str, Any]
    #: How many attempts it took: those before this one were over a bound.
    attempts: int = 1

    @property
    def grown(self) -> int:
        """Bytes by which the server's memory grew at most."""
        return max(0, int(self.server["peak"]) - int(self.before["memory"]))

    @property
    def cpu(self) -> float:
        """Seconds of the processor that the attack cost the server; what the probe costs is left out."""
        usual = self.before["cpu"] / self.before["seconds"] * self.server["seconds"]
        return max(0.0, float(self.server["cpu"] - usual))


class _Silence(Exception):
    """A process has ended where a line was expected."""


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise _Silence
    return line


def _tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _favour(*processes: subprocess.Popen[str]) -> None:
    """Put these before whatever else the machine does, where that may be done: what is measured is how long
    the server keeps its clients waiting, and not how long others keep the server.
    """
    for process in processes:
        try:
            os.sched_setscheduler(process.pid, os.SCHED_RR, os.sched_param(1))
        except PermissionError:
            return


def _figures(server: subprocess.Popen[str]) -> dict[str, Any]:
    _tell(server)
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
    """Start the server and the probe, attack, and collect the figures."""
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
                    _favour(server, probe)
                    _figures(server)
                    time.sleep(1.0)
                    before = _figures(server)
                    _tell(attacker)
                    attacked = json.loads(_line(attacker))
                    _tell(probe)
                    return Result(attacked, _figures(server), json.loads(_line(probe)), before)
            except _Silence:
                errors.seek(0)
                text = errors.read().decode(errors="replace")
                raise RuntimeError(f"{scenario.name} on {target.name} went wrong:\n{text}") from None
