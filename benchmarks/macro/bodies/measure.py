"""Measure the CPU time and memory that one upload costs the server."""

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

#: The number of bytes per send.
STEP = 1_000_000
#: The number of bytes after which memory is compared with the bytes received. Before that, the memory of the
#: process itself dominates.
MIN_RECEIVED = 10_000_000
TIMEOUT = 60.0


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process in seconds, with a resolution of nanoseconds."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        total += int(path.read_text().split()[0])
    return total / 1e9


def peak_memory(pid: int) -> int:
    """Return the maximum resident set size since `forget_peak`, in bytes."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def forget_peak(pid: int) -> None:
    """Reset the maximum resident set size."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def upload(port: int, scenario: Scenario, size: int, after: int = 0, server: Server | None = None) -> float:
    """Send a body and read the response.

    :param after: if `server` is given, the server's memory is measured each time it has received this number
        of bytes.
    :returns: the maximum growth of the server's memory, divided by the number of bytes received at that time.
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
                if sent >= MIN_RECEIVED:
                    worst = max(worst, (server.memory() - base) / sent)
        connection.sendall(scenario.tail())
        response = http.client.HTTPResponse(connection)
        response.begin()
        answer = response.read()
    if response.status != 200 or int(answer) != size:
        raise RuntimeError(f"the server responded with {response.status}, {answer[:300]!r}")
    return worst


def _wait_until_taken(connection: socket.socket) -> None:
    """Wait until the peer's kernel has received all data; unread data is then in the socket buffer."""
    queued = array.array("i", [1])
    deadline = time.monotonic() + TIMEOUT
    while queued[0] and time.monotonic() < deadline:
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, queued)
