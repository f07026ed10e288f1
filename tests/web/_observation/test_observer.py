"""`Observer`: every request is counted once, and hooks of programs are called as without it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.observation import json_lines_of
from tests.support.server import ExpectLog, serving
from tornado import web
from tornado.httputil._wait_time import WaitTime
from tornado.web._observation import _observer
from tornado.web._observation._followers import RequestFollower


class Plain(web.RequestHandler):
    def get(self) -> None:
        self.write("12345")

    def post(self) -> None:
        self.write(self.request.body)


class Item(web.RequestHandler):
    def get(self, number: str) -> None:
        self.write(self.route or "")


class Slow(web.RequestHandler):
    started: asyncio.Event
    release: asyncio.Event

    async def get(self) -> None:
        self.started.set()
        await self.release.wait()
        self.write("done")


class Waiting(web.RequestHandler):
    def get(self) -> None:
        with self.request.waiting():
            pass


class Clock(web.EventSourceHandler):
    async def stream(self) -> None:
        await self.send_event("12:00")


class Parts(web.RequestHandler):
    async def get(self) -> None:
        for _ in range(3):
            self.write("part")
            await self.flush()


class Failing(web.RequestHandler):
    def get(self) -> None:
        raise ValueError("failed")


class Unmade(web.RequestHandler):
    def initialize(self) -> None:
        raise ValueError("not made")


@web.stream_request_body
class Upload(web.RequestHandler):
    def data_received(self, chunk: bytes) -> None:
        pass

    def put(self) -> None:
        self.write("ok")


def series(application: Any) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    """Return for each route, method and status: the requests, and the bytes received and sent."""
    return {
        (route, method, status): (sum(duration[1]), received[0], sent[0])
        for route, method, status, duration, received, sent in application.observer.metrics.as_json()
    }


ROUTES: list[Any] = [
    (r"/", Plain),
    (r"/item/([0-9]+)", Item),
    (r"/slow", Slow),
    (r"/parts", Parts),
    (r"/failing", Failing),
    (r"/unmade", Unmade),
    (r"/upload", Upload),
]


async def test_requests_are_counted_by_route_method_and_status(expect_log: ExpectLog, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("text")
    static = (r"/static/(.*)", web.StaticFileHandler, {"path": str(tmp_path)})
    application = web.Application([*ROUTES, static], metrics=True)
    with expect_log("tornado.application", "Uncaught exception|.*"):
        async with serving(application) as server:
            peer = await server.connect()
            for path in ("/", "/", "/parts", "/failing", "/missing", "/static/file.txt", "/unmade"):
                await peer.fetch(path)
            await peer.fetch("/", method="HEAD")
            await peer.fetch("/", method="POST", body=b"abc")
            await peer.fetch("/upload", method="PUT", body=b"abcd")
            await peer.fetch("/", method="BREW")
    counted = series(application)
    error = counted.pop(("/failing", "GET", 500))
    assert counted.pop(("/unmade", "GET", 500))[0] == error[0] == 1
    assert error[2] > 0
    assert counted == {
        ("/", "GET", 200): (2, 0, 10),
        ("/parts", "GET", 200): (1, 0, 12),
        (None, "GET", 404): (1, 0, 69),
        (r"/static/(.*)", "GET", 200): (1, 0, 4),
        ("/", "HEAD", 405): (1, 0, 0),
        ("/", "POST", 200): (1, 3, 3),
        ("/upload", "PUT", 200): (1, 4, 2),
        ("/", "_OTHER", 405): (1, 0, counted["/", "_OTHER", 405][2]),
    }
    assert application.observer is not None
    assert application.observer.in_flight == {}


async def test_request_is_in_flight_until_its_response() -> None:
    Slow.started, Slow.release = asyncio.Event(), asyncio.Event()
    application = web.Application(ROUTES, metrics=True)
    observer: Any = application.observer
    async with serving(application) as server:
        peer = await server.connect()
        peer.get("/slow")
        await Slow.started.wait()
        assert [(request.path, cls) for request, cls in observer.in_flight.items()] == [("/slow", Slow)]
        Slow.release.set()
        await peer.response()
        assert observer.in_flight == {}


async def test_abandoned_requests_are_forgotten_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Abandoning(web.RequestHandler):
        closed: asyncio.Event

        def get(self) -> None:
            self._auto_finish = False

        def on_connection_close(self) -> None:
            self.closed.set()

    application = web.Application([("/", Abandoning)], metrics=True)
    observer: Any = application.observer
    async with serving(application) as server:
        Abandoning.closed = asyncio.Event()
        peer = await server.connect()
        peer.get("/")
        await peer.close()
        await Abandoning.closed.wait()
        for connection in list(server.connections):
            await connection.close()
    assert len(observer.in_flight) == 1
    observer.sweep()
    assert len(observer.in_flight) == 1
    observer.in_flight.update({object_with_open_connection(): Abandoning for _ in range(10_000)})
    observer.sweep()
    assert len(observer.in_flight) == 10_000


def object_with_open_connection() -> Any:
    request = type("Request", (), {})()
    request.connection = None
    return request


async def test_overridden_log_request_and_log_function_are_called(tmp_path: Path) -> None:
    class Own(web.Application):
        def log_request(self, handler: web.RequestHandler) -> None:
            logged.append(handler.request.path)

    logged: list[str] = []
    logged: list[str] = []

    def note(handler: web.RequestHandler) -> None:
        logged.append(handler.request.path)

    for settings in ({"metrics": True}, {"access_log": "json", "access_log_file": tmp_path / "log"}):
        logged.clear()
        async with serving(Own(ROUTES, **settings)) as server:
            await server.fetch("/")
            await server.fetch("/parts")
        application = web.Application(ROUTES, log_function=note, **settings)
        async with serving(application) as server:
            await server.fetch("/item/1")
        assert logged == ["/", "/parts", "/item/1"]


async def test_patched_log_request_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    application = web.Application(ROUTES, metrics=True)

    def note(application: web.Application, handler: web.RequestHandler) -> None:
        logged.append(handler.request.path)

    monkeypatch.setattr(web.Application, "log_request", note)
    async with serving(application) as server:
        await server.fetch("/")
    assert logged == ["/"]


async def test_log_request_that_is_set_on_an_observed_application_is_called() -> None:
    logged: list[str] = []
    application = web.Application(ROUTES, metrics=True)
    application.log_request = lambda handler: logged.append(handler.request.path)  # type: ignore[method-assign]
    async with serving(application) as server:
        await server.fetch("/")
        await server.fetch("/parts")
    assert logged == ["/", "/parts"]


async def test_error_of_a_follower_is_logged_and_the_response_is_sent(expect_log: ExpectLog) -> None:
    class Wrong(RequestFollower):
        def request_started(self, request: Any) -> None:
            raise ValueError("start")

        def request_finished(self, *arguments: Any) -> None:
            raise ValueError("end")

    application = web.Application(ROUTES, metrics=True)
    application.observer.add(Wrong())  # type: ignore[union-attr]
    async with serving(application) as server:
        with expect_log("tornado.application", "Uncaught exception in the observer"):
            response = await server.fetch("/")
    assert response.body == b"12345"
    assert series(application) == {("/", "GET", 200): (1, 0, 5)}


@pytest.mark.parametrize("name", ["handler_tasks", "debug", "compress_response"])
async def test_other_special_settings_still_apply(name: str) -> None:
    class Current(web.RequestHandler):
        def get(self) -> None:
            self.write(f"{asyncio.current_task() is not None}" * 500)

    settings: dict[str, Any] = {name: True, "autoreload": False}
    application = web.Application([("/", Current)], metrics=True, **settings)
    async with serving(application) as server:
        response = await server.fetch("/", "Accept-Encoding: gzip")
    assert (response.get("content-encoding") == "gzip") == (name == "compress_response")
    assert (response.body[:4] == b"True") == (name == "handler_tasks")
    assert series(application)["/", "GET", 200] == (1, 0, len(response.body))


async def test_request_refused_by_the_server_is_counted(expect_log: ExpectLog) -> None:
    application = web.Application(ROUTES, metrics=True)
    async with serving(application) as server:
        with expect_log("tornado.general", ".*", required=False):
            await server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert [key[2] for key in series(application)] == [400]


@pytest.mark.parametrize("handler", [Waiting, Clock])
async def test_wait_time_is_not_part_of_the_duration(
    handler: type[web.RequestHandler], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    application = web.Application(
        [("/", handler), ("/plain", Plain)], metrics=True, access_log="json", access_log_file=path
    )
    follower = Durations()
    application.observer.add(follower)
    monkeypatch.setattr(_observer, "arrival_time", lambda request: time.time() - 25.0)
    monkeypatch.setattr(WaitTime, "total", lambda self: 24.0)
    async with serving(application) as server:
        await server.fetch("/")
        await server.fetch("/plain")
    assert [round(each) for each in follower.found] == [1, 25]
    sums = [round(each[3][0]) for each in application.observer.metrics.as_json()]
    assert sums == [1, 25]
    waiting, plain = json_lines_of(application, path)
    assert [round(each["duration_us"] / 1e6) for each in (waiting, plain)] == [25, 25]
    assert waiting["waited_us"] == 24_000_000
    assert "waited_us" not in plain


class Durations(RequestFollower):
    """Keeps the durations of requests."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def request_finished(self, handler: Any, status: int, duration: float, size: int) -> None:
        self.found.append(duration)
