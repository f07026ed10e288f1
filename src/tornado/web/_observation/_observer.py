"""`Observer`: follows each request of an application from its dispatch to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import time
from typing import TYPE_CHECKING, Any

from tornado.log import app_log
from tornado.web._execution._response import response_of
from tornado.web._observation._followers import RequestFollower
from tornado.web._observation._loop_delay import start_measuring
from tornado.web._observation._request_metrics import RequestMetrics

if TYPE_CHECKING:
    from tornado.web._observation._log_records import RecentRecords
    from tornado.web._observation._log_writer import LogWriter

__all__ = ["Observer"]

#: The number of requests in flight above which abandoned ones are searched for, each time it has doubled.
_FIRST_SWEEP = 10_000


class Observer:
    """Follows the requests of one application.

    :param application: the application.
    :param original_log: the method ``log_request`` of `Application`. A method that overrides it, and
        ``log_function``, are called for each request; the original is not if there is an access log.
    :ivar in_flight: the requests that have started and not finished, with their handler classes.
    :ivar metrics: the finished requests.
    :ivar recent: the log records of recent requests, or None if ``request_id`` is off.
    :ivar access_log: the writer of the access log, or None.
    """

    def __init__(self, application: Any, original_log: Any) -> None:
        self.application = application
        self.in_flight: dict[Any, type[Any]] = {}
        self.metrics = RequestMetrics()
        self.recent: RecentRecords | None = None
        self.access_log: LogWriter | None = None
        self._original_log = original_log
        self._class = type(application)
        self._has_function: bool = application.settings.get("log_function") is not None
        self._record = self.metrics.record
        self._on_start: tuple[Callable[[Any], None], ...] = ()
        self._on_finish: tuple[Callable[..., None], ...] = ()
        self._sweep_at = _FIRST_SWEEP

    def add(self, follower: RequestFollower) -> None:
        """Call the methods of `follower` for each request from now on."""
        if getattr(type(follower), "request_started", None) is not RequestFollower.request_started:
            self._on_start += (follower.request_started,)
        if getattr(type(follower), "request_finished", None) is not RequestFollower.request_finished:
            self._on_finish += (follower.request_finished,)

    def request_started(self, request: Any, handler_class: type[Any]) -> None:
        """Register a request, before its handler is created."""
        self.in_flight[request] = handler_class
        if self._on_start:
            for call in self._on_start:
                try:
                    call(request)
                except Exception:
                    _report(call)

    def request_finished(self, handler: Any) -> None:
        """Count and log a finished request; the application's ``log_request`` while it is observed."""
        request = handler.request
        self.in_flight.pop(request, None)
        response = response_of(handler)
        duration = request.request_time()
        if duration < 0.0:  # the clock has been set back
            duration = 0.0
        buffer = response.buffer
        if buffer:
            size = len(buffer[0]) if len(buffer) == 1 else sum(map(len, buffer))
        else:
            size = getattr(getattr(request.connection, "output", None), "body_size", 0)
        status = response.status_code
        self._record(request, status, duration, size)
        if self._on_finish:
            now = time()
            for call in self._on_finish:
                try:
                    call(handler, status, now, duration, size)
                except Exception:
                    _report(call)
        log: Any = self._class.log_request
        if self.access_log is None or log is not self._original_log or self._has_function:
            log(self.application, handler)

    def server_listens(self) -> None:
        """Start the measurements that need time, if an event loop is running."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # the program starts its event loop later, and the first snapshot starts them
        start_measuring(loop, self.sweep)

    def sweep(self) -> None:
        """Forget requests whose connections have ended and whose handlers have not finished the response, if
        there are many.

        Such a handler may never do so: it has detached the connection, or waits for an event that will not
        happen.
        """
        if len(self.in_flight) < self._sweep_at:
            return
        for request in list(self.in_flight):
            if getattr(request.connection, "ended", False) is True:
                del self.in_flight[request]
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self.in_flight))


def _report(call: Callable[..., Any]) -> None:
    if app_log.isEnabledFor(logging.ERROR):
        app_log.error("Uncaught exception in the observer %r", call, exc_info=True)
