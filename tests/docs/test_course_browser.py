"""docs/guide: the pages with scripts, in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.guides import GUIDE, PORT, files
from tests.support.program import Program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

#: Runs a program of the guide on a port other than the one in its code.
LAUNCH = f"""
import runpy, sys
from tornado import web
from tornado.tcpserver import TCPServer

run, listen, port = web.run, TCPServer.listen, int(sys.argv.pop().removeprefix("--port="))

def listen_elsewhere(server, number, address=None, *arguments, **options):
    assert number == {PORT}
    listen(server, port, "127.0.0.1")

TCPServer.listen = listen_elsewhere
web.run = lambda application: run(application, port, address="127.0.0.1")
runpy.run_path(sys.argv[1], run_name="__main__")
"""

Start = Callable[[str, str], Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program of a chapter."""
    with ExitStack() as stack:

        def start(chapter: str, name: str) -> Program:
            for path, text in files(GUIDE / f"{chapter}.md").items():
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_text(text)
            (tmp_path / "launch.py").write_text(
                LAUNCH.replace("import runpy", f"import os; os.chdir({str(tmp_path)!r}); import runpy")
            )
            return stack.enter_context(Program(tmp_path / "launch.py", (f"{name}.py", "--port={port}")))

        yield start


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """A function that opens a page; the scripts of all pages must run without errors."""
    errors: list[str] = []
    with ExitStack() as stack:

        def visit(url: str) -> Page:
            page = stack.enter_context(browser.new_context()).new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(url)
            return page

        yield visit
    assert errors == []


def test_chat(start: Start, visit: Callable[[str], Page]) -> None:
    program = start("websocket", "chat")
    ada, bob, eve = (visit(program.url(f"/room/{room}")) for room in ("tea", "tea", "coffee"))
    ada.wait_for_function("document.getElementById('people').textContent === '2'")
    ada.fill("#name", "Ada")
    ada.fill("#text", "<b>hello</b>")
    ada.click("button")
    bob.wait_for_selector("#messages li")
    assert bob.inner_text("#messages") == "Ada: <b>hello</b>"
    assert eve.inner_text("#messages") == ""


def test_upload_with_progress(start: Start, visit: Callable[[str], Page], tmp_path: Path) -> None:
    program = start("forms", "progress")
    page = visit(program.url())
    (tmp_path / "file.bin").write_bytes(bytes(3 * 2**20))
    page.set_input_files("input", tmp_path / "file.bin")
    page.click("button")
    page.wait_for_function("document.getElementById('result').textContent === 'Stored.'")
    bars = page.evaluate("['sent', 'arrived'].map((id) => document.getElementById(id).value)")
    assert bars == [1, 1]


def test_event_stream(start: Start, visit: Callable[[str], Page]) -> None:
    program = start("events", "prices")
    page = visit(program.url())
    page.wait_for_function("document.getElementById('price').textContent.startsWith('1.')")
