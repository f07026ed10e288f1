"""Run `judge.py` and a program under test, each in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.peers import TORNADO, Peer
from compliance.autobahn.verdicts import Verdict

HERE = Path(__file__).parent
KOSOKU = Peer("kosoku", "kosoku", HERE / "judge.py", ("kosoku==0.1.0",))
#: The programs under test by their names on the command line. Each of them runs `echo_server.py` and
#: `echo_client.py`.
PROGRAMS = {
    "ours": Peer("ours", "Waterspout", HERE),
    "upstream": Peer("upstream", "Tornado 6.6.1", HERE, TORNADO),
}
DIRECTIONS = ("server", "client")


class Broken(RuntimeError):
    """Raised if a process ends unexpectedly or does not end in time."""


def examine(
    direction: str,
    cases: Sequence[str],
    program: Sequence[str] = (),
    *,
    jobs: int = 4,
    seconds: float = 3600,
) -> list[Verdict]:
    """Test a program as a server or as a client; return when all cases are done.

    :param direction: ``server`` or ``client``.
    :param cases: numbers, or patterns such as ``9.*``.
    :param program: the command that starts the program, without arguments; our program by default.
    :param jobs: the number of cases that run at a time.
    :param seconds: the timeout for all cases together.
    :raises Broken: if a process fails.
    """
    command = list(program) or [sys.executable, str(HERE / f"echo_{direction}.py")]
    judge = [str(KOSOKU.python()), str(KOSOKU.app), direction]
    if direction == "server":
        with (
            _running(command) as server,
            _running([*judge, str(jobs), _line(server), *cases]) as judging,
        ):
            return _verdicts(judging, seconds)
    with (
        _running([*judge, *cases]) as judging,
        _running([*command, _line(judging), str(jobs)]) as client,
    ):
        _end(client, seconds)
        return _verdicts(judging, 60)


def command_of(name: str, direction: str) -> list[str]:
    """Return the command that starts one of the `PROGRAMS`; create its environment if necessary."""
    peer = PROGRAMS[name]
    return [str(peer.python()), str(peer.app / f"echo_{direction}.py")]


class _Process:
    """A running process, whose standard error is recorded."""

    def __init__(self, command: list[str], errors: IO[bytes]) -> None:
        self._errors = errors
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, stdin=null, stdout=pipe, stderr=errors, text=True, cwd=HERE.parents[1]
        )

    def broken(self, what: str) -> Broken:
        self.process.kill()
        self.process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace")
        return Broken(f"{' '.join(map(str, self.process.args[:3]))} …: {what}\n{said}")  # type: ignore[index]


@contextmanager
def _running(command: list[str]) -> Iterator[_Process]:
    with tempfile.TemporaryFile() as errors:
        process = _Process(command, errors)
        try:
            yield process
        finally:
            process.process.kill()
            process.process.communicate()


def _line(process: _Process) -> str:
    assert process.process.stdout is not None
    line = process.process.stdout.readline().strip()
    if not line:
        raise process.broken("ended before it printed a line")
    return line


def _end(process: _Process, seconds: float) -> str:
    """Wait for a process to end; return its output."""
    try:
        output, _ = process.process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise process.broken(f"did not end within {seconds} s") from None
    if process.process.returncode:
        raise process.broken(f"ended with status {process.process.returncode}")
    return output


def _verdicts(judge: _Process, seconds: float) -> list[Verdict]:
    return [Verdict(*each) for each in json.loads(_end(judge, seconds))]
