from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import threading
from collections.abc import Iterator
from types import ModuleType
from urllib.parse import urlencode

import pytest

import tornado.options
from tests.support.program import ROOT, Program
from tests.support.server import Peer, Response, Server, serving

SCRIPT = ROOT / "demos/executor/main.py"
FORM = "Content-Type: application/x-www-form-urlencoded"


@pytest.fixture
def demo(monkeypatch) -> ModuleType:
    """The program's module, with options separate from those of other demos."""
    monkeypatch.setattr(tornado.options, "options", tornado.options.OptionParser())
    spec = importlib.util.spec_from_file_location("executor_demo", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Gate:
    """A replacement for the hash function that blocks until the test releases it."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.threads: list[str] = []

    def __call__(self, password: str, rounds: int) -> dict[str, str]:
        self.threads.append(threading.current_thread().name)
        assert self.opened.wait(30)
        if password == "wrong":
            raise ValueError("on purpose")
        return {"password": password}


@pytest.fixture
def gate(demo, monkeypatch) -> Iterator[Gate]:
    made = Gate()
    monkeypatch.setattr(demo, "derive", made)
    yield made
    made.opened.set()


def body(password: str, rounds: int = 1) -> bytes:
    return urlencode({"password": password, "rounds": rounds}).encode()


async def jobs(server: Server) -> int:
    number: int = json.loads((await server.fetch("/pulse")).body)["jobs"]
    return number


async def begin(server: Server, password: str) -> Peer:
    before = await jobs(server)
    peer = await server.connect()
    peer.get("/hash", FORM, method="POST", body=body(password))
    while await jobs(server) == before:
        pass
    return peer


async def post(server: Server, password: str, rounds: int = 1) -> Response:
    return await server.fetch("/hash", FORM, method="POST", body=body(password, rounds))


async def test_responses_while_threads_are_busy(demo, gate, expect_log):
    workshop = demo.Workshop(threads=2, waiting=1)
    async with serving(demo.make_app(workshop)) as server:
        peers = [await begin(server, name) for name in ("ann", "bob", "wrong")]
        assert b"<h1>Executor</h1>" in (await server.fetch("/")).body
        with expect_log("tornado.general", "503 POST /hash .*3 jobs are under way"):
            assert (await post(server, "one too many")).code == 503
        with expect_log("tornado.application", "Uncaught exception POST /hash"):
            gate.opened.set()
            *answers, failed = [await peer.response() for peer in peers]
        assert [json.loads(each.body) for each in answers] == [{"password": "ann"}, {"password": "bob"}]
        assert failed.code == 500
        assert await jobs(server) == 0
    assert {name.rpartition("_")[0] for name in gate.threads} == {"workshop"}
    await asyncio.to_thread(workshop.executor.shutdown)


async def test_refused_request_uses_no_thread(demo, gate, expect_log):
    workshop = demo.Workshop(threads=1, waiting=0)
    async with serving(demo.make_app(workshop)) as server:
        for rounds in (0, 201):
            with expect_log("tornado.general", "rounds must be between 1 and 200"):
                assert (await post(server, "ann", rounds)).code == 400
    assert gate.threads == []


def test_hash_is_salted_scrypt():
    with Program(SCRIPT, ("--port={port}", "--threads=1")) as program:
        connection = program.connect()
        seen = set()
        for _ in range(2):
            connection.request("POST", "/hash", body("secret"), {"Content-Type": FORM.partition(": ")[2]})
            answer = json.load(connection.getresponse())
            assert answer["thread"] == "workshop_0"
            assert answer["seconds"] >= 0
            seen.add(bytes.fromhex(answer["key"]))
        assert len(seen) == 2  # each hash has a different salt
        assert {len(key) for key in seen} == {32}
        connection.close()


async def test_shutdown_finishes_running_jobs_and_refuses_waiting_ones(demo, gate, expect_log, capsys):
    workshop = demo.Workshop(threads=1, waiting=1)
    async with serving(demo.make_app(workshop)) as server:
        in_hand, waiting = [await begin(server, name) for name in ("ann", "bob")]
        with expect_log("tornado.general", "503 POST /hash .*the program closed before the job started"):
            closing = asyncio.create_task(workshop.close())
            assert (await waiting.response()).code == 503
        with expect_log("tornado.general", r"503 POST /hash .*\(.*\): the program is closing$"):
            assert (await post(server, "late")).code == 503
        assert not closing.done()
        gate.opened.set()
        assert json.loads((await in_hand.response()).body) == {"password": "ann"}
        await closing
    assert gate.threads == ["workshop_0"]
    assert capsys.readouterr().out == "waiting for running jobs: 1\n"


def test_ctrl_c_during_a_job():
    with Program(SCRIPT) as program:
        connection = program.connect()
        connection.request("POST", "/hash", body("secret", 20), {"Content-Type": FORM.partition(": ")[2]})
        other = program.connect()
        while True:
            other.request("GET", "/pulse")
            if json.load(other.getresponse())["jobs"]:
                break
        os.kill(program.pid, signal.SIGINT)
        assert json.load(connection.getresponse())["thread"] == "workshop_0"
        assert program.wait() == 0
        assert "Traceback" not in program.output()
        other.close()
        connection.close()


@pytest.mark.browser
def test_page_in_browser(browser):
    from playwright.sync_api import expect

    with Program(SCRIPT) as program:
        context = browser.new_context()
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(program.url())
        page.get_by_label("Rounds").fill("1")
        for _ in range(2):
            page.get_by_role("button", name="Hash").click()
        expect(page.locator("#results li")).to_have_count(2)
        for result in page.locator("#results li").all():
            expect(result).to_contain_text(" s in workshop_")
        page.wait_for_function("Number(document.getElementById('answered').textContent) > 1")
        expect(page.locator("#jobs")).to_have_text("0")
        context.close()
        assert errors == []
