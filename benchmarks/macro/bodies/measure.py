"""One upload, and what it cost the server."""

from __future__ import annotations

import array
import fcntl
import http.client
import re
import socket
import termios
import time
from pathlib import Path

from benchmarks.macro.bodies.scenarios import Scenario
from benchmarks.macro.server.process import Server

#: Bytes sent at a time.
STEP = 1_000_000
#: Memory is held against what has arrived only from so many bytes on: before, the process itself weighs more.
FROM = 10_000_000
TIMEOUT = 60.0


def cpu_seconds(pid: int) -> float:
    """Time that all threads of a process were on a processor, in nanoseconds' resolution."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        total += int(path.read_text().split()[0])
    return total / 1e9


def peak_memory(pid: int) -> int:
    """The highest resident size since `forget_peak`, in bytes."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def forget_peak(pid: int) -> None:
    """Begin to look for the highest resident size anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def upload(port: int, scenario: Scenario, size: int, after: int = 0, server: Server | None = None) -> float:
    """Send one body and read the answer.

    :param after: with `server`: look at its memory each time so many bytes more have been taken by it.
    :returns: the highest growth of the server's memory, divided by what had arrived by then.
    """
    worst = 0.0
    base = server.memory() if server is not None else 0
    piece = scenario.piece(STEP)
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        connection.sendall(scenario.head(port, size))
        sent, looked = 0, 0
        while sent < size:
            step = min(STEP, size - sent)
            connection.sendall(piece if step == STEP else scenario.piece(step))
            sent += step
            if server is not None and sent - looked >= after:
                looked = sent
                _wait_until_taken(connection)
                if sent >= FROM:
                    worst = max(worst, (server.memory() - base) / sent)
        connection.sendall(scenario.tail())
        response = http.client.HTTPResponse(connection)
        response.begin()
        answer = response.read()
    if response.status != 200 or int(answer) != size:
        raise RuntimeError(f"the server answered {response.status}, {answer[:300]!r}")
    return worst


def _wait_until_taken(connection: socket.socket) -> None:
    """Until the peer's kernel has it all; what its process has not read is at most its socket's buffer."""
    queued = array.array("i", [1])
    deadline = time.monotonic() + TIMEOUT
    while queued[0] and time.monotonic() < deadline:
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, queued)
