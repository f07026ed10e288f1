"""15,000 connections that were opened, used and closed leave nothing behind in the server.

They come in waves, each held open at once; a third of each is closed by the client, a third by the server and
a third reset. The server is a process of its own and is asked what it holds between the waves. Fewer
connections where ``CI`` is not set.
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

resource = pytest.importorskip("resource", reason="the limit on descriptors is Unix's")

TOTAL = 15_000 if os.environ.get("CI") else 1_500
WAVES = 5
#: Descriptors of this process that are not connections of a wave.
SPARE = 200
PROGRAM = Path(__file__).with_name("many_connections_program.py")
#: Objects known to the collector that come and go with the program's own work: none of them one a connection.
FEW_OBJECTS = 100
#: Blocks of the interpreter's allocator that come and go likewise: about 20 do.
FEW_BLOCKS = 200
#: Bytes of the C library's heap by which the last wave may leave more than the first. Its own caches hold
#: up to 200,000; this is 44 for each of CI's connections in between.
FEW_BYTES = 512 << 10
RESET = struct.pack("ii", 1, 0)


class Server:
    """The program, its ports, and what it says it holds."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.http, self.plain = (int(self._line()) for _ in range(2))

    def held(self) -> dict[str, int]:
        """What it holds when the last connection is gone."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer: dict[str, int] = json.loads(self._line())
        return answer

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server has ended"
        return line


@pytest.fixture
def server(loop_kind: str) -> Iterator[Server]:
    command = [sys.executable, str(PROGRAM), loop_kind]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROGRAM.parents[1]
    ) as process:
        yield Server(process)
        process.communicate(timeout=60)  # the end of its input is its end, without a word
    assert process.returncode == 0


@pytest.fixture
def room() -> Iterator[int]:
    """Connections that this process may hold at once, with its limit raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield sys.maxsize if hard == resource.RLIM_INFINITY else hard - SPARE
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def dial(port: int, number: int) -> socket.socket:
    """A connection. Where the system has all of 127/8, each thousand has an address and so all ports."""
    source = (f"127.0.{1 + number // 1000}.1", 0) if sys.platform == "linux" else None
    return socket.create_connection(("127.0.0.1", port), timeout=60, source_address=source)


def use_http(client: socket.socket, last: bool) -> None:
    """Two requests on a connection that is kept alive, and with `last` a third that ends it."""
    for path, fields in (("plain", ""), ("awaiting", ""), ("plain", "Connection: close\r\n"))[: 2 + last]:
        client.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
        answer = b""
        while not answer.endswith(path.encode()):
            received = client.recv(4096)
            assert received, answer
            answer += received


def use_plain(client: socket.socket, last: bool) -> None:
    """Two lines echoed; with `last` one that is too long, which the server closes for."""
    for _ in range(2):
        client.sendall(b"line\n")
        assert client.recv(100) == b"line\n"
    if last:
        client.sendall(b"x" * 101)


def wave(server: Server, size: int, first: int) -> None:
    """Hold `size` connections at once, half of them HTTP, and see them all off."""
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


def test_nothing_is_left_behind(server: Server, room: int) -> None:
    size = min(TOTAL // WAVES, room)
    wave(server, min(100, size), 0)
    before = server.held()
    opened, first = 0, None
    while opened < TOTAL:
        wave(server, min(size, TOTAL - opened), opened)
        opened += size
        after = server.held()
        assert after["descriptors"] == before["descriptors"]
        assert after["tasks"] == before["tasks"]
        assert after["objects"] <= before["objects"] + FEW_OBJECTS
        assert after["garbage"] == 0
        first = first or after  # a wave of this size leaves tables that have grown, once
        assert after["blocks"] <= first["blocks"] + FEW_BLOCKS
        assert after["heap"] <= first["heap"] + FEW_BYTES
