"""Listening sockets that outlive the program: it starts itself again, and its ports never refuse.

A program that is about to replace itself by ``exec`` lists its listening sockets in an environment variable
and leaves their descriptors open (`handed_over`). In the new program, in the same process, `bind_sockets`
and `bind_unix_socket` ask here first (`claim`): a socket that was bound to the same address, with the same
options, is taken over with the connections that wait in it.

What nobody claims is kept for a while, in case it is asked for later or the start fails and is tried again;
then `release` closes it. One that stands in the way of another address on the same port goes at once
(`make_way`).
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

#: The environment variable; its value is for the process whose number it begins with, and for no other.
VARIABLE = "TORNADO_INHERITED"
# More than any program listens on: the variable has to fit where arguments go (128 KiB on Linux).
MOST = 500

#: Family, the address as it was asked for (its port may be 0, "any"), and whether SO_REUSEPORT was set.
Key = tuple[int, Any, bool]


class _InheritedSocket:
    """An inherited socket: a descriptor of our own, and the socket made of it when it was claimed."""

    __slots__ = ("keeper", "key", "taken")

    def __init__(self, key: Key, keeper: socket.socket) -> None:
        self.key = key
        self.keeper = keeper
        self.taken: weakref.ref[socket.socket] | None = None

    def in_use(self) -> bool:
        sock = None if self.taken is None else self.taken()
        return sock is not None and sock.fileno() >= 0


_bound: weakref.WeakKeyDictionary[socket.socket, Key] = weakref.WeakKeyDictionary()
_kept: list[_InheritedSocket] = []
#: What the program before us in this process had to say beside its sockets; None where there was none.
message: dict[str, Any] | None = None


def remember(sock: socket.socket, family: int, address: Any, reuse_port: bool = False) -> None:
    """Note a listening socket, to be handed over for as long as it is open and in use.

    :param address: as it was asked for: what the next program will ask for again.
    """
    _bound[sock] = (family, address, reuse_port)


def claim(family: int, address: Any, reuse_port: bool = False) -> socket.socket | None:
    """The inherited socket for this address, in non-blocking mode; None where there is none."""
    if not _kept:
        return None
    key = (int(family), address, reuse_port)
    for kept in waiting():
        if kept.key == key:
            sock = kept.keeper.dup()
            sock.setblocking(False)
            kept.taken = weakref.ref(sock)
            _bound[sock] = key
            return sock
    return None


def make_way(address: Any) -> bool:
    """Close what is inherited for the port, or the path, of `address` and not in use.

    :returns: whether there was any: then it is worth binding again.
    """
    wanted = _place(address)
    in_the_way = [kept for kept in _kept if not kept.in_use() and _place(_name_of(kept.keeper)) == wanted]
    for kept in in_the_way:
        _kept.remove(kept)
        kept.keeper.close()
    return bool(in_the_way)


def release() -> None:
    """Close what was inherited and not claimed: the program is running and does not want it."""
    while _kept:
        _kept.pop().keeper.close()


@contextmanager
def handed_over(words: Mapping[str, Any]) -> Iterator[None]:
    """Within the block an ``exec`` leaves the listening sockets to the new program, and `words` with them.

    When the block is left all the same, all is as before.
    """
    entries = _entries()
    if len(entries) > MOST:
        gen_log.warning("only %d of %d listening sockets outlive the restart", MOST, len(entries))
        del entries[MOST:]
    state = {**words, "pid": os.getpid(), "sockets": [[fd, *key] for fd, key in entries]}
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
    """What is to be handed over, in the order it was bound: the next program asks in that order too."""
    entries = [(kept.keeper.fileno(), kept.key) for kept in _kept if not kept.in_use()]
    entries += [(sock.fileno(), key) for sock, key in list(_bound.items()) if sock.fileno() >= 0]
    return entries


def _name_of(sock: socket.socket) -> Any:
    try:
        return sock.getsockname()
    except OSError:
        return ""


def _place(address: Any) -> Any:
    """The port of an address, or the whole name of a Unix socket."""
    if isinstance(address, tuple):
        return address[1]
    return os.fsdecode(address) if isinstance(address, bytes) else address


def take_over() -> None:
    """Read what the program before us in this process has left. Once, when this module is imported.

    The variable is removed, and the descriptors go to no program that this one starts.
    """
    global message
    text = os.environ.pop(VARIABLE, None)
    if text is None:
        return
    try:
        state = json.loads(text)
        if state["pid"] != os.getpid():
            return  # our parent was about to start itself again when it started us
        entries = [(int(fd), _key(*key)) for fd, *key in state["sockets"]]
    except (ValueError, TypeError, KeyError) as error:
        gen_log.warning("the environment variable %s is passed over: %s", VARIABLE, error)
        return
    message = state
    for descriptor, key in entries:
        keeper = listening(descriptor)
        if keeper is not None:
            _kept.append(_InheritedSocket(key, keeper))
    if _kept:
        atexit.register(release)


def keep(sock: socket.socket, address: Any) -> None:
    """Keep a socket that somebody else has handed over, to be claimed by `address`."""
    if not _kept:
        atexit.register(release)
    _kept.append(_InheritedSocket((int(sock.family), address, False), sock))


def waiting() -> list[_InheritedSocket]:
    """What was inherited and has not been claimed."""
    return [kept for kept in _kept if kept.taken is None]


def _key(family: int, address: Any, reuse_port: bool) -> Key:
    return (family, tuple(address) if isinstance(address, list) else str(address), reuse_port)


def listening(descriptor: int) -> socket.socket | None:
    """The listening socket behind a descriptor that was handed over; None where it is something else."""
    try:
        os.set_inheritable(descriptor, False)
        sock = socket.socket(fileno=descriptor)
    except OSError:
        return None  # closed, or not a socket
    try:
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return sock
    except (OSError, AttributeError):
        pass
    sock.detach()  # of somebody else: the number was given away before we were asked
    return None


take_over()
