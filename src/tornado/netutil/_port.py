"""The range of TCP ports."""

from __future__ import annotations

HIGHEST_PORT = 65535


def check_port(port: object) -> None:
    """See that a port is one of TCP's (RFC 9293 section 3.1: 16 bits).

    The system's own functions may take a number that is too high modulo 65,536, and use another port without
    a word.

    :param port: a number, or digits; a service's name is left to the system.
    :raises ValueError: where it is out of range.
    """
    if isinstance(port, str) and port.isdecimal() and port.isascii():
        port = int(port[:20])
    if isinstance(port, int) and not 0 <= port <= HIGHEST_PORT:
        raise ValueError(f"port {port} is out of range: a TCP port is a number from 0 to {HIGHEST_PORT}")
