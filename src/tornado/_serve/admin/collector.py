"""Asks the supervisor and the workers each second, and publishes what has changed."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from tornado._serve.admin.link import SupervisorLink, SupervisorTimeout
from tornado._serve.admin.state import State
from tornado._serve.admin.worker_answers import valid_errors, valid_records, valid_requests, valid_snapshot
from tornado._serve.log_stream import flush_streams
from tornado.log import gen_log
from tornado.web import EventChannel

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

__all__ = ["Collector"]

#: The time between two points of the history, in seconds.
INTERVAL = 1.0
#: Without a reader, errors are asked for with each tenth point, so that those of a killed worker are known.
_ERRORS_EVERY = 10
#: The number of requests in flight in one event, which is sent each second.
_MAX_REQUESTS = 30


class Collector:
    """Collects the state of the service.

    :param link: the connection to the supervisor.
    :param state: the state that is updated.
    :ivar events: the channel that the dashboards read; each event has everything that they show.
    """

    def __init__(self, link: SupervisorLink, state: State) -> None:
        self.link = link
        self.state = state
        # A slow reader may miss some events, because each of them is complete.
        self.events = EventChannel(history=3)
        self._count = 0
        self._supervisor: int | None = None
        #: The process IDs of workers that hang.
        self._hung: set[int] = set()

    async def run(self) -> None:
        """Collect until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + INTERVAL, loop.time())
            await asyncio.sleep(due - loop.time())
            flush_streams()
            try:
                await self._collect()
            except SupervisorTimeout as error:
                gen_log.warning("--admin: %s", error.public_message)
            except Exception:
                gen_log.exception("--admin: the state of the service cannot be collected")

    async def _collect(self) -> None:
        self._count += 1
        watched = len(self.events) > 0
        await self.update_metrics()
        await self._keep_recent_of_hung()
        if watched or self._count % _ERRORS_EVERY == 0:
            await self.update_errors()
        self.state.add_point(time.time())
        if watched:
            self.events.publish(await self.event())

    async def update_metrics(self) -> None:
        """Ask for the status and the metrics.

        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        await self.update_status()
        for pid, answer in (await self.link.ask("metrics")).items():
            self.add_snapshot(pid, answer)

    async def update_status(self) -> dict[str, Any]:
        """Ask for the status, and return it.

        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        status = await self.link.status()
        changed = self.state.update_status(status)
        if changed or status["started"] != self._supervisor:
            self._supervisor = status["started"]  # a new supervisor in the same process has not kept anything
            self.link.keep(self.state.ended())
        return status

    def add_snapshot(self, pid: int, snapshot: Any) -> None:
        """Record a snapshot of a worker."""
        checked = valid_snapshot(snapshot)
        if checked is not None:
            self.state.update_worker(pid, checked)

    def add_final(self, pid: int, snapshot: Any, recent: Any) -> None:
        """Record the last report of a worker that has drained."""
        self.add_snapshot(pid, snapshot)
        self.add_recent(pid, recent)

    def add_recent(self, pid: int, recent: Any) -> None:
        """Keep the recent errors and log records of a worker that has ended, or will end."""
        if isinstance(recent, dict):
            self.state.update_errors(pid, valid_errors(recent.get("errors")))
            self.state.keep_records(pid, valid_records(recent.get("records")))

    async def _keep_recent_of_hung(self) -> None:
        """Ask for the recent errors and log records once when a worker hangs: it will be killed."""
        hung = {worker["pid"] for worker in self.state.status["workers"] if worker.get("state") == "hung"}
        new, self._hung = hung - self._hung, hung
        if new:
            answers = await self.link.ask("recent")
            for pid in new & answers.keys():
                self.add_recent(pid, answers[pid])

    async def update_errors(self) -> None:
        """Ask for the recent errors.

        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        for pid, errors in (await self.link.ask("errors")).items():
            self.state.update_errors(pid, valid_errors(errors))

    async def requests(self) -> list[dict[str, Any]]:
        """Return the requests in flight of all workers, each with its worker's process ID.

        The oldest are first, but those that wait by design are last.

        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        answers = await self.link.ask("requests")
        found = [
            {**each, "pid": pid} for pid, requests in answers.items() for each in valid_requests(requests)
        ]
        return sorted(found, key=lambda each: (each["is_waiting"], -each["age"]))

    async def log_of(self, request_id: str) -> list[dict[str, Any]]:
        """Return the log records of a request.

        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        answers = await self.link.ask("log", request_id=request_id)
        found = [record for records in answers.values() for record in valid_records(records)]
        return found or self.state.records_of(request_id)

    async def event(self) -> dict[str, Any]:
        """Return what the dashboards show, except the history, and the tracebacks, which are long."""
        requests = await self.requests()
        state = self.state
        return {
            "point": state.points[-1] if state.points else None,
            "service": {name: value for name, value in state.status.items() if name != "workers"},
            "workers": state.workers(),
            "routes": state.routes(),
            "requests": requests[:_MAX_REQUESTS],
            "request_count": len(requests),
            "errors": [{name: each[name] for name in each if name != "traceback"} for each in state.errors()],
        }
