"""The requests in flight, with the stacks of their coroutines."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from tests.support.server import serving
from tornado import web
from tornado.web._observation._in_flight import describe_requests, stack_of


class Slow(web.RequestHandler):
    started: asyncio.Event
    release: asyncio.Event

    async def get(self, number: str) -> None:
        await self.first()

    async def post(self, number: str) -> None:
        await asyncio.create_task(self.first())

    async def first(self) -> None:
        self.started.set()
        await self.release.wait()


class Blocking(web.RequestHandler):
    started: threading.Event
    release: threading.Event

    def get(self) -> None:
        self.started.set()
        self.release.wait()


async def test_request_in_flight_is_described_with_its_stack() -> None:
    Slow.started, Slow.release = asyncio.Event(), asyncio.Event()
    application = web.Application([(r"/slow/(\d+)", Slow)], metrics=True, request_id=True)
    async with serving(application, xheaders=True) as server:
        peer = await server.connect()
        peer.get("/slow/12?a=b", "X-Request-Id: one", "X-Real-Ip: 192.0.2.7")
        await Slow.started.wait()
        (found,) = describe_requests(application.observer)
        Slow.release.set()
        await peer.response()
    assert found.pop("age") >= 0
    first, *_, last = [line for line in found.pop("stack") if __file__ in line]
    assert "in Slow.get: await self.first()" in first
    assert "in Slow.first: await self.release.wait()" in last
    assert found == {
        "id": "one",
        "method": "GET",
        "target": "/slow/12?a=b",
        "route": r"/slow/(\d+)",
        "handler": f"{__name__}.Slow",
        "peer": "192.0.2.7",
        "is_waiting": False,
        "is_connected": True,
    }
    assert describe_requests(application.observer) == []


async def test_texts_of_a_client_are_cut() -> None:
    Slow.started, Slow.release = asyncio.Event(), asyncio.Event()
    application = web.Application([(r"/slow/(\d+)", Slow)], metrics=True)
    async with serving(application) as server:
        peer = await server.connect()
        peer.get("/slow/12?" + "x" * 60_000)
        await Slow.started.wait()
        (found,) = describe_requests(application.observer)
        Slow.release.set()
        await peer.response()
    assert found["target"] == "/slow/12?" + "x" * 1991


async def test_request_with_a_body_has_a_stack() -> None:
    Slow.started, Slow.release = asyncio.Event(), asyncio.Event()
    application = web.Application([(r"/slow/(\d+)", Slow)], metrics=True)
    async with serving(application) as server:
        peer = await server.connect()
        peer.get("/slow/1", method="POST", body=b"x")
        await Slow.started.wait()
        (found,) = describe_requests(application.observer)
        Slow.release.set()
        await peer.response()
    assert any("in Slow.post" in line for line in found["stack"])


class Gathering(web.RequestHandler):
    started: asyncio.Event
    release: asyncio.Event

    async def get(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.part(), name="part")

    async def part(self) -> None:
        self.started.set()
        await asyncio.gather(asyncio.create_task(self.release.wait(), name="inner"))


async def test_stack_contains_the_tasks_for_which_a_handler_waits() -> None:
    Gathering.started, Gathering.release = asyncio.Event(), asyncio.Event()
    application = web.Application([("/", Gathering)], metrics=True)
    async with serving(application) as server:
        peer = await server.connect()
        peer.get("/")
        await Gathering.started.wait()
        await asyncio.sleep(0)
        (found,) = await asyncio.to_thread(describe_requests, application.observer)
        Gathering.release.set()
        await peer.response()
    lines = found["stack"]
    assert any("in Gathering.get" in line for line in lines)
    parts = [line for line in lines if line.startswith("part: ") and "in Gathering.part" in line]
    assert len(parts) == hasattr(asyncio, "capture_call_graph")  # Python 3.14
    assert any(line.startswith("inner: ") for line in lines) == bool(parts)


async def test_oldest_requests_are_listed_first_and_the_number_is_limited() -> None:
    Slow.release = asyncio.Event()
    application = web.Application([(r"/slow/(\d+)", Slow)], metrics=True)
    async with serving(application) as server:
        peers = []
        for number in range(3):
            Slow.started = asyncio.Event()
            peers.append(await server.connect())
            peers[-1].get(f"/slow/{number}")
            await Slow.started.wait()
        found = [each["target"] for each in describe_requests(application.observer, limit=2)]
        Slow.release.set()
        for peer in peers:
            await peer.response()
    assert found == ["/slow/0", "/slow/1"]


async def test_requests_that_wait_by_design_are_listed_last() -> None:
    class Poll(Slow):
        async def first(self) -> None:
            with self.request.waiting():
                await super().first()

    Slow.release = asyncio.Event()
    application = web.Application([(r"/slow/(\d+)", Slow), (r"/poll/(\d+)", Poll)], metrics=True)
    async with serving(application) as server:
        peers = []
        for target in ("/poll/1", "/slow/2", "/poll/3", "/slow/4"):
            Slow.started = asyncio.Event()
            peers.append(await server.connect())
            peers[-1].get(target)
            await Slow.started.wait()
        found = [(each["target"], each["is_waiting"]) for each in describe_requests(application.observer)]
        Slow.release.set()
        for peer in peers:
            await peer.response()
    assert found == [("/slow/2", False), ("/slow/4", False), ("/poll/1", True), ("/poll/3", True)]


async def test_blocked_event_loop_is_seen_from_another_thread() -> None:
    Blocking.started, Blocking.release = threading.Event(), threading.Event()
    application = web.Application([("/", Blocking)], metrics=True)
    loop_thread = threading.get_ident()
    found: list[dict[str, Any]] = []

    def look() -> None:
        Blocking.started.wait()
        found.extend(describe_requests(application.observer, loop_thread=loop_thread))
        Blocking.release.set()

    thread = threading.Thread(target=look)
    thread.start()
    async with serving(application) as server:
        await server.fetch("/")
    thread.join()
    assert any("in Blocking.get: self.release.wait()" in line for line in found[0]["stack"])


async def test_stack_continues_through_tasks_and_ends_in_cycles() -> None:
    started = asyncio.Event()

    async def inner() -> None:
        started.set()
        await asyncio.Event().wait()

    async def outer() -> None:
        await asyncio.create_task(inner())

    task = asyncio.create_task(outer())
    await started.wait()
    await asyncio.sleep(0)
    lines = stack_of(task)
    assert "outer" in lines[0]
    task.cancel()
    assert stack_of(None) == []
