"""The state of the service and its control as JSON, and the metrics for Prometheus."""

from __future__ import annotations

import sys
from typing import Any

from tornado._serve.admin.handlers import AdminHandler
from tornado._serve.admin_process import MAX_WORKERS
from tornado.log import gen_log
from tornado.web import EventSourceHandler, HTTPError

if sys.platform == "win32":
    raise ImportError(f"{__name__} requires a platform with fork")

__all__ = ["Action", "Dashboard", "End", "Errors", "Events", "Metrics", "RequestLog", "Requests", "Status"]


class Dashboard(AdminHandler):
    """The page."""

    redirects = True

    def get(self) -> None:
        """Show the page."""
        _ = self.render("dashboard.html", has_login=self.access.token is not None)


class Status(AdminHandler):
    """``/api/status``: the service, its workers, and the values of the last second."""

    async def get(self) -> None:
        """Respond with the status. A client without a token finds the XSRF token for actions in it."""
        state = self.collector.state
        await self.collector.update_status()
        self.write(
            {
                "service": {name: value for name, value in state.status.items() if name != "workers"},
                "workers": state.workers(),
                "point": state.points[-1] if state.points else None,
                "xsrf": None if self.get_bearer_token() is not None else self.xsrf_token.decode(),
            }
        )


class Requests(AdminHandler):
    """``/api/requests``: the requests in flight of all workers, with the stacks of their coroutines."""

    async def get(self) -> None:
        """Respond with the requests, the oldest first."""
        self.write({"requests": await self.collector.requests()})


class Errors(AdminHandler):
    """``/api/errors``: the recent errors of all workers, with their tracebacks."""

    async def get(self) -> None:
        """Respond with the errors, the latest first."""
        await self.collector.update_errors()
        self.write({"errors": self.collector.state.errors()})


class RequestLog(AdminHandler):
    """``/api/requests/<id>/log``: the log records of one request."""

    async def get(self, request_id: str) -> None:
        """Respond with the records, or 404 if there are none."""
        records = await self.collector.log_of(request_id)
        if not records:
            raise HTTPError(404, public_message=f"no log record of the request {request_id!r:.100} is kept")
        self.write({"id": request_id, "records": records})


class Action(AdminHandler):
    """``/api/reload``, ``/api/drain``, ``/api/scale`` (``workers``) and ``/api/restart/<worker>``."""

    async def post(self, action: str, worker: str | None = None) -> None:
        """Request the action, and respond with 202, or with 409 if it is impossible now."""
        arguments: dict[str, Any] = {}
        if worker is not None:
            arguments["worker"] = int(worker)
        elif action == "scale":
            arguments["workers"] = self._number_of_workers()
        gen_log.info("--admin: %s requested by %s", action, self.request.remote_ip or "a local user")
        error = await self.collector.link.act(action, **arguments)
        if error is not None:
            raise HTTPError(409, public_message=f"{action} is impossible now: {error}")
        self.set_status(202)
        self.write({"requested": action, **arguments})

    def _number_of_workers(self) -> int:
        number = self.get_body_argument("workers", 0, type=int)
        if not 1 <= number <= MAX_WORKERS:
            text = f"workers must be a number from 1 to {MAX_WORKERS}, got {number}"
            raise HTTPError(400, public_message=text)
        return number


class End(AdminHandler):
    """``/api/end``: responds when the last worker has ended, with the exit status of the service."""

    async def get(self) -> None:
        """Wait for the end of the service."""
        self.write({"exit_status": await self.collector.link.service_end()})


class Metrics(AdminHandler):
    """``/metrics``: the metrics of all workers in the text format of Prometheus."""

    async def get(self) -> None:
        """Respond with the metrics, which include those of workers that have ended."""
        from tornado.web._observation._prometheus import CONTENT_TYPE, metrics_text  # it imports a package

        await self.collector.update_metrics()
        try:
            text = metrics_text([self.collector.state.total()])
        except ImportError as error:
            raise HTTPError(501, public_message=str(error)) from None
        self.set_header("Content-Type", CONTENT_TYPE)
        self.write(text)


class Events(AdminHandler, EventSourceHandler):
    """``/events``: the history, and then an event for each second."""

    retry = 1000

    async def open(self) -> None:
        """Send the history, also after a reconnection, so that the charts have no gap."""
        collector = self.collector
        _ = self.send_event({"points": list(collector.state.points)}, "history")
        _ = self.send_event(await collector.event(), "state")
        self.subscribe(collector.events)
