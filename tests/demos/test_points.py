"""The demo with moving points, in Chromium, in one process and with two workers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.support.program import ROOT, Program

SCRIPT = "demos/points/main.py"
pytestmark = pytest.mark.browser


def viewer(browser: Any, program: Program) -> Any:
    page = browser.new_context().new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(program.url())
    page.wait_for_function("map.points() === 3000")
    return page


def test_points_move_and_viewers_are_counted(browser):
    with Program(SCRIPT) as program:
        first, second = viewer(browser, program), viewer(browser, program)
        for page in (first, second):
            page.wait_for_function("document.getElementById('viewers').textContent === '2'")
            before = page.evaluate("map.groups.get(7).to.join()")
            page.wait_for_function("before => map.groups.get(7).to.join() !== before", arg=before)
            assert page.evaluate(
                "[...map.groups.values()].every(({ to }) => to.every(x => x >= 0 && x <= 1000))"
            )
        second.context.close()
        first.wait_for_function("document.getElementById('viewers').textContent === '1'")
        first.context.close()
        assert "Traceback" not in program.output()


def test_slow_viewer_skips_positions(browser):
    with Program(SCRIPT) as program:
        page = viewer(browser, program)
        page.check("#slow")
        page.wait_for_function("slowMap.points() === 3000")
        page.wait_for_function("+document.getElementById('skipped').textContent > 100")
        page.uncheck("#slow")
        assert page.is_hidden("#slow-map")
        page.context.close()


def test_page_shows_that_it_is_offline(browser):
    with Program(SCRIPT) as program:
        page = viewer(browser, program)
        page.context.set_offline(True)
        page.wait_for_selector("text=Offline. The points stand still.")
        page.context.set_offline(False)
        page.wait_for_selector("text=Connected by WebSocket")
        page.context.close()


@pytest.mark.parametrize("server", ["redis_server", "nats_server"])
def test_two_workers_show_the_same_points(browser, request, server):
    broker = request.getfixturevalue(server)
    broker.start()
    with Program(SCRIPT, ["--port={port}", f"--broker={broker.url}"]) as program:
        pages = [viewer(browser, program) for _ in range(4)]
        for page in pages:
            page.wait_for_function("document.getElementById('viewers').textContent === '4'")
        for page in pages:
            page.context.close()
        assert "Traceback" not in program.output()


def test_wrong_arguments():
    command = [sys.executable, SCRIPT, "--port=0", "--broker=http://x"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("points: the URL of a broker must begin with memory:")
