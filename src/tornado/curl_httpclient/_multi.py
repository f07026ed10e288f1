"""`Multi`: libcurl's multi-socket interface on the event loop.

libcurl requests events on file descriptors (`_socket_changed`) and timers (`schedule_action`). `_run` passes
the events to libcurl and collects the transfers that have ended. libcurl must not be called from within its
own callbacks. The callbacks of a transfer therefore only record data, and the program's callbacks run from
the event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pycurl

from tornado.ioloop import IOLoop
from tornado.log import app_log

_EVENTS = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: IOLoop.READ,
    pycurl.POLL_OUT: IOLoop.WRITE,
    pycurl.POLL_INOUT: IOLoop.READ | IOLoop.WRITE,
}


class Multi:
    """The transfers of one client on one loop, and the connections that libcurl keeps for it."""

    def __init__(self, io_loop: IOLoop) -> None:
        self._io_loop = io_loop
        #: The callbacks of the active transfers, by their handles.
        self._transfers: dict[pycurl.Curl, Callable[[int, str], None]] = {}
        #: The file descriptors that libcurl watches, with their events.
        self._descriptors: dict[int, int] = {}
        self._timer: object | None = None
        self._multi: Any = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._socket_changed)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self.schedule_action)

    def add(self, curl: pycurl.Curl, ended: Callable[[int, str], None]) -> None:
        """Begin a transfer. libcurl starts it from its timer.

        :param ended: called with libcurl's error code (0 for success) and its message when the transfer ends.
        """
        self._transfers[curl] = ended
        self._multi.add_handle(curl)

    def remove(self, curl: pycurl.Curl) -> None:
        """Abort a transfer and close its connection; do nothing if the transfer has ended."""
        if self._transfers.pop(curl, None) is not None:
            self._multi.remove_handle(curl)

    def resume(self, curl: pycurl.Curl) -> None:
        """Continue a transfer that a callback has paused."""
        if curl not in self._transfers:
            return
        curl.pause(pycurl.PAUSE_CONT)
        self.schedule_action(0)

    def schedule_action(self, milliseconds: int) -> None:
        """Set libcurl's timer to a time in milliseconds; a negative time cancels the timer."""
        self._set_timer(None if milliseconds < 0 else milliseconds / 1000)

    def close(self) -> None:
        """Close the idle connections. There must be no active transfer."""
        self._set_timer(None)
        self._multi.close()
        for descriptor in self._descriptors:
            self._io_loop.remove_handler(descriptor)
        self._descriptors.clear()

    # -- called by libcurl

    def _socket_changed(self, event: int, descriptor: int, multi: Any, data: Any) -> None:
        current_events = self._descriptors.get(descriptor)
        if event == pycurl.POLL_REMOVE:
            if current_events is not None:
                del self._descriptors[descriptor]
                self._io_loop.remove_handler(descriptor)
            return
        events = _EVENTS[event]
        self._descriptors[descriptor] = events
        if current_events is None:
            self._io_loop.add_handler(descriptor, self._ready, events)
        elif current_events != events:
            self._io_loop.update_handler(descriptor, events)

    # -- called by the loop

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._io_loop.remove_timeout(self._timer)
            self._timer = None
        if seconds is not None:
            self._timer = self._io_loop.call_later(seconds, self._timed_out)

    def _ready(self, descriptor: int, events: int) -> None:
        mask = 0
        if events & IOLoop.READ:
            mask |= pycurl.CSELECT_IN
        if events & IOLoop.WRITE:
            mask |= pycurl.CSELECT_OUT
        self._run(descriptor, mask)

    def _timed_out(self) -> None:
        self._timer = None
        self._run(pycurl.SOCKET_TIMEOUT, 0)

    def _run(self, descriptor: int, mask: int) -> None:
        try:
            self._multi.socket_action(descriptor, mask)
        except pycurl.error:
            app_log.exception("libcurl failed to process events on file descriptor %d", descriptor)
        remaining = 1
        while remaining:
            remaining, succeeded, failed = self._multi.info_read()
            for curl in succeeded:
                self._end(curl, 0, "")
            for curl, code, message in failed:
                self._end(curl, code, message)

    def _end(self, curl: pycurl.Curl, code: int, message: str) -> None:
        ended = self._transfers.pop(curl, None)
        if ended is not None:
            self._multi.remove_handle(curl)
            ended(code, message)
