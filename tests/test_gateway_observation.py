"""Observation of WSGI and ASGI applications: as routes, as a fallback, and as whole servers."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.observation import json_lines_of, restored_process
from tests.support.server import ExpectLog, serving
from tornado import web
from tornado.asgi import ASGIContainer
from tornado.web import Application
from tornado.web._observation._in_flight import describe_requests
from tornado.web._observation._installation import add_access_log, add_request_ids, observe
from tornado.web._observation._snapshot import take_snapshot
from tornado.websocket import websocket_connect
from tornado.wsgi import WSGIContainer

log = logging.getLogger("shop")


@pytest.fixture(autouse=True)
def _process() -> Iterator[None]:
    log.setLevel(logging.INFO)
    with restored_process():
        yield


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"].endswith("/fail"):
        raise ValueError("it is negative")
    log.info("in the application")
    start_response("201 Created", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read() + b"wsgi"]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        return
    if scope["path"].endswith("/fail"):
        raise ValueError("it is negative")
    body = (await receive())["body"]
    log.info("in the application")
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": body + b"asgi", "more_body": b"streamed" in body})
    if b"streamed" in body:
        await send({"type": "http.response.body", "body": b"!"})


def containers() -> dict[str, Any]:
    return {
        "wsgi": WSGIContainer(wsgi, threads=2),
        "wsgi in the loop": WSGIContainer(wsgi),
        "asgi": ASGIContainer(asgi),
    }


@pytest.fixture(params=list(containers()))
def container(request: pytest.FixtureRequest) -> Iterator[Any]:
    found = containers()[request.param]
    yield found
    if isinstance(found, WSGIContainer):
        found.close()


def series_of(application: Any) -> list[tuple[Any, ...]]:
    """Return route, method, status, the number of requests, and the bytes received and sent."""
    return [
        (route, method, status, sum(durations[1]), received[0], sent[0])
        for route, method, status, durations, received, sent in application.observer.metrics.as_json()
    ]


async def check_requests(
    server: Any, application: Any, path: Path, route: str, expect_log: ExpectLog
) -> None:
    """Send requests, and check what has been observed."""
    created = await server.fetch("/shop/a?b=c", "User-Agent: test", method="POST", body=b"12345")
    assert created.code == 201
    with expect_log("tornado.application", "Uncaught exception in (a WSGI|the ASGI) application"):
        failed = await server.fetch("/shop/fail")
    assert failed.code == 500
    identifiers = [created.get("X-Request-Id"), failed.get("X-Request-Id")]
    assert len(set(identifiers)) == 2
    lines = json_lines_of(application, path)
    assert [(line["route"], line["status"], line["request_id"]) for line in lines] == [
        (route, 201, identifiers[0]),
        (route, 500, identifiers[1]),
    ]
    assert lines[0]["target"] == "/shop/a?b=c"
    assert lines[0]["user_agent"] == "test"
    assert lines[0]["size"] == len(created.body) == 9
    assert series_of(application) == [
        (route, "POST", 201, 1, 5, 9),
        (route, "GET", 500, 1, 0, len(failed.body)),
    ]
    assert not application.observer.in_flight
    recent = application.observer.recent
    assert [each["message"] for each in recent.of_request(identifiers[0])] == ["in the application"]
    (error,) = recent.errors()
    assert (error["request_id"], error["type"]) == (identifiers[1], "ValueError")


async def test_route_is_observed_like_a_handler(container, expect_log, tmp_path):
    application = web.Application(
        [(r"/shop/.*", container)],
        access_log="json",
        access_log_file=tmp_path / "log",
        metrics=True,
        request_id=True,
    )
    async with serving(application) as server:
        await check_requests(server, application, tmp_path / "log", "/shop/.*", expect_log)


async def test_whole_server_is_observed(container, expect_log, tmp_path):
    observer = observe(container, Application.log_request)
    add_request_ids(container, observer)
    add_access_log(observer, "json", str(tmp_path / "log"))
    async with serving(container) as server:
        await check_requests(server, container, tmp_path / "log", "/.*", expect_log)
        assert take_snapshot(observer)["gauges"]["http.server.active_requests"] == 0


async def test_fallback_is_observed(expect_log, tmp_path):
    container = WSGIContainer(wsgi)
    application = web.Application(
        [(r"/shop/.*", web.FallbackHandler, {"fallback": container})],
        access_log="json",
        access_log_file=tmp_path / "log",
        request_id=True,
    )
    async with serving(application) as server:
        await check_requests(server, application, tmp_path / "log", "/shop/.*", expect_log)


async def test_mounted_application_has_the_route_of_its_path():
    container = ASGIContainer(asgi, mount="/api")
    observe(container, Application.log_request)
    async with serving(container) as server:
        await server.fetch("/api/a")
        await server.fetch("/apix")
    assert series_of(container) == [
        ("/api(?:/.*)?", "GET", 201, 1, 0, 4),
        (None, "GET", 404, 1, 0, len(b"Not Found")),
    ]


async def test_refused_request_is_counted():
    container = ASGIContainer(asgi)
    observe(container, Application.log_request)
    async with serving(container) as server:
        assert b" 400 " in await server.exchange(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    assert series_of(container) == [(None, "GET", 400, 1, 0, 0)]


async def test_streamed_response_is_counted_once():
    container = ASGIContainer(asgi)
    observe(container, Application.log_request)
    async with serving(container) as server:
        response = await server.fetch("/", method="POST", body=b"streamed")
    assert response.body == b"streamedasgi!"
    assert series_of(container) == [("/.*", "POST", 201, 1, 8, 13)]


async def test_field_of_the_application_takes_precedence():
    async def own(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Request-ID", b"own")]})
        await send({"type": "http.response.body"})

    def own_wsgi(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Request-ID", "own")])
        return []

    routes = [("/asgi", ASGIContainer(own)), ("/wsgi", WSGIContainer(own_wsgi))]
    async with serving(web.Application(routes, request_id=True)) as server:
        for path in ("/asgi", "/wsgi"):
            assert (await server.fetch(path)).get_all("X-Request-Id") == ["own"]


async def test_websocket_is_counted_at_its_handshake():
    application = web.Application([("/live", ASGIContainer(asgi))], metrics=True, request_id=True)
    async with serving(application) as server:
        connection = await websocket_connect(f"ws://127.0.0.1:{server.port}/live")
        assert len(connection.headers["X-Request-Id"]) == 32
        assert series_of(application) == [("/live", "GET", 101, 1, 0, 0)]
        assert not application.observer.in_flight
        connection.close()
        await connection.read_message()


async def test_request_in_flight_has_the_stack_of_its_thread():
    started, release = threading.Event(), threading.Event()

    def slow(environ: Any, start_response: Any) -> list[bytes]:
        started.set()
        release.wait(60)
        start_response("200 OK", [])
        return []

    container = WSGIContainer(slow, threads=1)
    application = web.Application([(r"/slow(?:/.*)?", container)], metrics=True)
    loop_thread = threading.get_ident()
    async with serving(application) as server:
        first, second = await server.connect(), await server.connect()
        first.get("/slow")
        await asyncio.to_thread(started.wait, 60)
        second.get("/slow/waiting")
        while len(application.observer.in_flight) < 2:
            await asyncio.sleep(0)
        running, waiting = await asyncio.to_thread(
            describe_requests, application.observer, loop_thread=loop_thread
        )
        release.set()
        await first.response()
        await second.response()
    assert running["route"] == "/slow(?:/.*)?"
    assert running["handler"] == "tornado.wsgi.WSGIContainer"
    assert any(
        "in test_request_in_flight" in line and "slow: release.wait(60)" in line for line in running["stack"]
    )
    assert waiting["target"] == "/slow/waiting"
    assert waiting["stack"] == []
    container.close()


async def test_request_in_flight_has_the_stack_of_its_task():
    started, release = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        started.set()
        await release.wait()
        await asgi(scope, receive, send)

    container = ASGIContainer(slow)
    observer = observe(container, Application.log_request)
    async with serving(container) as server:
        peer = await server.connect()
        peer.get("/")
        await started.wait()
        (found,) = describe_requests(observer)
        release.set()
        await peer.response()
    assert any("slow: await release.wait()" in line for line in found["stack"])
    assert found["handler"] == "tornado.asgi.ASGIContainer"


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
async def test_disconnect_before_the_response_is_499(kind, expect_log):
    started, gone = threading.Event(), threading.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        started.set()
        assert (await receive())["type"] == "http.disconnect"

    def slow_wsgi(environ: Any, start_response: Any) -> list[bytes]:
        started.set()
        gone.wait(60)
        start_response("200 OK", [])
        return [b""]

    container: Any = ASGIContainer(slow) if kind == "asgi" else WSGIContainer(slow_wsgi, threads=1)
    observer = observe(container, Application.log_request)
    async with serving(container) as server:
        peer = await server.connect()
        peer.get("/")
        await asyncio.to_thread(started.wait, 60)
        sock = peer.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close sends RST
        peer.writer.transport.abort()
        (request,) = observer.in_flight
        while not request.connection.ended:
            await asyncio.sleep(0)
        if kind == "wsgi":
            gone.set()
        while observer.in_flight:
            await asyncio.sleep(0)
    expected = 499 if kind == "asgi" else 200
    assert [(status, count) for _, _, status, count, *_ in series_of(container)] == [(expected, 1)]
    if kind == "wsgi":
        container.close()
