"""Validation of TCP port numbers."""

from __future__ import annotations

MAX_PORT = 65535


def check_port(port: object) -> None:
    """Check that a port is in the range of TCP ports (RFC 9293 section 3.1: 16 bits).

    Some system functions accept a port that is too high, and silently use its remainder modulo 65,536.

    :param port: a number, or a string of digits. The name of a service is not checked.
    :raises ValueError: if the port is out of range.
    """
    if isinstance(port, str) and port.isdecimal() and port.isascii():
        port = int(port[:20])
    if isinstance(port, int) and not 0 <= port <= MAX_PORT:
        raise ValueError(f"port {port} is out of range: a TCP port must be from 0 to {MAX_PORT}")
