"""Clients that send part of a request, read part of the response, and reset the connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from dataclasses import dataclass

_HOST = b"HTTP/1.1\r\nHost: localhost\r\n"


@dataclass(frozen=True)
class Point:
    """A point at which a client resets its connection: the data sent, and the bytes read before."""

    name: str
    sent: bytes = b""
    read: int = 0


#: The points cover every state of a connection.
POINTS = (
    Point("connected"),
    Point("in the head", b"GET / " + _HOST + b"X-Fie"),
    Point("head complete", b"GET / " + _HOST + b"\r\n"),
    Point("after the response", b"GET / " + _HOST + b"\r\n", read=1),
    Point("in a buffered body", b"POST /whole " + _HOST + b"Content-Length: 100000\r\n\r\n" + b"x" * 50_000),
    Point("in a streamed body", b"POST /upload " + _HOST + b"Content-Length: 100000\r\n\r\n" + b"x" * 50_000),
    Point(
        "in a chunk", b"POST /upload " + _HOST + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + b"x" * 30_000
    ),
    Point(
        "in a chunk's size", b"POST /upload " + _HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1"
    ),
    Point(
        "before 100 Continue", b"POST /whole " + _HOST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    ),
    Point("answer begun", b"GET /big " + _HOST + b"\r\n", read=1000),
    Point("in a streamed response", b"GET /stream " + _HOST + b"\r\n", read=1000),
    Point("file begun", b"GET /file " + _HOST + b"\r\n", read=1000),
    Point("handler waiting", b"GET /wait " + _HOST + b"\r\n"),
    Point("handler waiting, the next request sent", b"GET /wait " + _HOST + b"\r\nGET / " + _HOST + b"\r\n"),
    Point(
        "handler waiting, 100 kB of the next request sent",
        b"GET /wait " + _HOST + b"\r\n" + (b"GET / " + _HOST + b"\r\n") * 2800,
    ),
    Point("pipeline", (b"GET /later " + _HOST + b"\r\n") * 20, read=10),
    Point("pipeline of large responses", (b"GET /big " + _HOST + b"\r\n") * 5, read=10),
)
#: Further points for a TLS server: data sent without a handshake.
TLS_POINTS = (
    Point("hello begun", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    Point("no TLS at all", b"GET / " + _HOST + b"\r\n"),
)
_RESET = struct.pack("ii", 1, 0)


def sweep(address: tuple[str, int], count: int) -> None:
    """Reset connections 0 to 400 us after connecting, each a microsecond later than the previous one."""
    for delay in range(count):
        sock = socket.create_connection(address, timeout=30)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end = time.perf_counter() + delay % 400 * 1e-6
        while time.perf_counter() < end:
            pass
        sock.close()


def vanish(address: tuple[str, int], point: Point, context: ssl.SSLContext | None = None) -> None:
    """Run one client. With a `context` it uses TLS, and resets after the handshake."""
    sock = socket.create_connection(address, timeout=30)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    if context is not None:
        sock = context.wrap_socket(sock, server_hostname="localhost")
    with contextlib.closing(sock):
        sock.sendall(point.sent)
        left = point.read
        while left > 0 and (data := sock.recv(left)):
            left -= len(data)
