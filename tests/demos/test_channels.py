"""The demo with chat rooms, in Chromium, in one process and with two workers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.program import ROOT, Program

SCRIPT = "demos/channels/main.py"
pytestmark = pytest.mark.browser


class Visitor:
    """A browser with one or several tabs."""

    def __init__(self, browser: Any, program: Program, name: str, transport: str = "") -> None:
        self.program = program
        self.context = browser.new_context()
        self.errors: list[str] = []
        self.page = self.open()
        if transport:
            self.page.select_option("#transport", transport)
            self.wait_connected(self.page)
        self.page.fill("#name", name)
        self.page.press("#name", "Enter")

    def open(self, path: str = "/") -> Any:
        """Open another tab, and return its page."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(self.program.url(path))
        self.wait_connected(page)
        return page

    def wait_connected(self, page: Any) -> None:
        page.wait_for_function("document.getElementById('connection').dataset.state === 'open'")

    def wait_state(self, state: str) -> None:
        condition = "state => document.getElementById('connection').dataset.state === state"
        self.page.wait_for_function(condition, arg=state)

    def say(self, text: str) -> None:
        self.page.fill("#write input", text)
        self.page.press("#write input", "Enter")

    def wait_texts(self, *texts: str) -> None:
        """Wait until the messages are these, without authors and times, and none waits to be sent."""
        condition = """expected => {
            const lines = [...document.querySelectorAll("#messages li")];
            return !document.querySelector(".pending")
                && JSON.stringify(lines.map(line => line.lastChild.textContent)) === expected;
        }"""
        self.page.wait_for_function(condition, arg=self.page.evaluate("JSON.stringify", list(texts)))

    def wait_people(self, *people: str) -> None:
        condition = """expected => {
            const people = [...document.querySelectorAll("#people li")];
            return people.map(each => each.textContent).join() === expected;
        }"""
        self.page.wait_for_function(condition, arg=",".join(people))

    def close(self) -> None:
        assert self.errors == []
        self.context.close()


@pytest.fixture
def program() -> Iterator[Program]:
    with Program(SCRIPT) as running:
        yield running
        assert "Traceback" not in running.output()


@pytest.fixture
def visit(browser: Any, program: Program) -> Iterator[Any]:
    visitors: list[Visitor] = []

    def make(name: str, transport: str = "") -> Visitor:
        visitors.append(Visitor(browser, program, name, transport))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.close()


@pytest.mark.parametrize("transport", ["websocket", "stream", "poll"])
def test_visitors_talk_and_see_each_other(visit, transport):
    ann, bao = visit("Ann", transport), visit("Bao")
    ann.wait_people("Ann", "Bao")
    ann.say("Hello")
    bao.wait_texts("Hello")
    bao.say("<img src=x onerror=alert(1)>")
    ann.wait_texts("Hello", "<img src=x onerror=alert(1)>")
    if transport != "poll":  # it may be lost between two polls
        bao.page.type("#write input", "I")
        ann.page.wait_for_function("document.getElementById('typing').textContent === 'Bao is typing …'")
    second = ann.open()
    bao.wait_people("Ann 2 tabs", "Bao")
    second.close()
    if transport != "poll":
        bao.wait_people("Ann", "Bao")


def test_rooms_have_a_history_and_unread_messages(visit):
    ann = visit("Ann")
    for number in range(40):
        ann.say(str(number))
    ann.wait_texts(*map(str, range(40)))
    bao = visit("Bao")
    bao.wait_texts(*map(str, range(10, 40)))
    bao.page.fill("#new-room input", "Old Records")
    bao.page.press("#new-room input", "Enter")
    bao.say("jazz")
    bao.wait_texts("jazz")
    bao.page.click("#rooms button >> nth=1")
    bao.say("music")
    ann.page.wait_for_function("document.querySelector('.unread')?.textContent === '1'")
    ann.page.click("#rooms button >> nth=1")
    ann.wait_texts("music")
    assert ann.page.query_selector(".unread") is None
    ann.page = ann.open("/#old-records")
    ann.wait_texts("jazz")


