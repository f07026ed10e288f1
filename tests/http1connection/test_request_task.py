"""The Task of a request if `start_request` of its server is wrapped or overridden."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from tests.support.agents import Wrapper
from tests.support.server import ExpectLog, serving
from tornado import web
from tornado.http1connection._request_task import RequestTask
from tornado.httpserver import HTTPServer


class Agent:
    """Wraps `HTTPServer.start_request` and records the current Task of each call and of each handler."""

    def __init__(self) -> None:
        self.started: list[Any] = []
        self.handled: list[Any] = []

    def note_start(self) -> None:
        self.started.append(asyncio.current_task())

    def note_handler(self) -> None:
        self.handled.append(asyncio.current_task())


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    made = Agent()
    monkeypatch.setattr(HTTPServer, "start_request", Wrapper(HTTPServer.start_request, made.note_start))
    return made


class Handler(web.RequestHandler):
    agent: Agent

    def get(self) -> None:
        self.agent.note_handler()
        self.write("x")

    post = get


class Coroutine(Handler):
    async def get(self) -> None:
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        super().get()

    post = get


@web.stream_request_body
class Streamed(Handler):
    def data_received(self, chunk: bytes) -> None:
        self.agent.note_handler()


@web.stream_request_body
class StreamedByCoroutine(Handler):
    async def data_received(self, chunk: bytes) -> None:
        await asyncio.sleep(0)


class Detaching(Handler):
    def get(self) -> None:
        self.agent.note_handler()
        self.detach().close()


def application_of(agent: Agent) -> web.Application:
    kinds = (Handler, Coroutine, Streamed, StreamedByCoroutine, Detaching)
    for kind in kinds:
        kind.agent = agent
    return web.Application([(f"/{kind.__name__}", kind) for kind in kinds])


async def tasks_ended(tasks: list[Any]) -> None:
    """Wait until the tasks of finished requests have ended, which takes an event loop iteration."""
    await asyncio.wait(set(tasks))


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_handler_runs_in_task_of_start_request(loop_kind: Any, agent: Agent, method: str) -> None:
    body = b"x" if method == "POST" else None
    async with serving(application_of(agent)) as server:
        peer = await server.connect()
        for _ in range(2):
            assert (await peer.fetch("/Handler", method=method, body=body)).body == b"x"
        await tasks_ended(agent.started)
    assert agent.handled == agent.started
    assert isinstance(agent.started[0], asyncio.Task)
    assert agent.started[0] is not agent.started[1]


async def test_streamed_body_is_delivered_in_task_of_start_request(loop_kind: Any, agent: Agent) -> None:
    async with serving(application_of(agent)) as server:
        peer = await server.connect()
        peer.send("POST /Streamed HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        peer.send("1\r\nb\r\n0\r\n\r\n")
        assert (await peer.response()).body == b"x"
        await tasks_ended(agent.started)
    assert agent.handled[0] is agent.started[0]
    assert None not in agent.handled  # a streaming handler runs in a separate Task, as upstream's does


async def test_coroutine_handler_runs_in_its_own_task(loop_kind: Any, agent: Agent) -> None:
    async with serving(application_of(agent)) as server:
        peer = await server.connect()
        assert (await peer.fetch("/Coroutine")).body == b"x"
        assert (await peer.fetch("/Coroutine", method="POST", body=b"x")).body == b"x"
        assert (await peer.fetch("/StreamedByCoroutine", method="POST", body=b"x")).body == b"x"
        await tasks_ended(agent.started)
    assert None not in agent.handled
    assert agent.handled[0] is not agent.started[0]


async def test_task_of_coroutine_handler_is_made_in_task_of_start_request(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    loop: Any = asyncio.get_running_loop()
    original = loop.create_task

    def create_task(*args: Any, **kwargs: Any) -> Any:
        seen.append(asyncio.current_task())
        return original(*args, **kwargs)

    async with serving(application_of(agent)) as server:
        peer = await server.connect()
        with monkeypatch.context() as patch:
            patch.setattr(loop, "create_task", create_task)
            assert (await peer.fetch("/Coroutine")).body == b"x"
    assert agent.started[0] in seen  # agents that wrap create_task() associate the new Task with the request


async def test_overlapping_requests_have_two_tasks(loop_kind: Any, agent: Agent) -> None:
    async with serving(application_of(agent)) as server:
        peers = [await server.connect(), await server.connect()]
        for peer in peers:
            peer.send("POST /Handler HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        while len(agent.started) < 2:
            await asyncio.sleep(0)
        for peer in reversed(peers):
            peer.send("b")
            assert (await peer.response()).body == b"x"
    assert agent.handled == agent.started[::-1]
    assert len(set(agent.started)) == 2


async def test_pipelined_requests_have_a_task_each(loop_kind: Any, agent: Agent) -> None:
    async with serving(application_of(agent)) as server:
        peer = await server.connect()
        peer.send("GET /Handler HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        for _ in range(3):
            assert (await peer.response()).body == b"x"
    assert agent.handled == agent.started
    assert len(set(agent.started)) == 3


@pytest.mark.parametrize("path", ["/Handler", "/Streamed", "/Detaching"])
async def test_task_ends_when_peer_disconnects_or_stream_is_detached(agent: Agent, path: str) -> None:
    async with serving(application_of(agent)) as server:
        peer = await server.connect()
        if path == "/Detaching":
            peer.get(path)
        else:
            peer.send(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
        while not agent.started:
            await asyncio.sleep(0)
        await peer.close()
        await tasks_ended(agent.started)


async def test_task_ends_when_start_request_raises(expect_log: ExpectLog) -> None:
    tasks: list[Any] = []

    class Broken(HTTPServer):
        def start_request(self, server_conn: object, request_conn: Any) -> Any:
            tasks.append(asyncio.current_task())
            raise ZeroDivisionError("a bug")

    async with serving(web.Application(), server_class=Broken) as server:
        with expect_log("tornado.application", "Uncaught exception while serving"):
            answer = await server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 500 ")
        await tasks_ended(tasks)


async def test_plain_server_calls_handler_without_task() -> None:
    agent = Agent()
    async with serving(application_of(agent)) as server:
        peer = await server.connect()
        assert (await peer.fetch("/Handler")).body == b"x"
    assert agent.handled == [None]


async def test_call_within_another_task_restores_it() -> None:
    outer, owner = asyncio.current_task(), RequestTask(asyncio.get_running_loop())
    inner = owner.call(asyncio.current_task)
    assert inner is not outer
    assert asyncio.current_task() is outer
    assert owner.call(owner.call, asyncio.current_task) is inner

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        owner.call(fail)
    assert asyncio.current_task() is outer
    assert inner is not None
    inner.cancel()
    owner.end()
    await asyncio.wait([inner])
    owner.end()
    assert owner.call(asyncio.current_task) is inner  # calls work even if a program has cancelled the task


def test_loop_closed_during_request_logs_nothing() -> None:
    loop = asyncio.new_event_loop()

    async def begin() -> RequestTask:
        return RequestTask(loop)

    owner = loop.run_until_complete(begin())
    loop.close()
    owner.end()
    del owner
    gc.collect()  # a warning about a destroyed Task would fail the test
