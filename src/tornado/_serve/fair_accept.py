"""Shares new connections evenly between workers that have one listening socket.

All workers wait for the same socket, so a connection never waits for a worker that is blocked. Without
further measures, a worker that is quick or idle takes most of the connections: up to twice its share was
measured. Therefore each worker publishes its number of connections in shared memory, and accepts none that
would give it more than 4/3 of its even share plus one. Nor does it accept more than a few in a row while
another one has not looked at the socket: that one may not have run since some of its connections ended.

In both cases, the worker looks at the socket twice more, and then pauses, up to 62 ms in total. If the others
have not accepted or looked by then, they are blocked, and do not count until they look again.

A worker that reports a problem, such as channels that receive no messages, accepts no connections while
another one is healthy and has room for more connections. A worker at its maximum number of connections
accepts none, and so refuses none, while another one has room. Each worker says so once per second, for a few
seconds at a time, and when this changes. Workers that are blocked, stopped or killed are therefore not waited
for.

``docs/design/0009-serving.md`` has the measurements, also for one socket for each worker (SO_REUSEPORT).
"""

from __future__ import annotations

import errno
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
#: The number of connections by which a worker may exceed the average. For up to 24 connections for each
#: worker, a third of the average is less.
_ALLOWANCE = 8
#: How many connections a worker accepts in a row while another one has not looked at the socket: two, and one
#: more for each eight that it has.
_ROW, _ROW_SHARE = 2, 4
#: How often a worker with more than its share looks at the socket again at once. The others are being woken
#: in the meantime, and a look costs as much as an attempt to accept that comes too late.
_LOOKS = 4
#: The durations of the pauses after that, in seconds.
_PAUSES = (0.002, 0.004, 0.008, 0.016, 0.032)
#: The duration of a pause of a worker with a problem, in seconds.
_PROBLEM_PAUSE = 0.1
#: The duration of a pause of a worker without room, in seconds. It is shorter, because the worker has room as
#: soon as a connection ends.
_FULL_PAUSE = 0.01
_FREE = -1
#: The seat is taken, but its worker does not accept connections: not yet, or not any more.
_ABSENT = -2
_SIZE = 3 * MAX_SEATS * 8


