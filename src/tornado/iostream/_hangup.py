"""Detecting a disconnect on sockets that are not being read.

While a consumer has paused reading, its socket holds unread data. A reader on it would be called in every
iteration of the event loop, so it has no reader, and nothing else reports a reset. Once a second ``poll()``
checks all such sockets, without asking for input: errors and hang-ups are always reported, and Linux
reports a half-close (``POLLRDHUP``) as well. Entering and leaving the list costs no system call, since most
pauses are shorter than a second.

Other ways were considered. Reading on needs memory for whatever the peer sends. Refusing a peer that sends
too much ahead breaks clients that pipeline a large upload behind a request. A second epoll instance, watched
by the event loop, would be prompter, but costs four system calls a pause, a descriptor, and other code
elsewhere than on Linux.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

#: Seconds between two looks.
INTERVAL = 1.0
# Windows has no poll(): there a disconnect is noticed when reading resumes.
_HALF_CLOSED: int = getattr(select, "POLLRDHUP", 0)
_BROKEN: int = select.POLLERR | select.POLLHUP | select.POLLNVAL if hasattr(select, "poll") else 0


#: Told that a peer has disconnected: True if the connection is broken, False after a half-close.
HungUp = Callable[[bool], None]


class HangUpMonitor:
    """The sockets of one event loop that are not read, each with a callback.

    The callback is called when the peer has closed its sending side, and when the connection is broken. It is
    told of the former once; after the latter the socket is not watched any more.
    """

    __slots__ = ("_callbacks", "_loop", "_poll", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._callbacks: dict[int, HungUp] = {}
        self._poll = select.poll()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, descriptor: int, callback: HungUp) -> None:
        """Watch `descriptor`; one that is watched already is told once more of a half-close."""
        self._callbacks[descriptor] = callback
        self._poll.register(descriptor, _HALF_CLOSED)
        if self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._look)

    def forget(self, descriptor: int, callback: HungUp) -> None:
        """Stop watching `descriptor`, if it is watched for `callback`."""
        if self._callbacks.get(descriptor) == callback:
            del self._callbacks[descriptor]
            self._poll.unregister(descriptor)

    def _look(self) -> None:
        # The timer runs until a whole interval has passed without an unread socket. Otherwise each pause
        # would cost a timer.
        self._timer = self._loop.call_later(INTERVAL, self._look) if self._callbacks else None
        for descriptor, events in self._poll.poll(0):
            callback = self._callbacks.get(descriptor)
            if callback is None:  # forgotten while the events before this one were handled
                continue
            if events & _BROKEN:
                self.forget(descriptor, callback)
                callback(True)
            else:
                self._poll.modify(descriptor, 0)  # what is broken is reported all the same
                callback(False)
