from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.program import Program
from tornado._wire.sse import Event, Parser


@pytest.fixture
def program() -> Iterator[Program]:
    with Program("demos/events/main.py", ("--port={port}", "--interval=0.02")) as running:
        yield running
        assert "Traceback" not in running.output()


def read_events(response: Any, count: int) -> list[Event]:
    parser, events = Parser(), []
    while len(events) < count:
        parser.receive_data(response.read1())
        while (event := parser.next_event()) is not None:
            events.append(event)
    return events


def post(program: Program, path: str) -> None:
    connection = program.connect()
    connection.request("POST", path, body=b"")
    assert connection.getresponse().status == 200
    connection.close()


def numbers(events: list[Event]) -> list[int]:
    return [json.loads(event.data)["number"] for event in events]


def test_reconnect_resends_missed_events(program):
    connection = program.connect()
    connection.request("GET", "/prices")
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    before = read_events(response, 5)
    connection.close()
    connection = program.connect()
    connection.request("GET", "/prices", headers={"Last-Event-ID": before[-1].id})
    after = read_events(connection.getresponse(), 5)
    connection.close()
    seen = numbers(before + after)
    assert seen == list(range(seen[0], seen[0] + len(seen)))


def test_closed_market_responds_with_204(program):
    post(program, "/close")
    connection = program.connect()
    connection.request("GET", "/prices")
    assert connection.getresponse().status == 204
    connection.close()


@pytest.mark.browser
def test_page_in_browser(browser, program):
    from playwright.sync_api import expect

    context = browser.new_context()
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(program.url())
    expect(page.locator("#state")).to_have_text("open")
    for count in (2, 3):
        page.get_by_role("button", name="Break the connection").click()
        expect(page.locator("#connections")).to_have_text(str(count))
    page.wait_for_function("Number(document.getElementById('events').textContent) > 20")
    assert page.locator("#gaps").text_content() == "0"
    assert page.locator("td[data-name=Amber]").text_content() != ""
    page.get_by_role("button", name="Close the market").click()
    expect(page.locator("#state")).to_have_text("closed")
    assert page.locator("#gaps").text_content() == "0"
    assert errors == []
    context.close()


def test_cross_origin_request_cannot_close_the_market(program):
    connection = program.connect()
    connection.request("POST", "/close", body=b"", headers={"Sec-Fetch-Site": "cross-site"})
    assert connection.getresponse().status == 403
    connection.close()


@pytest.mark.browser
def test_restart_is_not_counted_as_a_gap(browser):
    arguments = ("--port={port}", "--interval=0.02")
    context = browser.new_context()
    page = context.new_page()
    with Program("demos/events/main.py", arguments) as running:
        page.goto(running.url())
        page.wait_for_function("Number(document.getElementById('events').textContent) > 20")
        running.restart()
        page.wait_for_function("Number(document.getElementById('connections').textContent) > 1")
        page.wait_for_function("Number(document.getElementById('events').textContent) > 40")
        assert page.locator("#gaps").text_content() == "0"
    context.close()