class ConnectionTable:
    """The number of connections and the health of each worker, in memory that the processes share.

    A worker has a seat, which is the index of its values. Each value is written by one process only: by the
    worker, and by the supervisor before the worker starts and after it has ended. Times are those of
    `time.monotonic`, which is the same clock in all processes.

    :param descriptor: that of the memory of the previous program in this process; None creates it.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = create_memory() if descriptor is None else descriptor
        os.ftruncate(self.descriptor, _SIZE)  # the previous program may have had a smaller table
        self._map = mmap.mmap(self.descriptor, _SIZE)
        self._counts = memoryview(self._map)[: MAX_SEATS * 8].cast("q")
        #: The time until which each worker is known to have room, in milliseconds. It is negative if the
        #: worker has a problem, and 0 if it has no room.
        self._room_until = memoryview(self._map)[MAX_SEATS * 8 : 2 * MAX_SEATS * 8].cast("q")
        #: How often each worker has looked whether there is a connection.
        self._looks = memoryview(self._map)[2 * MAX_SEATS * 8 :].cast("q")
        if descriptor is None:
            for seat in range(MAX_SEATS):
                self._counts[seat] = _FREE

    def take_seat(self) -> int:
        """Return the index of a free seat, which is no longer free.

        :raises RuntimeError: if there are `MAX_SEATS` workers.
        """
        for seat in range(MAX_SEATS):
            if self._counts[seat] == _FREE:
                self._counts[seat] = _ABSENT
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
        self._counts[seat] = _ABSENT

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

    def add_look(self, seat: int) -> None:
        """Count that a worker has looked whether there is a connection."""
        self._looks[seat] += 1

    def looks(self) -> list[int]:
        """Return the number of looks of each worker."""
        return self._looks[: self._occupied()].tolist()

    def others(self, seat: int, stuck: dict[int, int]) -> dict[int, int]:
        """Return the numbers of connections of the other workers that accept connections, by their seats.

        :param stuck: the number of looks of workers that are blocked, by their seats. They do not count until
            they look again, and are then removed.
        """
        counts = self._counts[: self._occupied()].tolist()
        found = {each: count for each, count in enumerate(counts) if count >= 0 and each != seat}
        for each, looks in list(stuck.items()):
            if self._looks[each] != looks:
                del stuck[each]
            else:
                found.pop(each, None)
        return found

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
        self._looks.release()
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
        #: How often this worker has left the next connection to others in this state, and the state.
        self._refusals = 0
        self._state_of_others: object = None
        #: The number of connections accepted since all others had looked, and their looks at the first one.
        self._row = 0
        self._looks: dict[int, int] = {}
        #: The number of looks of workers that are blocked, by their seats.
        self._stuck: dict[int, int] = {}

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        :raises AcceptPause: if other workers have fewer connections, if this one has a problem and a healthy
            one has room, or if this one has no room and another one has.
        :raises BlockingIOError: if there is no connection, or other workers may be about to accept it.
        """
        if self._has_problem() and self._table.has_healthy_worker(time.monotonic()):
            raise AcceptPause(_PROBLEM_PAUSE)
        if self._is_full() and self._table.has_worker_with_room(time.monotonic()):
            raise AcceptPause(_FULL_PAUSE)
        self._table.add_look(self._seat)
        count = self._count()
        others = self._table.others(self._seat, self._stuck)
        if exceeds_share(count, sum(others.values()), len(others)):
            self._leave_to_others(others, [seat for seat, each in others.items() if each < count])
        elif self._row >= _ROW + count // _ROW_SHARE:
            looks = self._table.looks()
            if absent := [seat for seat in others if looks[seat] == self._looks.get(seat)]:
                self._leave_to_others(others, absent)
            self._row = 0
        accepted = super().accept()
        self._table.publish(self._seat, count + 1)
        self._refusals = 0
        if self._row == 0:
            self._looks = dict(enumerate(self._table.looks()))
        self._row += 1
        return accepted

    def _leave_to_others(self, others: dict[int, int], awaited: list[int]) -> None:
        """Give other workers time to accept a connection. Return when they have had enough.

        :param others: their numbers of connections by their seats.
        :param awaited: the seats of those that should accept or look.
        """
        state = others, awaited
        if state != self._state_of_others:
            self._refusals, self._state_of_others = 0, state
        self._refusals += 1
        if self._refusals <= _LOOKS:
            raise BlockingIOError(errno.EAGAIN, "other workers have fewer connections")
        if self._refusals <= _LOOKS + len(_PAUSES):
            raise AcceptPause(_PAUSES[self._refusals - _LOOKS - 1])
        looks = self._table.looks()
        self._stuck.update((seat, looks[seat]) for seat in awaited)

    def accept_without_pause(self) -> tuple[socket.socket, Any]:
        """Accept a connection at the end of the socket: the other workers may have closed it already."""
        return super().accept()


def exceeds_share(count: int, total: int, workers: int) -> bool:
    """Whether a worker with `count` connections should leave the next one to others.

    :param total: the number of connections of the other workers.
    :param workers: the number of the other workers that accept connections.
    """
    all_workers = workers + 1
    return workers > 0 and (
        3 * count * all_workers > 4 * (count + total + 1)
        or (count - _ALLOWANCE) * all_workers > count + total
    )


def create_memory() -> int:
    """Return a descriptor of memory that survives ``exec``; `mmap.mmap` without a file does not."""
    if sys.platform == "linux" and hasattr(os, "memfd_create"):
        return os.memfd_create("waterspout")
    descriptor, name = tempfile.mkstemp()
    os.unlink(name)
    return descriptor


__all__ = ["MAX_SEATS", "ConnectionTable", "FairListener", "create_memory", "exceeds_share"]
