"""Listening sockets that a service manager opened for the program: systemd's protocol, sd_listen_fds(3).

``LISTEN_FDS`` tells how many there are, from descriptor 3 on, ``LISTEN_FDNAMES`` their names with colons
between them, and ``LISTEN_PID`` for which process all of this is meant.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from tornado.log import gen_log
from tornado.netutil import _socket_inheritance

#: The first descriptor (SD_LISTEN_FDS_START).
_FIRST = 3
#: Begins what stands for the address where a socket outlives a restart of the program (see
#: `_socket_inheritance`).
_MARK = "LISTEN_FDS"


def inherited_sockets(name: str | None = None) -> list[socket.socket]:
    """The listening sockets that systemd, or whoever speaks its protocol, has handed to this process.

    :param name: only those of this name (``FileDescriptorName=`` of the socket unit); all by default.
    :returns: non-blocking listening sockets, in systemd's order; none where the program was started by hand.
        Each is handed out once. Call this before `.fork_processes`: they were given to the parent.
    :raises ValueError: for variables that make no sense; the message names them.

    ::

        server.add_sockets(inherited_sockets() or bind_sockets(8888))

    The variables are removed from the environment and the descriptors closed in programs that this one
    starts. When the program starts itself again (`tornado.autoreload`) it finds them here once more.
    """
    _take_over()
    found = []
    for family, address, _ in [kept.key for kept in _socket_inheritance.waiting()]:
        if isinstance(address, tuple) and address[0] == _MARK and name in (None, address[2]):
            sock = _socket_inheritance.claim(family, address)
            if sock is not None:
                found.append(sock)
    return found


def _take_over() -> None:
    """Read the variables, where they are for us, and keep the sockets for who asks."""
    pid = os.environ.get("LISTEN_PID")
    if pid != str(os.getpid()):
        return  # of a parent of ours, or there are none
    count, names = _read_variables()
    for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(variable, None)
    for number in range(count):
        descriptor = _FIRST + number
        sock = _socket_inheritance.listening(descriptor)
        if sock is None:
            gen_log.warning(
                "LISTEN_FDS: descriptor %d is not a listening socket and is left alone", descriptor
            )
            continue
        # The number keeps sockets of one name apart; the name is what the program asks for.
        address: Any = (_MARK, number, names[number] if number < len(names) else "")
        _socket_inheritance.keep(sock, address)


def _read_variables() -> tuple[int, list[str]]:
    text = os.environ.get("LISTEN_FDS", "")
    if not (text.isascii() and text.isdecimal()) or int(text[:9]) > _socket_inheritance.MOST:
        raise ValueError(f"LISTEN_FDS={text!r} is not a number from 0 to {_socket_inheritance.MOST}")
    names = os.environ.get("LISTEN_FDNAMES")
    return int(text), names.split(":") if names else []
