"""Measure what a large download costs the server, and how long it delays other requests."""

from __future__ import annotations

import socket
import threading
import time

from benchmarks.macro.server.load import Connection
from benchmarks.macro.server.scenarios import Scenario

_PIECE = 1024 * 1024


def download(port: int, path: str, size: int) -> None:
    """Receive a file and discard it.

    :raises RuntimeError: if its size is not `size`.
    """
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(Scenario("", "", path).request(port))
        buffer = bytearray(_PIECE)
        count = connection.recv_into(buffer)
        head, _, body = bytes(buffer[:count]).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server responded with {head[:200]!r}")
        received = len(body)
        while received < size:
            count = connection.recv_into(buffer)
            if not count:
                raise RuntimeError(f"received {received} of {size} bytes")
            received += count


def slowest_beside(port: int, path: str, size: int) -> float:
    """Return the time in seconds of the slowest request for ``/`` during the download of a file."""
    worker = threading.Thread(target=download, args=(port, path, size))
    slowest = 0.0
    page = Scenario("", "").request(port)
    connection = Connection(port)
    try:
        worker.start()
        while worker.is_alive():
            start = time.perf_counter()
            connection.send(page)
            connection.receive()
            slowest = max(slowest, time.perf_counter() - start)
    finally:
        connection.close()
        worker.join()
    return slowest
