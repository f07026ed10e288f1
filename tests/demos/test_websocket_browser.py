from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.program import Program

pytestmark = pytest.mark.browser


class Person:
    """A separate browser profile that enters the room under a name."""

    def __init__(self, browser, address: str, name: str) -> None:
        self.context = browser.new_context()
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console", lambda entry: self.errors.append(entry.text) if entry.type == "error" else None
        )
        self.page.goto(address)
        self.calls_himself(name)

    def calls_himself(self, name: str) -> None:
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Enter the room").click()

    def says(self, text: str) -> None:
        self.page.get_by_placeholder("Say something").fill(text)
        self.page.get_by_role("button", name="Send").click()

    def hears(self, *texts: str) -> None:
        """Wait until exactly these messages are on the page, in this order, and all are confirmed."""
        from playwright.sync_api import expect

        # A page reconnects after up to half a second, or after up to four seconds if a connection fails.
        expect(self.page.locator("#messages p")).to_have_text(list(texts), timeout=30_000)
        expect(self.page.locator("#unsent li")).to_have_count(0)

    def sees(self, *names: str) -> None:
        """Wait until the page lists exactly these people."""
        from playwright.sync_api import expect

        expect(self.page.locator("#people li")).to_have_text(list(names), timeout=30_000)


@pytest.fixture
def program(tmp_path) -> Iterator[Program]:
    arguments = ("--port={port}", f"--history={tmp_path}/chat.sqlite")
    with Program("demos/websocket/main.py", arguments) as running:
        yield running
        assert "Traceback" not in running.output()


@pytest.fixture
def enter(browser, program):
    """A function that opens the room for a visitor; afterwards no console may contain an error, except failed
    connections.
    """
    people: list[Person] = []

    def enter(name: str) -> Person:
        people.append(Person(browser, program.url(), name))
        return people[-1]

    yield enter
    for person in people:
        person.context.close()
    errors = [error for person in people for error in person.errors]
    assert [error for error in errors if not error.startswith("WebSocket connection to ")] == []


def test_two_people_exchange_messages(enter):
    ann, bob = enter("Ann"), enter("Bob")
    ann.sees("Ann", "Bob")
    ann.says("Hello, Bob")
    bob.hears("Hello, Bob")
    bob.says("Hello, Ann")
    for person in (ann, bob):
        person.hears("Hello, Bob", "Hello, Ann")
    assert ann.page.locator("#messages b").all_text_contents() == ["Ann", "Bob"]
    assert ann.page.locator("#messages .mine p").all_text_contents() == ["Hello, Bob"]
    bob.page.close()
    ann.sees("Ann")
    assert ann.errors == []


def test_late_visitor_sees_earlier_messages(enter):
    ann = enter("Ann")
    ann.says("first")
    ann.hears("first")
    bob = enter("Bob")
    bob.hears("first")
    bob.page.reload()  # the name is remembered
    bob.hears("first")
    ann.sees("Ann", "Bob")


def test_server_restart_loses_no_message(enter, program):
    from playwright.sync_api import expect

    ann, bob = enter("Ann"), enter("Bob")
    ann.says("before")
    for person in (ann, bob):
        person.hears("before")
    program.stop()
    for person in (ann, bob):
        expect(person.page.get_by_role("status")).to_contain_text("trying again")
    ann.says("while offline")
    expect(ann.page.locator("#unsent p")).to_have_text(["while offline"])
    program.restart()
    for person in (ann, bob):
        person.hears("before", "while offline")
        person.sees("Ann", "Bob")
    bob.says("after")
    for person in (ann, bob, enter("Carol")):
        person.hears("before", "while offline", "after")


def test_change_of_name(enter):
    ann, bob = enter("Ann"), enter("Bob")
    bob.page.get_by_title("Change your name").click()
    bob.calls_himself("  Robert   Brown ")
    ann.sees("Ann", "Robert Brown")
    bob.says("It is me")
    ann.hears("It is me")
    bob.hears("It is me")
    assert bob.page.locator(".mine").count() == 1


def test_markup_is_shown_as_text(enter):
    attack = "<img src=x onerror=\"document.title='stolen'\"><b>bold</b>"
    ann, bob = enter("Ann"), enter("<i>Bob</i>")
    bob.says(attack)
    ann.hears(attack)
    ann.sees("<i>Bob</i>", "Ann")
    assert ann.page.title() == "Room"
    assert ann.page.locator("#messages img, #messages b b, #messages i, #people i").count() == 0
