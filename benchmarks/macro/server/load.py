"""A small load generator on raw sockets, for servers under valgrind and for scenarios that wrk does not
support.

It works in rounds: it sends a request on every connection, then reads a response from every connection. The
server finds several readable connections at once, as under load, and does the same work in each run.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection:
    """A client connection."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None, timeout: float = 120.0) -> None:
        self._socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname="127.0.0.1")
        self._pending = b""

    def send(self, data: bytes) -> None:
        """Write everything."""
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """Read a response with Content-Length or chunks, and return its body. The status must be 200."""
        head, body = self._until(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server responded with {head[:200]!r}")
        length = _LENGTH.search(head)
        if length is None:
            body = self._chunks(body)
        else:
            size = int(length[1])
            while len(body) < size:
                body += self._more()
            body, self._pending = body[:size], body[size:]
        return body

    def _chunks(self, data: bytes) -> bytes:
        whole = b""
        self._pending = data
        while True:
            line, rest = self._until(b"\r\n")
            size = int(line.strip(), 16)
            while len(rest) < size + 2:
                rest += self._more()
            self._pending = rest[size + 2 :]
            if size == 0:
                return whole
            whole += rest[:size]

    def _until(self, mark: bytes) -> tuple[bytes, bytes]:
        data = self._pending
        while mark not in data:
            data += self._more()
        self._pending = b""
        end = data.index(mark) + len(mark)
        return data[:end], data[end:]

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise RuntimeError("the server closed the connection")
        return data

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@contextmanager
def connections(port: int, count: int, context: ssl.SSLContext | None = None) -> Iterator[list[Connection]]:
    """Open ``count`` connections, and close them at the end of the block."""
    opened: list[Connection] = []
    try:
        for _ in range(count):
            opened.append(Connection(port, context))  # noqa: PERF401 (those opened before a failure are closed)
        yield opened
    finally:
        for connection in opened:
            connection.close()


def rounds(
    opened: list[Connection], requests: Iterator[bytes], count: int, depth: int = 1, pid: int = 0
) -> int:
    """Send ``count`` rounds of ``depth`` requests on each connection; return the number of requests.

    The process ``pid`` is stopped while a round is sent. It then finds every connection readable in every
    round and run; otherwise the number would depend on the scheduler.

    :param requests: each request is sent ``depth`` times.
    """
    for _ in range(count):
        if pid:
            os.kill(pid, signal.SIGSTOP)
        for connection in opened:
            connection.send(next(requests) * depth)
        if pid:
            os.kill(pid, signal.SIGCONT)
        for connection in opened:
            for _ in range(depth):
                connection.receive()
    return count * len(opened) * depth
