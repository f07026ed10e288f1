"""Snapshots and statuses for the administration, and services with it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.server import Server, serving
from tests.support.supervisor import SupervisedService
from tornado._serve.admin.access import Access
from tornado._serve.admin.application import make_application
from tornado._serve.admin.collector import Collector
from tornado._serve.admin.link import SupervisorLink
from tornado._serve.admin.state import State
from tornado._serve.worker_protocol import Channel
from tornado.web import LOCAL_HOSTS
from tornado.web._observation._histogram import DURATION_BOUNDS, SIZE_BOUNDS, Histogram

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def series(
    count: int, route: str | None = "/", status: int = 200, duration: float = 0.001, method: str = "GET"
) -> list[Any]:
    """Return the series of equal requests, as in a snapshot. Each has a response of 10 bytes."""
    histogram = Histogram(DURATION_BOUNDS)
    for _ in range(count):
        histogram.record(duration)
    sizes = [0] * (len(SIZE_BOUNDS) + 1)
    return [route, method, status, [count * duration, histogram.counts], [0, sizes], [10 * count, sizes]]


def snapshot(*requests: list[Any], cpu: float = 0.0, delays: int = 0, in_flight: int = 0) -> dict[str, Any]:
    """Return a snapshot of a worker."""
    delay = Histogram()
    for _ in range(delays):
        delay.record(0.02)
    return {
        "requests": list(requests),
        "counters": {"process.cpu.time": {"user": cpu, "system": 0.0}},
        "gauges": {"http.server.active_requests": in_flight, "tornado.connections": {"idle": 2}},
        "histograms": {"tornado.event_loop.delay": delay.as_json()},
    }


def status(*pids: int, started: float = 100.0, state: str = "serving", **restarts: int) -> dict[str, Any]:
    """Return a status of the supervisor with workers of these process IDs."""
    workers = [{"number": number, "pid": pid, "started": started} for number, pid in enumerate(pids)]
    return {"state": state, "started": 1.0, "workers": workers, "restarts": restarts}


def error(**values: Any) -> dict[str, Any]:
    """Return an error as a worker reports it, with some other values."""
    return {
        "count": 1,
        "time": 1.0,
        "logger": "app",
        "type": "ValueError",
        "message": "m",
        "traceback": "long",
        "request_id": "-",
        **values,
    }


def request(**values: Any) -> dict[str, Any]:
    """Return a request in flight as a worker reports it, with some other values."""
    return {
        "id": "1",
        "method": "GET",
        "target": "/",
        "route": None,
        "handler": "app.Handler",
        "age": 0.5,
        "is_waiting": False,
        "is_connected": True,
        "stack": [],
        **values,
    }


def record(**values: Any) -> dict[str, Any]:
    """Return a log record as a worker reports it, with some other values."""
    return {"time": 1.0, "level": "INFO", "logger": "app", "message": "m", **values}


class Supervisor:
    """A stand-in for the supervisor at the other end of a `SupervisorLink`, in the event loop of the test.

    :ivar answers: the answers of the workers by query and process ID.
    :ivar status: the status.
    :ivar received: the messages that have arrived.
    :ivar refusal: the answer to actions.
    :ivar silent: the types of messages that are not answered.
    :ivar stopped: the process IDs of workers that do not answer.
    """

    def __init__(self) -> None:
        self._channel, self.channel = Channel.pair()
        self.answers: dict[str, dict[int, Any]] = {}
        self.status = status(1, 2)
        self.status.update(target="app", size=2, serving=2)
        self.received: list[dict[str, Any]] = []
        self.refusal: str | None = None
        self.silent: set[str] = set()
        self.stopped: set[int] = set()

    def __enter__(self) -> Supervisor:
        asyncio.get_running_loop().add_reader(self._channel.fileno(), self._on_readable)
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
        self.channel.close()

    def close(self) -> None:
        """End, as the supervisor does."""
        if self._channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._channel.close()

    def send(self, kind: str, **values: Any) -> None:
        """Send a message."""
        self._channel.send(kind, **values)

    def kept(self) -> list[Any]:
        """Return the data that it was told to keep."""
        return [each["data"] for each in self.received if each["type"] == "keep"]

    def _on_readable(self) -> None:
        for message in self._channel.receive():
            self.received.append(message)
            if message["type"] not in self.silent:
                self._answer(message)

    def _answer(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "status":
                self.send("reply", id=message["id"], data=self.status)
            case "act":
                self.send("reply", id=message["id"], data={"error": self.refusal})
            case "ask":
                pids = [worker["pid"] for worker in self.status["workers"]]
                self.send("reply", id=message["id"], data=pids)
                answers = self.answers.get(message["what"], {})
                for pid in pids:
                    if pid not in self.stopped:
                        self.send("reply", id=message["id"], pid=pid, data=answers.get(pid))


@contextlib.contextmanager
def collecting(supervisor: Supervisor, began: float = 50.0) -> Iterator[Collector]:
    """Yield a collector that asks `supervisor`."""
    collector: Collector
    link = SupervisorLink(supervisor.channel, lambda *values: collector.add_final(*values), supervisor.close)
    collector = Collector(link, State(began))
    try:
        yield collector
    finally:
        link.close()


class AdministeredService(SupervisedService):
    """A context manager that runs a program with ``--admin``.

    :ivar admin: the TCP port of the administration.
    """

    def __init__(self, folder: Path, *options: str, **arguments: Any) -> None:
        super().__init__(folder, "--admin=127.0.0.1:0", *options, **arguments)
        self.admin = 0

    def __enter__(self) -> AdministeredService:
        super().__enter__()
        try:
            self.admin = int(self.wait_for(r"administration on http://localhost:(\d+)")[1])
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **fields: str
    ) -> tuple[int, bytes]:
        """Send a request to the administration, and return the status and the body of the response."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.admin, timeout=60)
        ) as connection:
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            return response.status, response.read()

    def json(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path of the administration."""
        code, body = self.ask(path)
        assert code == 200, body
        found: dict[str, Any] = json.loads(body)
        return found

    def act(self, path: str, body: bytes = b"") -> None:
        """Request an action.

        :param body: its arguments as a form.
        """
        xsrf = self.json("/api/status")["xsrf"]
        fields = {
            "X-XSRFToken": xsrf,
            "Cookie": f"waterspout_admin_xsrf={xsrf}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        code, answer = self.ask(f"/api/{path}", "POST", body, **fields)
        assert code == 202, answer

    def metric(self, name: str) -> float:
        """Return the sum of the values of a metric."""
        code, body = self.ask("/metrics")
        assert code == 200, body
        lines = [line for line in body.decode().splitlines() if re.match(rf"{name}[{{ ]", line)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


@contextlib.contextmanager
def showing(browser: Browser, port: int, **options: Any) -> Iterator[Page]:
    """Open the dashboard, and fail at the end if the page had an error."""
    context = browser.new_context(**options)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    try:
        page.goto(f"http://127.0.0.1:{port}/")
        yield page
    finally:
        context.close()
    # Chromium reports each failed connection and each error status.
    assert not [each for each in problems if not each.startswith("Failed to load resource")]


TOKEN = "0123456789abcdef"
ACCESS = Access(TOKEN, None)
_LOCAL = Access(None, tuple(LOCAL_HOSTS))


@contextlib.asynccontextmanager
async def administration(
    supervisor: Supervisor, access: Access = _LOCAL, *, collects: bool = False, **options: Any
) -> AsyncIterator[Server]:
    """Serve the administration in the event loop of the test.

    :param collects: whether the state is collected each second.
    """
    with collecting(supervisor) as collector:
        running = asyncio.create_task(collector.run()) if collects else None
        async with serving(make_application(collector, access), **options) as server:
            yield server
        if running is not None:
            running.cancel()
