"""The chat program of the notes: with plain requests, and with two users in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.seeds.client import Visitor
from tests.seeds.conftest import PROGRAMS
from tests.support.program import Program


@pytest.fixture
def program() -> Iterator[Program]:
    with Program(PROGRAMS / "chat/main.py") as running:
        yield running
        assert "Traceback" not in running.output()


class Person(Visitor):
    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.page = self.get().text
        found = re.search(r'name="_xsrf" value="([^"]+)"', self.page)
        assert found is not None
        self.token = found[1]

    def says(self, body: str, **fields: str):
        return self.post("/a/message/new", body=body, _xsrf=self.token, **fields)

    def hears(self, cursor: str = "") -> list[str]:
        answer = self.post("/a/message/updates", cursor=cursor, _xsrf=self.token)
        return [each["body"] for each in answer.json["messages"]]


def test_message_reaches_waiting_client(program):
    ann, bob = Person(program), Person(program)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bob.hears)
        said = ann.says("大家好").json
        assert said["body"] == "大家好"
        assert "大家好" in said["html"]
        assert waiting.result(30) == ["大家好"]
    ann.says("second")
    assert ann.hears(cursor=said["id"]) == ["second"]
    assert "大家好" in Person(program).page


def test_form_without_javascript(program):
    ann = Person(program)
    answer = ann.says("by form", next="/")
    assert (answer.code, answer.headers["Location"]) == (302, "/")
    assert "by form" in ann.get().text


def test_request_without_xsrf_token_is_rejected(program):
    ann = Person(program)
    ann.token = "forged"
    assert ann.says("no").code == 403


def test_client_disconnects_while_waiting(program):
    ann, bob = Person(program), Person(program)
    connection = program.connect()
    cookies = "; ".join(f"{name}={value}" for name, value in bob.cookies.items())
    head = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/a/message/updates", f"_xsrf={bob.token}", head)
    connection.close()
    assert ann.says("still here?").json["body"] == "still here?"


@pytest.mark.browser
def test_two_users_exchange_messages(browser, program):
    from playwright.sync_api import expect

    errors: list[str] = []
    pages = []
    for _ in range(2):
        page = browser.new_context().new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        with page.expect_request("**/a/message/updates"):
            page.goto(program.url())
        pages.append(page)
    ann, bob = pages
    ann.locator("#message").fill("你好, <b>Bob</b>")
    ann.get_by_role("button", name="Post").click()
    expect(bob.locator(".message")).to_have_text(["你好, <b>Bob</b>"])
    expect(ann.locator(".message")).to_have_text(["你好, <b>Bob</b>"])
    bob.locator("#message").fill("hello")
    bob.get_by_role("button", name="Post").click()
    expect(ann.locator(".message")).to_have_text(["你好, <b>Bob</b>", "hello"])
    for page in pages:
        page.context.close()
    assert errors == []
