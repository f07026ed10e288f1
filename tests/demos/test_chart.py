from __future__ import annotations

import asyncio
import contextlib
import json
import runpy
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.program import ROOT, Program
from tests.support.server import serving
from tornado.websocket import WebSocketClientConnection, websocket_connect

ARGUMENTS = ("--port={port}", "--interval=0.01")


@pytest.fixture
def program() -> Iterator[Program]:
    with Program("demos/chart/main.py", ARGUMENTS) as running:
        yield running
        assert "Traceback" not in running.output()


def connect(program: Program) -> Any:
    return websocket_connect(f"ws://127.0.0.1:{program.port}/samples")


async def read(viewer: WebSocketClientConnection) -> dict[str, Any]:
    message = await viewer.read_message()
    assert isinstance(message, str), (viewer.close_code, viewer.close_reason)
    return json.loads(message)


async def samples(viewer: WebSocketClientConnection, count: int) -> list[dict[str, Any]]:
    """Receive samples until there are at least `count`."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += (await read(viewer))["samples"]
    return found


def numbers(found: list[dict[str, Any]]) -> list[int]:
    return [sample["number"] for sample in found]


def are_whole(found: list[int]) -> bool:
    return found == list(range(found[0], found[-1] + 1))


async def test_several_viewers_share_one_source(program):
    async with connect(program) as one, connect(program) as other:
        for viewer in (one, other):
            await viewer.write_message("watch 0")
        first, second = await samples(one, 50), await samples(other, 50)
        assert are_whole(numbers(first))
        assert all(len(sample["values"]) == 3 for sample in first)
        by_number = {sample["number"]: sample for sample in second}
        shared = [sample for sample in first if sample["number"] in by_number]
        assert len(shared) > 1
        assert all(by_number[sample["number"]] == sample for sample in shared)
        while (await read(one))["viewers"] != 2:
            pass
        other.close()
        while (await read(one))["viewers"] != 1:
            pass


async def test_paused_viewer_receives_missed_samples_after_resuming(program):
    async with connect(program) as paused, connect(program) as other:
        for viewer in (paused, other):
            await viewer.write_message("watch 0")
        while (await read(other))["viewers"] != 2:
            pass
        seen = numbers(await samples(paused, 10))
        await paused.write_message("pause")
        while (news := await read(other))["viewers"] != 1:
            pass
        paused_at = news["samples"][0]["number"]
        await samples(other, 50)
        await paused.write_message(f"watch {seen[-1]}")
        late: list[int] = []
        while len(missed := numbers((await read(paused))["samples"])) < 50:
            late += missed
        assert all(number < paused_at for number in late)  # sent before the pause
        assert missed[0] == seen[-1] + 1
        assert are_whole(missed + numbers(await samples(paused, 10)))


@pytest.mark.parametrize("said", ["hello", "watch", "watch x", "watch -1", "", "pause now"])
async def test_unknown_command_closes_the_connection(program, said):
    async with connect(program) as viewer:
        await viewer.write_message(said)
        assert await viewer.read_message() is None
        assert (viewer.close_code, viewer.close_reason) == (1008, "expected 'watch NUMBER' or 'pause'")


async def test_number_of_a_thousand_digits_closes_the_connection(program):
    async with connect(program) as viewer:
        await viewer.write_message("watch " + "9" * 1000)
        assert await viewer.read_message() is None
        assert viewer.close_code == 1009


@pytest.fixture
def demo(monkeypatch) -> dict[str, Any]:
    """The program's global names, without its options."""
    monkeypatch.setattr("tornado.options.define", lambda *_args, **_keywords: None)
    return runpy.run_path(str(ROOT / "demos/chart/main.py"), run_name="chart")


async def test_viewer_that_does_not_read_misses_samples(demo):
    source = demo["Source"]()
    async with serving(demo["make_app"](source)) as server:
        url = f"ws://127.0.0.1:{server.port}/samples"
        reader, sleeper = await websocket_connect(url), await asyncio.to_thread(sleeping_viewer, server.port)
        with contextlib.closing(sleeper):
            await reader.write_message("watch 0")
            while len(source.viewers) < 2:
                await asyncio.sleep(0)
            held = next(viewer for viewer in source.viewers if viewer.get_query_argument("slow", ""))
            stream = held.ws_connection.stream
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            taken: list[int] = []
            while not stream.pending_output:
                source.take()
                taken += await until(reader, source.number)
            for _ in range(50):
                source.take()
                taken += await until(reader, source.number)
            assert stream.pending_output < 200  # at most one partially sent sample
            assert are_whole(taken)
        reader.close()
        await reader.wait_closed()


