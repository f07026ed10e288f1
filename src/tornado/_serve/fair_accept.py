"""Shares new connections evenly between workers that have one listening socket.

All workers wait for the same socket, so a connection never waits for a worker that is blocked. Without
further measures, a worker that is quick or idle takes most of the connections: up to twice its share was
measured. Therefore each worker publishes its number of connections in shared memory. A worker with more than
its share pauses for a moment. Then it takes a few connections, because the others may be blocked.

A worker that reports a problem, such as channels that receive no messages, accepts no connections while
another one is healthy and has room for more connections. A worker at its maximum number of connections
accepts none, and so refuses none, while another one has room. Each worker says so once per second, for a few
seconds at a time, and when this changes. Workers that are blocked, stopped or killed are therefore not waited
for.

``docs/design/0009-serving.md`` has the measurements, also for one socket for each worker (SO_REUSEPORT).
"""

from __future__ import annotations

import mmap
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from tornado.netutil._accept import AcceptPause

#: The maximum number of worker processes, with those that are draining.
MAX_SEATS = 1024
#: The number of connections by which a worker may exceed the average before it pauses.
_ALLOWANCE = 8
#: The duration of a pause, in seconds, and the number of connections that are accepted after it.
_PAUSE = 0.002
_AFTER_PAUSE = 4
#: The duration of a pause of a worker with a problem, in seconds.
_PROBLEM_PAUSE = 0.1
#: The duration of a pause of a worker without room, in seconds. It is shorter, because the worker has room as
#: soon as a connection ends.
_FULL_PAUSE = 0.01
_FREE = -1
_SIZE = 2 * MAX_SEATS * 8


class ConnectionTable:
    """The number of connections and the health of each worker, in memory that the processes share.

    A worker has a seat, which is the index of its values. Each value is written by one process only: by the
    worker, and by the supervisor before the worker starts and after it has ended. Times are those of
    `time.monotonic`, which is the same clock in all processes.

    :param descriptor: that of the memory of the previous program in this process; None creates it.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = _create() if descriptor is None else descriptor
        os.ftruncate(self.descriptor, _SIZE)  # the previous program may have had a smaller table
        self._map = mmap.mmap(self.descriptor, _SIZE)
        self._counts = memoryview(self._map)[: MAX_SEATS * 8].cast("q")
        #: The time until which each worker is known to have room, in milliseconds. It is negative if the
        #: worker has a problem, and 0 if it has no room.
        self._room_until = memoryview(self._map)[MAX_SEATS * 8 :].cast("q")
        if descriptor is None:
            for seat in range(MAX_SEATS):
                self._counts[seat] = _FREE

    def take_seat(self) -> int:
        """Return the index of a free seat, which is no longer free.

        :raises RuntimeError: if there are `MAX_SEATS` workers.
        """
        for seat in range(MAX_SEATS):
            # A worker that has stopped accepting is free for `share`, so the supervisor marks it differently.
            if self._counts[seat] == _FREE:
                self._counts[seat] = 0
                return seat
        raise RuntimeError(f"there are {MAX_SEATS} worker processes already; wait until some have ended")

    def free_seat(self, seat: int) -> None:
        """Free the seat of a worker that has ended."""
        self._counts[seat] = _FREE
        self._room_until[seat] = 0

    def publish(self, seat: int, count: int) -> None:
        """Set the number of connections of a worker."""
        self._counts[seat] = count

    def leave(self, seat: int) -> None:
        """Exclude a worker that has stopped accepting from the average; its seat is not free yet."""
        self._counts[seat] = _FREE - 1

    def report_health(self, seat: int, until: float, has_problem: bool = False) -> None:
        """Set the time until which a worker is known to have room for more connections.

        :param until: on the clock of `time.monotonic`; 0 if it has no room, or does not accept connections.
        :param has_problem: whether it is not healthy, so that it accepts only if no healthy worker has room.
        """
        milliseconds = int(until * 1000)
        self._room_until[seat] = -milliseconds if has_problem else milliseconds

    def has_healthy_worker(self, now: float) -> bool:
        """Whether a healthy worker has room, so that those with a problem need not accept connections."""
        return max(self._room_until[: self._occupied()]) > now * 1000

    def has_worker_with_room(self, now: float) -> bool:
        """Whether a worker, with or without a problem, has room, so that those without need not refuse."""
        times = self._room_until[: self._occupied()]
        return max(times) > now * 1000 or min(times) < -now * 1000

    def exceeds_share(self, seat: int, count: int) -> bool:
        """Whether a worker with `count` connections should leave the next one to others."""
        total = workers = 0
        for each in self._counts[: self._occupied()].tolist():
            if each >= 0:
                total += each
                workers += 1
        return (count - _ALLOWANCE) * workers > total

    def _occupied(self) -> int:
        """Return a number n such that the first n seats include those of all workers."""
        limit = 64
        while limit < MAX_SEATS and self._counts[limit - 1] != _FREE:
            limit *= 2
        return limit

    def close(self) -> None:
        """Release the memory in this process."""
        self._counts.release()
        self._room_until.release()
        self._map.close()
        os.close(self.descriptor)


class FairListener(socket.socket):
    """A listening socket of a worker that leaves connections to other workers with fewer of them.

    :param sock: the listening socket, whose descriptor this one takes over.
    :param count: returns the number of open connections of this worker.
    :param has_problem: whether connections should be left to healthy workers.
    :param is_full: whether this worker would refuse a connection. It also reports this to the table.
    """

    def __init__(
        self,
        sock: socket.socket,
        table: ConnectionTable,
        seat: int,
        count: Callable[[], int],
        has_problem: Callable[[], bool] = lambda: False,
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._table = table
        self._seat = seat
        self._count = count
        self._has_problem = has_problem
        self._is_full = is_full
        self._allowed = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        :raises AcceptPause: if other workers have fewer connections, if this one has a problem and a healthy
            one has room, or if this one has no room and another one has.
        """
        if self._has_problem() and self._table.has_healthy_worker(time.monotonic()):
            raise AcceptPause(_PROBLEM_PAUSE)
        if self._is_full() and self._table.has_worker_with_room(time.monotonic()):
            raise AcceptPause(_FULL_PAUSE)
        count = self._count()
        if self._allowed:
            self._allowed -= 1
        elif self._table.exceeds_share(self._seat, count):
            self._allowed = _AFTER_PAUSE
            raise AcceptPause(_PAUSE)
        accepted = super().accept()
        self._table.publish(self._seat, count + 1)
        return accepted

    def accept_without_pause(self) -> tuple[socket.socket, Any]:
        """Accept a connection at the end of the socket: the other workers may have closed it already."""
        return super().accept()


def _create() -> int:
    """Return a descriptor of memory that survives ``exec``; `mmap.mmap` without a file does not."""
    if sys.platform == "linux" and hasattr(os, "memfd_create"):
        return os.memfd_create("waterspout")
    descriptor, name = tempfile.mkstemp()
    os.unlink(name)
    return descriptor


__all__ = ["MAX_SEATS", "ConnectionTable", "FairListener"]
