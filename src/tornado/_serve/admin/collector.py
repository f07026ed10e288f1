"""Asks the supervisor and the workers each second, and publishes what has changed."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from tornado._serve.admin.link import SupervisorLink, SupervisorTimeout
from tornado._serve.admin.state import State
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

    async def run(self) -> None:
        """Collect until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + INTERVAL, loop.time())
            await asyncio.sleep(due - loop.time())
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
        for pid, snapshot in (await self.link.ask("metrics")).items():
            if _is_snapshot(snapshot):
                self.state.update_worker(pid, snapshot)

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

    def add_final(self, pid: int, snapshot: Any) -> None:
        """Record the last snapshot of a worker."""
        if _is_snapshot(snapshot):
            self.state.update_worker(pid, snapshot)

    async def update_errors(self) -> None:
        """Ask for the recent errors.

        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        for pid, errors in (await self.link.ask("errors")).items():
            if isinstance(errors, list):
                self.state.update_errors(pid, errors)

    async def requests(self) -> list[dict[str, Any]]:
        """Return the requests in flight of all workers, each with its worker's process ID.

        The oldest are first, but those that wait by design are last.

        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        answers = await self.link.ask("requests")
        found = [
            {**each, "pid": pid}
            for pid, requests in answers.items()
            if isinstance(requests, list)
            for each in requests
        ]
        return sorted(found, key=lambda each: (each.get("is_waiting", False), -each["age"]))

    async def log_of(self, request_id: str) -> list[dict[str, Any]]:
        """Return the log records of a request.

        :raises SupervisorTimeout: if the supervisor does not answer.
        """
        answers = await self.link.ask("log", request_id=request_id)
        return [record for records in answers.values() if isinstance(records, list) for record in records]

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


def _is_snapshot(value: Any) -> bool:
    """Whether it is a snapshot, and not the error of a query or None."""
    return isinstance(value, dict) and "requests" in value
