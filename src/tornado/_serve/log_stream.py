"""`LogStream`: standard error as the log of a service writes to it, without ever waiting for its reader.

A reader that stops, such as a log shipper that hangs, would otherwise stop the supervisor in a ``write``: it
would handle neither SIGTERM nor a blocked worker. A pipe cannot be made non-blocking for one process only, so
it is opened a second time. A socket, such as that of systemd's journal, has a flag for each call.

Lines that do not fit are kept up to a limit, and sent when the log is used or `flush_streams` is called.
Further lines are dropped, and counted in a line of the log.
"""

from __future__ import annotations

import functools
import os
import select
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from tornado._thread_safety import WeakRegistry
from tornado.log import gen_log

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

__all__ = ["LogStream", "finish_streams", "flush_streams", "write_report"]

#: The maximum size of the output that is kept while the reader does not read, in bytes.
MAX_KEPT = 256 * 1024
#: Up to this size, a write to a pipe either fits or fails; the lines of several processes are not mixed.
_CHUNK = select.PIPE_BUF if hasattr(select, "PIPE_BUF") else 512


class LogStream:
    """A text stream for `logging.StreamHandler`. Threads may share it.

    :param descriptor: the file descriptor.
    :ivar lost: the number of lines that were dropped and have not been reported.
    """

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._send, self._close = _sender(descriptor)
        self._kept = bytearray()
        # Reentrant, because a signal handler or a finalizer may log while this thread holds it.
        self._lock = threading.RLock()
        #: Whether the thread that holds the lock sends output.
        self._is_flushing = False
        self.lost = 0
        _streams.add(self)

    def write(self, text: str) -> int:
        """Write the text of a record, or drop it."""
        data = text.encode(errors="backslashreplace")
        with self._lock:
            if self._kept and len(self._kept) + len(data) > MAX_KEPT:
                # Counted first, because a signal handler may change the number during that time.
                lines = data.count(b"\n")
                self.lost += lines
            else:
                self._kept += data
            self._flush()
        return len(text)

    def flush(self) -> None:
        """Send output that was kept, and report lines that were dropped once the reader reads again."""
        with self._lock:
            self._flush()
            lost = 0 if self._kept else self.lost
            self.lost -= lost
        if lost:
            gen_log.error("%d lines of the log were dropped, because standard error was not read", lost)

    def finish(self, timeout: float) -> None:
        """Wait until all output has been sent, before the process ends.

        :param timeout: the maximum time to wait, in seconds.
        """
        deadline = time.monotonic() + timeout
        self.flush()
        while self._kept and (left := deadline - time.monotonic()) > 0:
            select.select([], [self._descriptor], [], left)
            self.flush()

    def close(self) -> None:
        """Release what was opened. Nothing is written afterwards."""
        self._send = len
        self._close()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def after_fork(self) -> None:
        """Start anew in a child process: the parent sends its own output."""
        self._lock = threading.RLock()
        self._is_flushing = False
        self._kept.clear()
        self.lost = 0

    def _flush(self) -> None:
        # A nested call would send bytes again that have been sent but not removed yet.
        if self._is_flushing:
            return
        self._is_flushing = True
        try:
            while self._kept:
                del self._kept[: self._send(self._next_chunk())]
        except BlockingIOError:
            pass
        except OSError:  # there is no reader, or no standard error
            self._kept.clear()
        finally:
            self._is_flushing = False

    def _next_chunk(self) -> bytearray:
        """Return as many complete lines as fit, because another process may write between two chunks."""
        if len(self._kept) <= _CHUNK:
            return self._kept[:]
        end = self._kept.rfind(b"\n", 0, _CHUNK) + 1
        return self._kept[: end or _CHUNK]


_Send = Callable[[bytes | bytearray], int]


def _sender(descriptor: int) -> tuple[_Send, Callable[[], object]]:
    """Return a function that sends as much as possible without waiting, and one that closes what it uses.

    The first one returns the number of bytes.
    """
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return len, _close_nothing
    if stat.S_ISSOCK(mode) and hasattr(socket, "MSG_DONTWAIT"):
        sock = socket.socket(fileno=os.dup(descriptor))
        return lambda data: sock.send(data, socket.MSG_DONTWAIT), sock.close
    if not stat.S_ISFIFO(mode) and not stat.S_ISCHR(mode):
        return functools.partial(os.write, descriptor), _close_nothing
    try:
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        own = os.open(f"/proc/self/fd/{descriptor}", flags)
    except OSError:  # another user's, or not on Linux
        return functools.partial(_send_if_writable, descriptor), _close_nothing
    return functools.partial(os.write, own), functools.partial(os.close, own)


def _close_nothing() -> None:
    pass


def _send_if_writable(descriptor: int, data: bytes | bytearray) -> int:
    """Send to a pipe if a write of this size does not wait, unless another process writes in the meantime."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(descriptor, data)


_streams: WeakRegistry[LogStream] = WeakRegistry()


def flush_streams() -> None:
    """Send what was kept, in a process whose log may be silent for a long time."""
    for stream in _streams.snapshot():
        stream.flush()


def write_report(text: str) -> None:
    """Write a text that is not a log record, such as the reason why a program cannot start."""
    streams: list[LogStream | TextIO] = [*_streams.snapshot()]
    for stream in streams or [sys.stderr]:
        _ = stream.write(text)
        stream.flush()


def finish_streams(timeout: float = 0.5) -> None:
    """Wait for a moment until all output has been sent, before the process ends.

    :param timeout: the maximum time to wait, in seconds.
    """
    for stream in _streams.snapshot():
        stream.finish(timeout)


def _after_fork() -> None:
    for stream in _streams.snapshot():
        stream.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
