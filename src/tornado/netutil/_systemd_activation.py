"""Listening sockets that a service manager opened for the program: systemd's protocol, sd_listen_fds(3).

``LISTEN_FDS`` is the number of descriptors, which start at 3; ``LISTEN_FDNAMES`` contains their names,
separated by colons; and ``LISTEN_PID`` is the id of the process that the variables are for.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from tornado.log import gen_log
from tornado.netutil import _socket_inheritance

#: The first descriptor (SD_LISTEN_FDS_START).
_FIRST_FD = 3
#: First element of the tuple that `_socket_inheritance` stores instead of an address for such a socket.
_KEY_PREFIX = "LISTEN_FDS"


def inherited_sockets(name: str | None = None) -> list[socket.socket]:
    """Return the listening sockets that systemd, or another service manager, has passed to this process.

    :param name: return only the sockets of this name (``FileDescriptorName=`` of the socket unit).
    :returns: non-blocking listening sockets, in systemd's order. The list is empty if the program was not
        started by a service manager. Each socket is returned only once. Call this function before
        `.fork_processes`, because the sockets belong to the parent process.
    :raises ValueError: if a variable is invalid; the message names it.

    ::

        server.add_sockets(inherited_sockets() or bind_sockets(8888))

    Child processes inherit neither the variables nor the descriptors. When the program restarts itself
    (`tornado.autoreload`), this function returns the sockets again.
    """
    _read_environment()
    found = []
    for family, address, _ in [kept.key for kept in _socket_inheritance.unclaimed()]:
        if isinstance(address, tuple) and address[0] == _KEY_PREFIX and name in (None, address[2]):
            sock = _socket_inheritance.claim(family, address)
            if sock is not None:
                found.append(sock)
    return found


def has_inherited_sockets() -> bool:
    """Whether a service manager has passed sockets to this process that it has not used yet."""
    return os.environ.get("LISTEN_PID") == str(os.getpid()) or any(
        isinstance(address, tuple) and address[0] == _KEY_PREFIX
        for _, address, _ in (kept.key for kept in _socket_inheritance.unclaimed())
    )


def _read_environment() -> None:
    """Read the variables, if they are for this process, and store the sockets in `_socket_inheritance`."""
    pid = os.environ.get("LISTEN_PID")
    if pid != str(os.getpid()):
        return  # not set, or meant for a parent process
    count, names = _read_variables()
    for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(variable, None)
    for number in range(count):
        descriptor = _FIRST_FD + number
        sock = _socket_inheritance.listening_socket(descriptor)
        if sock is None:
            gen_log.warning("LISTEN_FDS: ignoring descriptor %d, which is not a listening socket", descriptor)
            continue
        # The number distinguishes sockets of the same name. The program selects sockets by name.
        address: Any = (_KEY_PREFIX, number, names[number] if number < len(names) else "")
        _socket_inheritance.add(sock, address)


def _read_variables() -> tuple[int, list[str]]:
    text = os.environ.get("LISTEN_FDS", "")
    if not (text.isascii() and text.isdecimal()) or int(text[:9]) > _socket_inheritance.MAX_SOCKETS:
        raise ValueError(
            f"LISTEN_FDS must be a number from 0 to {_socket_inheritance.MAX_SOCKETS}, got {text!r}"
        )
    names = os.environ.get("LISTEN_FDNAMES")
    return int(text), names.split(":") if names else []
