"""15,000 connections that have been opened, used and closed leave no resources behind in the server.

The connections of a wave are open at the same time. The client closes one third of them, the server another,
and the last third is reset. The server runs in a separate process, which reports its resources between the
waves. Fewer connections are used if ``CI`` is not set.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="this system has no resource limits")

TOTAL = 15_000 if os.environ.get("CI") else 1_500
WAVES = 5
#: File descriptors of this process that are not connections of a wave.
RESERVED_DESCRIPTORS = 200
PROGRAM = Path(__file__).with_name("many_connections_program.py")
#: Permitted growth in objects tracked by the garbage collector, far below one object per connection.
MAX_EXTRA_OBJECTS = 100
#: Permitted growth in blocks of the interpreter's allocator. About 20 are normal.
MAX_EXTRA_BLOCKS = 200
#: Permitted growth of the C library's heap between the first and the last wave, in bytes. The C library's own
#: caches hold up to 200,000 bytes; this is 44 bytes per connection in CI.
MAX_EXTRA_BYTES = 512 << 10
RESET = struct.pack("ii", 1, 0)


class Server:
    """The server process, its ports, and the resources that it reports."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.http, self.plain = (int(self._line()) for _ in range(2))

    def resources(self) -> dict[str, int]:
        """Return the server's resources after its last connection has closed."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer: dict[str, int] = json.loads(self._line())
        return answer

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server has exited"
        return line


@pytest.fixture
def server(loop_kind: str) -> Iterator[Server]:
    command = [sys.executable, str(PROGRAM), loop_kind]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROGRAM.parents[1]
    ) as process:
        yield Server(process)
        process.communicate(timeout=60)  # the server exits at the end of its input
    assert process.returncode == 0


@pytest.fixture
def capacity() -> Iterator[int]:
    """The number of connections that this process can have open, after its limit has been raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield sys.maxsize if hard == resource.RLIM_INFINITY else hard - RESERVED_DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def dial(port: int, number: int) -> socket.socket:
    """Connect. On Linux, with all of 127/8, each thousand connections use a different source address."""
    source = (f"127.0.{1 + number // 1000}.1", 0) if sys.platform == "linux" else None
    return socket.create_connection(("127.0.0.1", port), timeout=60, source_address=source)


def use_http(client: socket.socket, last: bool) -> None:
    """Send two requests on a keep-alive connection, and with `last` a third one that closes it."""
    for path, fields in (("plain", ""), ("awaiting", ""), ("plain", "Connection: close\r\n"))[: 2 + last]:
        client.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
        answer = b""
        while not answer.endswith(path.encode()):
            received = client.recv(4096)
            assert received, answer
            answer += received


def use_plain(client: socket.socket, last: bool) -> None:
    """Send two lines and read their echoes. With `last`, send a line so long that the server closes."""
    for _ in range(2):
        client.sendall(b"line\n")
        assert client.recv(100) == b"line\n"
    if last:
        client.sendall(b"x" * 101)


def wave(server: Server, size: int, first: int) -> None:
    """Open `size` connections, half of them HTTP, and wait until all have been closed."""
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(size):
            http = number % 2 == 0
            client = stack.enter_context(dial(server.http if http else server.plain, first + number))
            (use_http if http else use_plain)(client, last=number % 3 == 0)
            clients.append(client)
        for number, client in enumerate(clients):
            if number % 3 == 0:
                assert client.recv(1) == b""
            elif number % 3 == 1:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def test_closed_connections_leave_no_resources(server: Server, capacity: int) -> None:
    size = min(TOTAL // WAVES, capacity)
    wave(server, min(100, size), 0)
    before = server.resources()
    opened, first = 0, None
    while opened < TOTAL:
        wave(server, min(size, TOTAL - opened), opened)
        opened += size
        after = server.resources()
        assert after["descriptors"] == before["descriptors"]
        assert after["tasks"] == before["tasks"]
        assert after["objects"] <= before["objects"] + MAX_EXTRA_OBJECTS
        assert after["garbage"] == 0
        first = first or after  # the first wave of this size enlarges tables once
        assert after["blocks"] <= first["blocks"] + MAX_EXTRA_BLOCKS
        assert after["heap"] <= first["heap"] + MAX_EXTRA_BYTES