def test_interrupted_connection_is_restored(visit):
    ann, bao = visit("Ann"), visit("Bao")
    for number in range(3):
        ann.page.click("#interrupt")
        ann.say(f"ann {number}")
        bao.say(f"bao {number}")
        for visitor in (ann, bao):
            visitor.page.wait_for_function(
                "count => document.querySelectorAll('#messages li').length === count", arg=2 * number + 2
            )
    bao.page.select_option("#transport", "stream")
    bao.say("last")
    ann.page.wait_for_function("document.querySelectorAll('#messages li').length === 7")
    bao.page.wait_for_function("!document.querySelector('.pending')")


def test_message_that_is_not_confirmed_is_stored_once_by_another_transport(visit):
    ann, bao = visit("Ann"), visit("Bao")

    def lose_replies(socket: Any) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda text: "once" in text or "published" in text or socket.send(text))

    ann.page.route_web_socket("**/channels", lose_replies)
    ann.page.click("#interrupt")
    ann.wait_connected(ann.page)
    ann.say("once")
    bao.wait_texts("once")
    ann.page.select_option("#transport", "stream")
    for visitor in (ann, bao):
        visitor.wait_texts("once")
    ann.say("twice")
    for visitor in (ann, bao):
        visitor.wait_texts("once", "twice")


def test_delayed_message_moves_to_its_position(visit):
    ann, bao = visit("Ann"), visit("Bao")
    ann.say("first")
    bao.wait_texts("first")
    ann.context.set_offline(True)
    ann.wait_state("offline")
    ann.say("delayed 1")
    ann.say("delayed 2")
    bao.say("meanwhile")
    bao.wait_texts("first", "meanwhile")
    ann.context.set_offline(False)
    for visitor in (ann, bao):
        visitor.wait_texts("first", "meanwhile", "delayed 1", "delayed 2")
    authors = "[...document.querySelectorAll('.first b')].map(each => each.textContent).join()"
    assert ann.page.evaluate(authors) == bao.page.evaluate(authors) == "Ann,Bao,Ann"


def test_state_without_the_broker(browser, redis_server):
    redis_server.start()
    with Program(SCRIPT, ["--port={port}", "--workers=1", f"--broker={redis_server.url}"]) as program:
        ann = Visitor(browser, program, "Ann")
        ann.page.click("#rooms button >> nth=1")
        ann.say("stored")
        ann.wait_texts("stored")
        redis_server.stop()
        ann.say("delayed")
        ann.wait_state("delayed")
        pages = [ann.page, ann.context.new_page()]
        ann.page = pages[1]
        ann.page.goto(program.url("/#music"))
        ann.wait_state("delayed")
        redis_server.start()
        for ann.page in pages:
            ann.wait_state("open")
            ann.page.wait_for_function("!document.querySelector('.pending')")
            ann.page.wait_for_selector("#messages >> text=delayed")
        ann.close()


def test_narrow_page_shows_all_controls(visit):
    ann = visit("Ann")
    ann.page.set_viewport_size({"width": 390, "height": 700})
    overflow = """[...document.querySelectorAll("button, input, select, #people li")]
        .filter(each => each.getBoundingClientRect().right > innerWidth).length"""
    assert ann.page.evaluate(overflow) == 0


@pytest.mark.parametrize("server", ["redis_server", "nats_server"])
def test_two_workers_share_the_rooms(browser, request, server):
    broker = request.getfixturevalue(server)
    broker.start()
    with Program(SCRIPT, ["--port={port}", f"--broker={broker.url}"]) as program:
        visitors = [Visitor(browser, program, f"V{number}") for number in range(6)]
        for visitor in visitors:
            visitor.wait_people(*[f"V{number}" for number in range(6)])
        for number, visitor in enumerate(visitors):
            visitor.say(str(number))
            for each in visitors:
                each.wait_texts(*map(str, range(number + 1)))
        for visitor in visitors:
            visitor.close()
        assert "Traceback" not in program.output()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers=2"], "channels: --workers needs --broker"),
        (["--broker=http://x"], "channels: the URL of a broker must begin with memory:"),
        (["x"], "channels: unknown argument 'x'"),
    ],
)
def test_wrong_arguments(arguments, message):
    command = [sys.executable, SCRIPT, "--port=0", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
