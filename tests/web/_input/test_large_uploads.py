"""Uploads of a gigabyte to a server in a separate process, whose memory must not grow."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import Program

SIZE = 2**30
PIECE = bytes(range(256)) * 4096
#: The permitted growth of memory, in bytes: buffers of sockets and disk, and freed memory that the allocator
#: does not return.
GROWTH = 16 * 2**20


@pytest.fixture
def folder(tmp_path) -> Path:
    free = shutil.disk_usage(tmp_path).free
    if free < 2 * SIZE:
        reason = f"{tmp_path} has {free >> 20} MiB free; this test writes {SIZE >> 20}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return tmp_path


@pytest.fixture
def program(folder) -> Iterator[Program]:
    arguments = ["--port={port}", f"--folder={folder}"]
    with Program("tests/web/_input/large_uploads_program.py", arguments) as running:
        yield running
        assert "Traceback" not in running.output()


def peak_memory(pid: int) -> int:
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def send(program: Program, path: str, kind: str, head: bytes, tail: bytes, size: int) -> str:
    """Send a body of `size` bytes between `head` and `tail`, in pieces, and return the response body."""
    with socket.create_connection(("127.0.0.1", program.port), 60) as sock:
        total = len(head) + size + len(tail)
        fields = f"Host: x\r\nContent-Type: {kind}\r\nContent-Length: {total}"
        sock.sendall(f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + head)
        for _ in range(size // len(PIECE)):
            sock.sendall(PIECE)
        sock.sendall(tail)
        response = http.client.HTTPResponse(sock)
        response.begin()
        assert response.status == 200, program.output()
        return response.read().decode()


REQUESTS = {
    "/raw": ("application/octet-stream", b"", b""),
    "/parts": (
        "multipart/form-data; boundary=frontier",
        b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="large"\r\n\r\n',
        b"\r\n--frontier--\r\n",
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("path", list(REQUESTS))
def test_memory_does_not_grow_with_a_gigabyte_upload(program, folder, path):
    kind, head, tail = REQUESTS[path]
    assert send(program, path, kind, head, tail, 4 * len(PIECE)) == str(4 * len(PIECE))
    before = peak_memory(program.pid)
    assert send(program, path, kind, head, tail, SIZE) == str(SIZE)
    assert peak_memory(program.pid) - before < GROWTH
    deadline = time.monotonic() + 30
    while os.listdir(folder) and time.monotonic() < deadline:
        os.sched_yield()
    assert os.listdir(folder) == []
