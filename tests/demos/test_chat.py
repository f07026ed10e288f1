from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.support.program import Program


@pytest.fixture
def program() -> Iterator[Program]:
    with Program("demos/chat/main.py") as running:
        yield running
        assert "Traceback" not in running.output()


class Visitor:
    """The state of one browser: a connection, and the token and cookie from the page."""

    def __init__(self, program: Program) -> None:
        self.connection = program.connect()
        status, head, page = self.get("/")
        assert status == 200
        self.page = page
        self.cookie = head["Set-Cookie"].partition(";")[0]
        found = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert found is not None
        self.token = found[1]

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def get(self, path: str) -> tuple[int, http.client.HTTPMessage, str]:
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        return response.status, response.headers, response.read().decode()

    def send(self, path: str, **fields: str) -> None:
        body = urlencode({"_xsrf": self.token, **fields})
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", path, body, headers)

    def answer(self) -> dict:
        response = self.connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
        return json.loads(body)

    def speak(self, text: str) -> dict:
        self.send("/a/message/new", body=text)
        return self.answer()


def test_new_message_completes_the_waiting_request(program):
    with Visitor(program) as ann, Visitor(program) as bob:
        bob.send("/a/message/updates", cursor="")
        spoken = ann.speak("hello, Bob")
        assert bob.answer()["messages"] == [spoken]
        assert spoken["body"] == "hello, Bob"


def test_only_new_messages_are_sent(program):
    with Visitor(program) as ann:
        first, second = ann.speak("one"), ann.speak("two")
        ann.send("/a/message/updates", cursor=first["id"])
        assert ann.answer()["messages"] == [second]
        ann.send("/a/message/updates", cursor="unknown")
        assert ann.answer()["messages"] == [first, second]


def test_late_visitor_sees_earlier_messages(program):
    with Visitor(program) as ann:
        spoken = ann.speak("you missed it")
        with Visitor(program) as bob:
            assert spoken["html"].strip() in bob.page


def test_markup_in_message_is_escaped(program):
    with Visitor(program) as ann:
        spoken = ann.speak("<script>alert(1)</script>&\"'")
        assert "<script>" not in spoken["html"]
        assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;" in spoken["html"].replace(
            "#39", "#x27"
        )


def test_post_without_xsrf_token_is_refused(program):
    with Visitor(program) as ann:
        ann.token = ""
        ann.send("/a/message/new", body="forged")
        response = ann.connection.getresponse()
        assert response.status == 403
        response.read()


@pytest.mark.parametrize("fields", [{}, {"body": "  "}])
def test_empty_message_is_refused(program, fields):
    with Visitor(program) as ann:
        ann.send("/a/message/new", **fields)
        response = ann.connection.getresponse()
        assert response.status == 400
        response.read()


def test_form_without_scripts_is_redirected(program):
    with Visitor(program) as ann:
        ann.send("/a/message/new", body="by form", next="//elsewhere.example/")
        response = ann.connection.getresponse()
        assert (response.status, response.headers["Location"]) == (302, "/")
        response.read()


def test_disconnect_cancels_the_waiting_request(program):
    with Visitor(program) as ann:
        with Visitor(program) as bob:
            bob.send("/a/message/updates", cursor="")
        assert ann.speak("anybody?")["body"] == "anybody?"


@pytest.mark.parametrize(("name", "kind"), [("chat.js", "javascript"), ("chat.css", "text/css")])
def test_static_files_are_versioned_and_cached(program, name, kind):
    with Visitor(program) as ann:
        found = re.search(rf"/static/{re.escape(name)}\?v=\w+", ann.page)
        assert found is not None
        status, head, _ = ann.get(found[0])
        assert status == 200
        assert kind in head["Content-Type"]
        assert "max-age=" in head["Cache-Control"]
        ann.connection.request("GET", found[0], headers={"If-None-Match": head["Etag"]})
        response = ann.connection.getresponse()
        assert (response.status, response.read()) == (304, b"")


def test_file_outside_the_static_folder_is_refused(program):
    with Visitor(program) as ann:
        for path in ("/static/../main.py", "/static/%2e%2e/main.py", "/static//etc/passwd"):
            assert ann.get(path)[0] in (403, 404)


def test_too_large_message_is_refused(program):
    with Visitor(program) as ann:
        ann.send("/a/message/new", body="x" * 9000)
        response = ann.connection.getresponse()
        assert response.status == 413
