from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.program import Program

pytestmark = pytest.mark.browser


class Person:
    """A visitor with a separate browser profile."""

    def __init__(self, browser, address: str) -> None:
        self.context = browser.new_context()
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console", lambda entry: self.errors.append(entry.text) if entry.type == "error" else None
        )
        # The page sends a poll as soon as it is shown: wait for this request.
        with self.page.expect_request("**/a/message/updates"):
            self.page.goto(address)

    def says(self, text: str) -> None:
        self.page.get_by_placeholder("Say something").fill(text)
        self.page.get_by_role("button", name="Send").click()

    def hears(self, *texts: str) -> None:
        """Wait until exactly these messages are on the page, in this order."""
        from playwright.sync_api import expect

        expect(self.page.locator("#inbox li")).to_have_text(list(texts))


@pytest.fixture
def program() -> Iterator[Program]:
    with Program("demos/chat/main.py") as running:
        yield running
        assert "Traceback" not in running.output()


@pytest.fixture
def enter(browser, program):
    """A function that opens the room for a visitor; afterwards no console may contain an error."""
    people: list[Person] = []

    def enter() -> Person:
        people.append(Person(browser, program.url()))
        return people[-1]

    yield enter
    for person in people:
        person.context.close()
    assert [error for person in people for error in person.errors] == []


def test_messages_reach_both_visitors(enter):
    ann, bob = enter(), enter()
    ann.says("Hello, Bob")
    bob.hears("Hello, Bob")
    bob.says("Hello, Ann")
    ann.hears("Hello, Bob", "Hello, Ann")
    ann.says("How are you?")
    for person in (ann, bob):
        person.hears("Hello, Bob", "Hello, Ann", "How are you?")


def test_late_visitor_sees_earlier_messages(enter):
    ann = enter()
    ann.says("first")
    ann.hears("first")
    bob = enter()
    bob.hears("first")
    ann.says("second")
    bob.hears("first", "second")


def test_markup_is_shown_as_text(enter):
    ann, bob = enter(), enter()
    attack = "<img src=x onerror=\"document.title='stolen'\"><b>bold</b>"
    ann.says(attack)
    bob.hears(attack)
    assert bob.page.title() == "Chat"
    assert bob.page.locator("#inbox b, #inbox img").count() == 0


def test_page_works_without_scripts(browser, program):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(program.url())
    page.get_by_placeholder("Say something").fill("by hand")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url(program.url())
    assert page.locator("#inbox li").all_text_contents() == ["by hand"]
    context.close()


def test_page_reconnects_after_server_restart(enter, program):
    ann = enter()
    ann.page.route("**/a/message/updates", lambda route: route.abort())
    ann.says("before")
    ann.hears("before")
    ann.page.unroute("**/a/message/updates")
    bob = enter()
    bob.says("after")
    ann.hears("before", "after")
    ann.errors.clear()  # Chromium logs the aborted request