async def until(viewer: WebSocketClientConnection, number: int) -> list[int]:
    """Return the numbers of the samples up to the sample with this number."""
    found: list[int] = []
    while number not in found:
        found += numbers((await read(viewer))["samples"])
    return found


def sleeping_viewer(port: int) -> socket.socket:
    """Connect a viewer that sends "watch" and never reads."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    sock.sendall(
        b"GET /samples?slow=1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    # "watch 0", masked with zeros
    sock.sendall(b"\x81\x87\0\0\0\0watch 0")
    return sock


class Page:
    """The chart in a browser."""

    def __init__(self, context, address: str) -> None:
        self.page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.has_received(5)

    def count(self) -> int:
        return int(self.page.locator("#count").text_content())

    def has_received(self, more: int) -> None:
        """Wait for `count` more samples."""
        wanted = more + self.count()
        self.page.wait_for_function(f"Number(document.getElementById('count').textContent) >= {wanted}")

    def picture(self) -> str:
        return self.page.evaluate("document.getElementById('chart').toDataURL()")

    def is_whole(self) -> bool:
        found = self.page.evaluate("samples.map(({ number }) => number)")
        return are_whole(found)


@pytest.fixture
def open_page(browser, program):
    """A function that opens the chart in a separate window."""
    pages: list[Page] = []
    contexts = []

    def open_page() -> Page:
        contexts.append(browser.new_context())
        pages.append(Page(contexts[-1], program.url()))
        return pages[-1]

    yield open_page
    for context in contexts:
        context.close()
    assert [error for page in pages for error in page.errors] == []


@pytest.mark.browser
def test_chart_moves_and_pauses(open_page):
    from playwright.sync_api import expect

    chart, other = open_page(), open_page()
    expect(chart.page.locator("#viewers")).to_have_text("2")
    before = chart.picture()
    chart.page.wait_for_function(
        "before => document.getElementById('chart').toDataURL() !== before", arg=before
    )
    chart.page.get_by_role("button", name="Pause").click()
    expect(chart.page.get_by_role("status")).to_have_text("Paused")
    expect(other.page.locator("#viewers")).to_have_text("1")  # the server has stopped sending to this page
    chart.page.evaluate("new Promise(requestAnimationFrame)")  # the last frame has been drawn
    count, picture = chart.count(), chart.picture()
    other.has_received(20)
    assert chart.count() == count
    assert chart.picture() == picture
    chart.page.get_by_role("button", name="Resume").click()
    chart.page.wait_for_function(f"Number(document.getElementById('count').textContent) >= {count + 20}")
    assert chart.is_whole()
    chart.page.wait_for_function(
        "before => document.getElementById('chart').toDataURL() !== before", arg=picture
    )
    expect(chart.page.locator("#legend b").first).not_to_have_text("–")


@pytest.mark.browser
def test_page_reconnects_after_server_restart(open_page, program):
    chart = open_page()
    program.restart()
    # The samples of the restarted program have larger numbers.
    chart.page.wait_for_function("samples.at(-1).number - samples[0].number > samples.length")
    chart.has_received(10)


@pytest.mark.browser
def test_canvas_shows_all_lines(open_page):
    chart = open_page()
    chart.has_received(50)
    drawn = chart.page.evaluate(
        """() => {
            const { width, height } = canvas;
            const { data } = context.getImageData(0, 0, width, height);
            const colours = new Set();
            for (let at = 0; at < data.length; at += 4) {
                colours.add(data.slice(at, at + 3).join());
            }
            const style = getComputedStyle(canvas);
            return [0, 1, 2].map((line) => {
                const [, ...parts] = style.getPropertyValue(`--curve-${line}`).match(/#(..)(..)(..)/);
                return colours.has(parts.map((part) => parseInt(part, 16)).join());
            });
        }"""
    )
    assert drawn == [True, True, True]
