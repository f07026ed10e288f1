"""Accepts connections in bounded batches, and pauses when the process has run out of file descriptors."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from tornado._tornado4.deprecation import ignored_loop
from tornado.ioloop import IOLoop
from tornado.log import gen_log
from tornado.netutil._listen import DEFAULT_BACKLOG

# Maximum number of connections accepted per event loop iteration, so that a burst of new connections does not
# starve the established ones.
_BATCH = DEFAULT_BACKLOG
# Seconds for which accepting pauses after the process or the machine ran out of descriptors or memory.
_BACK_OFF = 1.0

_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
# accept(2) reports pending errors of the new connection. These errors do not concern the listening socket.
_CONNECTION_ERRORS = frozenset(
    getattr(errno, name)
    for name in (
        "ECONNABORTED",
        "EPROTO",
        "EPERM",
        "ENETDOWN",
        "ENOPROTOOPT",
        "EHOSTDOWN",
        "ENONET",
        "EHOSTUNREACH",
        "ENETUNREACH",
    )
    if hasattr(errno, name)
)

_last_report = float("-inf")
# The offset of `tcpi_unacked` in `struct tcp_info` (linux/tcp.h). For a listening socket, it is the number of
# connections in the accept queue.
_BACKLOG_OFFSET = 24


def accept_backlog(sock: socket.socket) -> int | None:
    """Return how many connections wait to be accepted on a listening TCP socket; None if this is unknown."""
    option = getattr(socket, "TCP_INFO", None)
    if option is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, option, _BACKLOG_OFFSET + 4)
    except OSError:  # closed, or another protocol
        return None
    if len(info) < _BACKLOG_OFFSET + 4:
        return None
    return int.from_bytes(info[_BACKLOG_OFFSET:], sys.byteorder)


class AcceptPause(BlockingIOError):
    """Raised by ``accept`` of a listening socket that should not be watched for a while.

    :ivar seconds: the duration.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(errno.EAGAIN, f"accepting pauses for {seconds:g} s")
        self.seconds = seconds


def add_accept_handler(
    sock: socket.socket, callback: Callable[[socket.socket, Any], None], io_loop: IOLoop | None = None
) -> Callable[[], None]:
    """Call ``callback(connection, address)`` for each connection that arrives on ``sock``.

    :param sock: a non-blocking listening socket.
    :param callback: called with the connected socket and the peer's address, whose form depends on the
        address family. The socket is in blocking mode; a stream makes it non-blocking.
    :returns: a function without arguments that stops accepting. It does not close ``sock``.

    The handler belongs to the current `.IOLoop`. When descriptors or memory run out, accepting pauses for one
    second, one line is logged, and new connections wait in the kernel's backlog.
    """
    if io_loop is not None:
        ignored_loop("add_accept_handler")
    acceptor = _Acceptor(sock, callback)
    acceptor.resume()
    return acceptor.remove


class _Acceptor:
    """The accept handler of one listening socket. It is running, paused or removed."""

    __slots__ = ("_accept", "_callback", "_io_loop", "_removed", "_sock", "_timer")

    def __init__(self, sock: socket.socket, callback: Callable[[socket.socket, Any], None]) -> None:
        self._sock = sock
        self._accept = _accept_function(sock)
        self._callback = callback
        self._io_loop = IOLoop.current()
        self._timer: object | None = None
        self._removed = False

    def resume(self) -> None:
        self._timer = None
        self._io_loop.add_handler(self._sock, self._on_readable, IOLoop.READ)

    def remove(self) -> None:
        if self._removed:
            return
        self._removed = True
        if self._timer is None:
            self._io_loop.remove_handler(self._sock)
        else:
            self._io_loop.remove_timeout(self._timer)
            self._timer = None

    def _on_readable(self, sock: Any, events: int) -> None:
        accept = self._sock.accept
        # Programs patch the method at run time, too.
        if self._accept is not None and socket.socket.accept is _ACCEPT:
            accept = self._accept
        callback = self._callback
        for _ in range(_BATCH):
            if self._removed:  # the previous call of the callback removed the handler
                return
            try:
                connection, address = accept()
            except BlockingIOError as error:
                if isinstance(error, AcceptPause):
                    self._pause(error.seconds)
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(_BACK_OFF)
                    _report_exhaustion(error)
                    return
                if error.errno not in _CONNECTION_ERRORS:
                    raise
                continue
            callback(connection, address)

    def _pause(self, seconds: float) -> None:
        self._io_loop.remove_handler(self._sock)
        self._timer = self._io_loop.call_later(seconds, self.resume)


_ACCEPT = socket.socket.accept


def _accept_function(sock: socket.socket) -> Callable[[], tuple[socket.socket, Any]] | None:
    """Return a function that does what ``sock.accept`` does for a non-blocking socket, or None if the method
    is that of another class.

    `socket.socket.accept` converts the family and the type of the socket to enumerations for each connection,
    which takes a third of its time.
    """
    accept_descriptor = getattr(sock, "_accept", None)  # how `socket.socket.accept` gets the descriptor
    own = getattr(type(sock), "accept", None)  # a wrapper may not have it
    if own is not _ACCEPT or accept_descriptor is None or sock.gettimeout() != 0:
        return None

    family, kind, protocol = int(sock.family), int(sock.type), sock.proto
    make = socket.socket

    def accept() -> tuple[socket.socket, Any]:
        descriptor, address = accept_descriptor()
        return make(family, kind, protocol, descriptor), address

    return accept


def accept_next(sock: socket.socket, callback: Callable[[socket.socket, Any], None]) -> bool:
    """Call ``callback(connection, address)`` for the next connection in a queue that is being emptied.

    A socket whose ``accept`` leaves connections to other processes has a method ``accept_without_pause``,
    which is called instead, because those processes may have closed the socket already.

    :returns: False if there is none, or no descriptor for it.
    """
    accept = getattr(sock, "accept_without_pause", sock.accept)
    try:
        connection, address = accept()
    except OSError as error:
        return error.errno in _CONNECTION_ERRORS
    callback(connection, address)
    return True


def _report_exhaustion(error: OSError) -> None:
    """Log at most one line per second for all listening sockets together; two if several threads accept."""
    global _last_report
    now = time.monotonic()
    if now - _last_report < _BACK_OFF:
        return
    _last_report = now
    if error.errno in (errno.EMFILE, errno.ENFILE):
        advice = "raise the limit (ulimit -n, LimitNOFILE, fs.file-max) or close idle connections earlier"
    else:
        advice = "the kernel has run out of memory for sockets"
    gen_log.error(
        "accepting paused for %g s: %s; %s", _BACK_OFF, os.strerror(error.errno or errno.EMFILE), advice
    )
