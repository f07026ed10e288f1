from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from tests.support.observation import restored_process
from tests.support.server import serving
from tornado import web
from tornado._serve.worker_queries import WorkerQueries


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    with restored_process():
        yield


class Hello(web.RequestHandler):
    def get(self) -> None:
        self.write("Hello")


class Fail(web.RequestHandler):
    def get(self) -> None:
        raise ValueError("it is negative")


class Wait(web.RequestHandler):
    release: asyncio.Event

    async def get(self) -> None:
        await self.release.wait()


def make_app() -> web.Application:
    return web.Application([("/", Hello), ("/fail", Fail), ("/wait", Wait)])


def count(queries: WorkerQueries) -> int:
    snapshot = queries.metrics()
    assert snapshot is not None
    return sum(sum(each[3][1]) for each in snapshot["requests"])


async def test_answers_are_about_the_application(expect_log):
    queries, application = WorkerQueries(), make_app()
    queries.begin(application)
    Wait.release = asyncio.Event()
    async with serving(application) as server:
        response = await server.fetch("/")
        assert response.get("X-Request-Id") is None
        with expect_log("tornado.application", "Uncaught exception GET /fail"):
            await server.fetch("/fail")
        peer = await server.connect()
        peer.get("/wait")
        while not queries.requests():
            await asyncio.sleep(0)
        (request,) = queries.requests() or ()
        assert (request["route"], request["handler"].endswith(".Wait")) == ("/wait", True)
        assert any("self.release.wait()" in frame for frame in request["stack"])
        Wait.release.set()
        await peer.response()
        await peer.close()
        assert queries.requests() == []
    (error,) = queries.errors() or ()
    assert error["type"] == "ValueError"
    (record,) = queries.log(error["request_id"]) or ()
    assert record["level"] == "ERROR"
    assert await asyncio.to_thread(count, queries) == 3


async def test_answers_are_empty_before_the_start_and_for_other_applications():
    queries = WorkerQueries()
    queries.begin(lambda environ, start_response: [])
    assert set(queries.functions()) == {"requests", "metrics", "errors", "log", "recent"}
    assert queries.requests() is queries.metrics() is queries.errors() is queries.log("id") is None
    assert queries.take_snapshot() is None


async def test_previous_snapshot_is_returned_while_the_event_loop_is_blocked():
    queries, application = WorkerQueries(), make_app()
    queries.begin(application)
    async with serving(application) as server:
        await server.fetch("/")
        assert await asyncio.to_thread(count, queries) == 1
        await server.fetch("/")
        counts: list[int] = []
        thread = threading.Thread(target=lambda: counts.extend(count(queries) for _ in range(2)))
        thread.start()
        thread.join()  # this thread is that of the event loop
        assert counts == [1, 1]
    assert await asyncio.to_thread(count, queries) == 2


def test_last_snapshot_is_returned_after_the_end_of_the_event_loop():
    queries = WorkerQueries()

    async def run() -> None:
        application = make_app()
        queries.begin(application)
        async with serving(application) as server:
            await server.fetch("/")
        queries.take_snapshot()

    asyncio.run(run())
    assert count(queries) == 1
