"""Detection of disconnects on sockets that are not being read.

While a consumer has paused reading, its socket holds unread data. A reader would be called in every event
loop iteration, so the socket has no reader, and the event loop does not report a reset. Therefore ``poll()``
checks all such sockets once a second. Its event mask does not include input: errors and hang-ups are always
reported, and on Linux a half-close (``POLLRDHUP``) as well. Most pauses are shorter than a second, so adding
and removing a socket must not cost a system call.

Alternatives that were considered: continuing to read would need memory for everything that the peer sends.
Rejecting a peer that sends too much data ahead breaks clients that pipeline a large upload after a request.
The epoll object of `tornado._loop.epoll` could detect a reset sooner, but would need two system calls per
pause, and other systems and loops would need different code.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable
from typing import Any

#: Seconds between two checks.
INTERVAL = 1.0
# Windows has no poll(): there a disconnect is detected when reading resumes.
_HALF_CLOSED: int = getattr(select, "POLLRDHUP", 0)
_BROKEN: int = 0
if sys.platform != "win32":
    _BROKEN = select.POLLERR | select.POLLHUP | select.POLLNVAL


#: Called with True when a connection is broken, and with False after a half-close.
DisconnectCallback = Callable[[bool], None]


def _new_poll() -> Any:
    """Return a new poll object."""
    if sys.platform != "win32":
        return select.poll()
    raise NotImplementedError("Windows has no poll()")


class DisconnectMonitor:
    """The sockets of one event loop that are not being read, each with a callback.

    The callback is called once when the peer has closed its sending side, and once when the connection is
    broken, after which the socket is no longer watched.
    """

    __slots__ = ("_callbacks", "_loop", "_poll", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._callbacks: dict[int, DisconnectCallback] = {}
        self._poll = _new_poll()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, descriptor: int, callback: DisconnectCallback) -> None:
        """Watch `descriptor`. If it is already watched, a half-close is reported once more."""
        self._callbacks[descriptor] = callback
        self._poll.register(descriptor, _HALF_CLOSED)
        if self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._check)

    def unwatch(self, descriptor: int, callback: DisconnectCallback) -> None:
        """Stop watching `descriptor`, if `callback` is its current callback."""
        if self._callbacks.get(descriptor) == callback:
            del self._callbacks[descriptor]
            self._poll.unregister(descriptor)

    def _check(self) -> None:
        # The timer ends when no socket is watched. `unwatch` does not cancel the timer, because each pause
        # would then need a new one.
        self._timer = self._loop.call_later(INTERVAL, self._check) if self._callbacks else None
        for descriptor, events in self._poll.poll(0):
            callback = self._callbacks.get(descriptor)
            if callback is None:  # removed by the callback of an earlier event
                continue
            if events & _BROKEN:
                self.unwatch(descriptor, callback)
                callback(True)
            else:
                self._poll.modify(descriptor, 0)  # errors and hang-ups are still reported
                callback(False)
