"""`LogWriter`: writes the lines of an access log in a thread of its own.

A write to a file can take seconds while the disk is busy, and `O_NONBLOCK` has no effect on files. A write in
the event loop's thread would thus delay all clients, so lines are collected in a queue, and a thread writes
all that have arrived with one system call, at most ten times per second. Passing on one line costs the event
loop an append, since the thread is woken once per batch only: 0.15 us instead of 3 us for a wake-up per line.

The queue is bounded. Lines that do not fit, because the disk is full or too slow, are counted and reported.
The file is opened for appending, and a batch consists of whole lines, so that several processes may write to
one file. It is opened again when its path refers to another file, as after a rotation.
"""

from __future__ import annotations

import atexit
import os
import select
import stat
import sys
import threading

from tornado._thread_safety import WeakRegistry, atomic
from tornado.iostream._file_segment import O_BINARY
from tornado.log import gen_log

__all__ = ["LogWriter"]

#: The time between two batches, in seconds.
_INTERVAL = 0.1
#: The time between two attempts to write after an error, in seconds.
_RETRY_INTERVAL = 1.0
#: The maximum number of lines in one write.
_MAX_BATCH = 4096
_MAX_PENDING = 32 * 1024 * 1024
_NOTHING = memoryview(b"")


class LogWriter:
    """A file to which lines are written by a thread, which is started by the first line.

    :param path: the path of the file; None for standard output.
    :param max_pending: the maximum size of the lines that wait to be written, in characters.
    :ivar lost: the number of lines that were not written.
    """

    def __init__(self, path: str | None = None, max_pending: int = _MAX_PENDING) -> None:
        self.path: str | None = path
        self.max_pending: int = max_pending
        self.lost: int = 0
        self._reported = 0
        #: Whether it was reported that lines are being lost.
        self._is_losing = False
        self._lines: list[str] = []
        # `_taken` is written by the thread only, `_added` by the event loops.
        self._added = self._taken = 0
        #: The value of `_added` at which no more lines fit.
        self._limit = max_pending
        self._unwritten = _NOTHING
        #: The maximum size of one write, which may be interrupted by another process after that.
        self._max_write: int | None = None
        self._descriptor: int | None = None
        self._identity: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        #: Whether the thread will look at the queue again without being woken.
        self._is_awake = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._error: OSError | None = None
        _writers.add(self)

    @atomic
    def write(self, line: str) -> None:
        """Add a line, which ends with a line feed. The method never waits for the file."""
        size = len(line)
        if self._added + size > self._limit:
            self.lost += 1
            if not self._is_losing:
                self._is_losing = True
                gen_log.error(
                    "access log %s: lines are lost, because they cannot be written fast enough", self._name()
                )
            return
        self._added += size
        self._lines.append(line)
        if not self._is_awake:
            self._wake_thread()

    def _wake_thread(self) -> None:
        self._is_awake = True
        with self._starting:  # several event loops may write to one log
            if self._thread is None:
                self._closing.clear()
                self._thread = threading.Thread(target=self._run, name="tornado access log", daemon=True)
                self._thread.start()
        self._wake.set()

    def close(self, timeout: float = 5.0) -> None:
        """Write the waiting lines, and end the thread; a later line starts it again.

        :param timeout: the maximum time to wait for the file, in seconds. Lines that are not written by then
            are lost.
        """
        thread = self._thread
        if thread is None:
            return
        self._closing.set()
        self._wake.set()
        thread.join(timeout)
        self._thread = None
        if thread.is_alive():
            gen_log.error("access log %s: lines may be lost, because a write takes too long", self._name())

    def after_fork(self) -> None:
        """Start anew in a child process, where the thread does not exist. The parent writes its own lines."""
        self._lines.clear()
        self._added = self._taken = 0
        self._limit = self.max_pending
        self._unwritten = _NOTHING
        self._thread = None
        self._starting = threading.Lock()
        self._is_awake = False
        self._wake, self._closing = threading.Event(), threading.Event()

    # -- the thread --

    def _run(self) -> None:
        closing = False
        while not closing:
            self._wake.wait()
            # More lines are collected for one write.
            closing = self._closing.wait(_RETRY_INTERVAL if self._error else _INTERVAL)
            self._wake.clear()
            closing = closing or self._closing.is_set()  # `close` may have been called since the interval
            # From here on, a new line wakes the thread; lines before are taken now.
            self._is_awake = False
            self._write_all()
            if self._error is not None:
                self._is_awake = True
                self._wake.set()  # try again later
        if self._unwritten:
            self.lost += bytes(self._unwritten).count(b"\n") + len(self._lines)
            self._unwritten = _NOTHING
        self._report()
        self._close_file()

    def _write_all(self) -> None:
        try:
            self._open_again_if_rotated()
            while self._lines or self._unwritten:
                if not self._unwritten:
                    self._unwritten = memoryview(self._take_batch())
                written = self._write(self._unwritten)
                self._unwritten = self._unwritten[written:]
                if not self._unwritten and self._error is not None:
                    self._error = None
                    self._report()
        except OSError as error:
            if self._error is None:
                gen_log.error("access log %s cannot be written, trying again: %s", self._name(), error)
            self._error = error
            self._close_file()
            return
        if self.lost > self._reported:
            self._report()

    def _take_batch(self) -> bytes:
        # Both operations are atomic, and the other threads only append, also between the two.
        lines = self._lines[:_MAX_BATCH]
        del self._lines[: len(lines)]
        text = "".join(lines)
        self._taken += len(text)
        self._limit = self._taken + self.max_pending
        return text.encode("utf-8", "backslashreplace")

    def _write(self, data: memoryview) -> int:
        descriptor = self._descriptor
        assert descriptor is not None
        if self._max_write is not None and len(data) > self._max_write:
            end = bytes(data[: self._max_write]).rfind(b"\n") + 1
            data = data[: end or self._max_write]
        try:
            return os.write(descriptor, data)
        except BlockingIOError:  # standard output may be a pipe that another process has made non-blocking
            select.select([], [descriptor], [], _RETRY_INTERVAL)
            return 0

    def _open_again_if_rotated(self) -> None:
        if self.path is None:
            if self._descriptor is None:
                self._descriptor = 1
                # Up to this size, the lines of processes that share a pipe are not mixed (POSIX, write).
                if sys.platform != "win32" and stat.S_ISFIFO(os.fstat(1).st_mode):
                    self._max_write = select.PIPE_BUF
            return
        if self._descriptor is not None:
            try:
                found = os.stat(self.path)
                if (found.st_dev, found.st_ino) == self._identity:
                    return
            except FileNotFoundError:
                pass
            self._close_file()
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | O_BINARY, 0o640)
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)

    def _close_file(self) -> None:
        if self.path is not None and self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def _report(self) -> None:
        lost, self._reported = self.lost - self._reported, self.lost
        self._is_losing = False
        if lost:
            gen_log.error(
                "access log %s: %d lines were lost, because the file could not be written fast enough",
                self._name(),
                lost,
            )

    def _name(self) -> str:
        return "on standard output" if self.path is None else self.path


_writers: WeakRegistry[LogWriter] = WeakRegistry()


def _after_fork() -> None:
    for writer in _writers.snapshot():
        writer.after_fork()


def _at_exit() -> None:
    for writer in _writers.snapshot():
        writer.close()


if sys.platform != "win32" and hasattr(os, "register_at_fork"):  # Pyodide and WASI do not have it
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
