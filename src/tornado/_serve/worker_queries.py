"""The answers of a worker to the queries of the administration.

They are given by the reporter's thread, so that the requests of a blocked event loop can be listed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tornado._gateway_observation import ObservedGateway
from tornado._serve.observation import observed
from tornado.web import Application
from tornado.web._observation._in_flight import describe_requests
from tornado.web._observation._installation import keep_records
from tornado.web._observation._snapshot import take_snapshot

__all__ = ["WorkerQueries"]

#: The time that the event loop has to count, in seconds. The thread does not report beats in the meantime.
_SNAPSHOT_TIME = 0.2
#: The number of log records that are kept of a worker that has ended.
_MAX_RECORDS = 500


class WorkerQueries:
    """Observes the application of a worker, and answers queries about it.

    Before `begin`, and for functions and routers that are not applications, the answers are empty.
    """

    def __init__(self) -> None:
        self._observer: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._snapshot: dict[str, Any] | None = None
        #: Is set when the event loop has taken the requested snapshot.
        self._taken = threading.Event()
        self._taken.set()

    def begin(self, application: object) -> None:
        """Observe an application from now on. Call this in the event loop, before connections are accepted.

        Log records get the identifiers of requests; responses do not.
        """
        if not isinstance(application, (Application, ObservedGateway)):
            return
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._observer = observed(application)
        keep_records(application, self._observer)

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """Return the functions that answer queries, by the names of the queries."""
        return {
            "requests": self.requests,
            "metrics": self.metrics,
            "errors": self.errors,
            "log": self.log,
            "recent": self.recent,
        }

    def requests(self) -> list[dict[str, Any]] | None:
        """Return the requests in flight."""
        if self._observer is None:
            return None
        return describe_requests(self._observer, loop_thread=self._loop_thread)

    def metrics(self) -> dict[str, Any] | None:
        """Return a snapshot of the metrics; the previous one while the event loop is blocked."""
        loop = self._loop
        if loop is None:
            return None
        if self._taken.is_set():  # otherwise the event loop is still to take the one for an earlier query
            self._taken.clear()
            try:
                loop.call_soon_threadsafe(self._take)
            except RuntimeError:
                return self._snapshot  # the event loop is closed
        self._taken.wait(_SNAPSHOT_TIME)
        return self._snapshot

    def _take(self) -> None:
        try:
            self.take_snapshot()
        finally:
            self._taken.set()

    def take_snapshot(self) -> dict[str, Any] | None:
        """Return a new snapshot of the metrics. Call this in the event loop."""
        if self._observer is not None:
            self._snapshot = take_snapshot(self._observer)
        return self._snapshot

    def errors(self) -> list[dict[str, Any]] | None:
        """Return the recent errors."""
        return None if self._observer is None else self._observer.recent.errors()

    def recent(self) -> dict[str, Any] | None:
        """Return the recent errors and log records, for the time after the end of this worker."""
        if self._observer is None:
            return None
        recent = self._observer.recent
        return {"errors": recent.errors(), "records": recent.last_records(_MAX_RECORDS)}

    def log(self, request_id: str) -> list[dict[str, Any]] | None:
        """Return the log records of a request."""
        return None if self._observer is None else self._observer.recent.of_request(request_id)
