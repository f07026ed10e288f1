"""Passes listening sockets to the next program when the process restarts itself, so no connection is refused.

A program that is about to replace itself with ``exec`` lists its listening sockets in an environment variable
and leaves their descriptors open (`pass_on_sockets`). In the new program, which runs in the same process,
`bind_sockets` and `bind_unix_socket` first call `claim`: a socket that was bound to the same address with the
same options is reused, with the connections in its backlog.

Unclaimed sockets stay open for a while, because the program may claim them later, or its start may fail and
be repeated. After that, `release` closes them. An inherited socket that prevents a bind to another address on
the same port is closed immediately (`close_conflicting`).
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tornado.log import gen_log

#: The name of the environment variable. Its value is valid only for the process whose id it contains.
VARIABLE = "TORNADO_INHERITED"
# Maximum number of inherited sockets. It bounds the size of the variable, which Linux limits to 128 KiB.
MAX_SOCKETS = 500

#: Address family, requested address (its port may be 0), and whether SO_REUSEPORT was set.
Key = tuple[int, Any, bool]


class _InheritedSocket:
    """An inherited socket: the original descriptor, and a reference to the duplicate that was claimed."""

    __slots__ = ("claimed", "key", "original")

    def __init__(self, key: Key, original: socket.socket) -> None:
        self.key = key
        self.original = original
        self.claimed: weakref.ref[socket.socket] | None = None

    def in_use(self) -> bool:
        sock = None if self.claimed is None else self.claimed()
        return sock is not None and sock.fileno() >= 0


_bound: weakref.WeakKeyDictionary[socket.socket, Key] = weakref.WeakKeyDictionary()
_inherited: list[_InheritedSocket] = []
#: The state that the previous program in this process has passed on, or None.
message: dict[str, Any] | None = None


def remember(sock: socket.socket, family: int, address: Any, reuse_port: bool = False) -> None:
    """Register a listening socket. At a restart it is passed on to the next program if it is still open.

    :param address: the requested address, which the next program is expected to request as well.
    """
    _bound[sock] = (family, address, reuse_port)


def claim(family: int, address: Any, reuse_port: bool = False) -> socket.socket | None:
    """Return the inherited socket for this address, in non-blocking mode, or None."""
    if not _inherited:
        return None
    key = (int(family), address, reuse_port)
    for entry in unclaimed():
        if entry.key == key:
            sock = entry.original.dup()
            sock.setblocking(False)
            entry.claimed = weakref.ref(sock)
            _bound[sock] = key
            return sock
    return None


def close_conflicting(address: Any) -> bool:
    """Close the inherited sockets that have the port or path of `address` and are not in use.

    :returns: whether any socket was closed, so that the caller can try to bind again.
    """
    wanted = _port_or_path(address)
    conflicting = [
        entry
        for entry in _inherited
        if not entry.in_use() and _port_or_path(_address_of(entry.original)) == wanted
    ]
    for entry in conflicting:
        _inherited.remove(entry)
        entry.original.close()
    return bool(conflicting)


def release() -> None:
    """Close the inherited descriptors. Claimed sockets are duplicates of them and stay open."""
    while _inherited:
        _inherited.pop().original.close()


def close_all() -> None:
    """Close the listening sockets, so that a child process can bind their addresses."""
    release()
    for sock in list(_bound):
        sock.close()


@contextmanager
def pass_on_sockets(extra_state: Mapping[str, Any]) -> Iterator[None]:
    """Pass the listening sockets and `extra_state` to the program that an ``exec`` in the block starts.

    If the ``exec`` fails, leaving the block restores the previous state.
    """
    entries = _entries()
    if len(entries) > MAX_SOCKETS:
        gen_log.warning(
            "only %d of %d listening sockets are kept across the restart", MAX_SOCKETS, len(entries)
        )
        del entries[MAX_SOCKETS:]
    state = {**extra_state, "pid": os.getpid(), "sockets": [[fd, *key] for fd, key in entries]}
    os.environ[VARIABLE] = json.dumps(state)
    try:
        for descriptor, _ in entries:
            os.set_inheritable(descriptor, True)
        yield
    finally:
        del os.environ[VARIABLE]
        for descriptor, _ in entries:
            os.set_inheritable(descriptor, False)


def _entries() -> list[tuple[int, Key]]:
    """Return the sockets to pass on, in the order in which they were bound and will be claimed."""
    entries = [(entry.original.fileno(), entry.key) for entry in _inherited if not entry.in_use()]
    entries += [(sock.fileno(), key) for sock, key in list(_bound.items()) if sock.fileno() >= 0]
    return entries


def _address_of(sock: socket.socket) -> Any:
    try:
        return sock.getsockname()
    except OSError:
        return ""


def _port_or_path(address: Any) -> Any:
    """Return the port of an address, or the whole name of a Unix socket."""
    if isinstance(address, tuple):
        return address[1]
    return os.fsdecode(address) if isinstance(address, bytes) else address


def take_over() -> None:
    """Read the state that the previous program in this process has passed on; called on import.

    The variable is removed and the descriptors are made non-inheritable, so child processes receive neither.
    """
    global message
    text = os.environ.pop(VARIABLE, None)
    if text is None:
        return
    try:
        state = json.loads(text)
        if state["pid"] != os.getpid():
            return  # set by the parent process, which was about to restart itself
        entries = [(int(fd), _key(*key)) for fd, *key in state["sockets"]]
    except (ValueError, TypeError, KeyError) as error:
        gen_log.warning("ignoring the environment variable %s: %s", VARIABLE, error)
        return
    message = state
    for descriptor, key in entries:
        original = listening_socket(descriptor)
        if original is not None:
            _inherited.append(_InheritedSocket(key, original))
    if _inherited:
        atexit.register(release)


def add(sock: socket.socket, address: Any) -> None:
    """Add a socket that a service manager has passed on, to be claimed with `address`."""
    if not _inherited:
        atexit.register(release)
    _inherited.append(_InheritedSocket((int(sock.family), address, False), sock))


def unclaimed() -> list[_InheritedSocket]:
    """Return the inherited sockets that have not been claimed."""
    return [entry for entry in _inherited if entry.claimed is None]


def _key(family: int, address: Any, reuse_port: bool) -> Key:
    return (family, tuple(address) if isinstance(address, list) else str(address), reuse_port)


def listening_socket(descriptor: int) -> socket.socket | None:
    """Return the listening socket of an inherited descriptor, None if it is not a listening socket."""
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:
        return None  # the descriptor is closed, or is not a socket
    try:
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.set_inheritable(False)
            return sock
    except (OSError, AttributeError):
        pass
    sock.detach()  # the descriptor has been reused for something else: do not close it
    return None


take_over()
