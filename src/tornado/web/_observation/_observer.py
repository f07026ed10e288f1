"""`Observer`: follows each request of an application from its dispatch to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import time
from typing import TYPE_CHECKING, Any

from tornado.httputil._request import arrival_time
from tornado.log import app_log
from tornado.web._execution._response import response_of
from tornado.web._observation._followers import RequestFollower
from tornado.web._observation._log_records import current_id
from tornado.web._observation._loop_delay import start_measuring
from tornado.web._observation._request_metrics import RequestMetrics

if TYPE_CHECKING:
    from tornado.web._observation._access_log import AccessLog
    from tornado.web._observation._log_records import RecentRecords

__all__ = ["Observer"]

#: The number of requests in flight above which abandoned ones are searched for, each time it has doubled.
_FIRST_SWEEP = 10_000


class Observer:
    """Follows the requests of one application.

    :param application: the application.
    :param original_log: the method ``log_request`` of `Application`. A method that overrides it, and
        ``log_function``, are called for each request; the original is not if there is an access log.
    :ivar access_log: writes a line for each request, or None.
    :ivar in_flight: the requests that have started and not finished, with their handler classes.
    :ivar follows_start: whether `call_started` must be called for each request.
    :ivar metrics: the finished requests.
    :ivar recent: the log records of recent requests, or None if ``request_id`` is off.
    :ivar sends_ids: whether responses have the header field X-Request-Id.
    """

    def __init__(self, application: Any, original_log: Any) -> None:
        self.application = application
        self.in_flight: dict[Any, type[Any]] = {}
        self.metrics: RequestMetrics = RequestMetrics()
        self.recent: RecentRecords | None = None
        self.access_log: AccessLog | None = None
        self.sends_ids: bool = False
        self._original_log = original_log
        self._class = type(application)
        #: Whether `log_request` must be called even if it is the original.
        self._calls_log = True
        self.follows_start: bool = False
        self._on_start: tuple[Callable[[Any], None], ...] = ()
        self._on_finish: tuple[Callable[..., None], ...] = ()
        self._sweep_at = _FIRST_SWEEP

    def add(self, follower: RequestFollower) -> None:
        """Call the methods of `follower` for each request from now on."""
        if getattr(type(follower), "request_started", None) is not RequestFollower.request_started:
            self._on_start += (follower.request_started,)
            self.follows_start = True
        if getattr(type(follower), "request_finished", None) is not RequestFollower.request_finished:
            self._on_finish += (follower.request_finished,)

    def keep_records(self, recent: RecentRecords) -> None:
        """Set the request identifier in the context of each request, so that log records contain it."""
        self.recent = recent
        self.follows_start = True

    def request_started(self, request: Any, handler_class: type[Any]) -> None:
        """Register a request, before its handler is created."""
        self.in_flight[request] = handler_class
        if self.follows_start:
            self.call_started(request)

    def call_started(self, request: Any) -> None:
        """Set the request identifier of the context, and tell the followers that a request has started."""
        if self.recent is not None:
            current_id.set(request.id)
        for call in self._on_start:
            try:
                call(request)
            except Exception:
                _report(call)

    def request_finished(self, handler: Any) -> None:
        """Count and log a finished request; the application's ``log_request`` while it is observed."""
        request = handler.request
        response = response_of(handler)
        buffer = response.buffer
        if buffer:
            size = sum(map(len, buffer))
        else:
            size = getattr(getattr(request.connection, "output", None), "body_size", 0)
        self.response_sent(handler, request, response.status_code, size)

    def response_sent(self, handler: Any, request: Any, status: int, size: int) -> None:
        """Count and log a request whose response was sent on the fast path.

        :param status: the status code.
        :param size: the size of the response body in bytes.
        """
        try:
            del self.in_flight[request]
        except KeyError:
            pass  # the server has refused it, or its connection has ended before
        now = time()
        duration = now - arrival_time(request)
        if duration < 0.0:  # the clock has been set back
            duration = 0.0
        busy = max(0.0, duration - waited) if (waited := request.wait_time()) else duration
        series = self.metrics.record(request, status, busy, size)
        if self._on_finish:
            self._call_finished(handler, status, busy, size)
        access_log = self.access_log
        if access_log is not None:
            try:
                access_log.add(request, series, now, duration, size)
            except Exception:
                _report(access_log)
        # The original only writes a log line, which an access log replaces. `_calls_log` is read first,
        # because reading a method of a class without calling it costs 1,000 instructions.
        if self._calls_log or self._class.log_request is not self._original_log:
            self._class.log_request(self.application, handler)

    def _call_finished(self, handler: Any, status: int, duration: float, size: int) -> None:
        for call in self._on_finish:
            try:
                call(handler, status, duration, size)
            except Exception:
                _report(call)

    def gateway_finished(self, gateway: Any, status: int, size: int) -> None:
        """Count and log a finished request of a WSGI or ASGI application.

        :param gateway: a `tornado._gateway_observation.ObservedRequest`.
        :param size: the size of the response body in bytes.
        """
        request = gateway.request
        self.in_flight.pop(request, None)
        now = time()
        duration = max(0.0, now - arrival_time(request))
        busy = max(0.0, duration - request.wait_time())
        series = self.metrics.record(request, status, busy, size)
        if self._on_finish:
            self._call_finished(gateway, status, busy, size)
        if self.access_log is not None:
            try:
                self.access_log.add(request, series, now, duration, size)
            except Exception:
                _report(self.access_log)

    def write_access_log(self, access_log: AccessLog) -> None:
        """Write a line for each request in place of the application's ``log_request``.

        A method that overrides it, and ``log_function``, are still called.
        """
        self.access_log = access_log
        self._calls_log = self.application.settings.get("log_function") is not None

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
                self.in_flight.pop(request, None)
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self.in_flight))


def _report(call: object) -> None:
    if app_log.isEnabledFor(logging.ERROR):
        app_log.error("Uncaught exception in the observer %r", call, exc_info=True)
