"""Changes to a response whose head has been sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.server import ExpectLog, handler_of, serving
from tornado import web

CHANGES: dict[str, Callable[[Any], None]] = {
    "set_status(404)": lambda self: self.set_status(404),
    "set_header('X-Late')": lambda self: self.set_header("X-Late", "1"),
    "add_header('X-Late')": lambda self: self.add_header("X-Late", "1"),
    "clear_header('X-Early')": lambda self: self.clear_header("X-Early"),
    "set_cookie('late')": lambda self: self.set_cookie("late", "1"),
    "set_cookie('gone')": lambda self: self.clear_cookie("gone"),
}
WAYS = ["flush", "finish", "finish with headers"]
#: All combinations, except that clear_header() cannot clear a field that responses on the fast path lack.
CASES = [(call, way) for call in CHANGES for way in WAYS if "X-Early" not in call or way != "finish"]


def handler_with(change: Callable[[Any], None], way: str, seen: list[Any]) -> Any:
    """Return a handler that changes its response after sending the head, and records what its hooks see."""

    def get(self: Any) -> None:
        if way != "finish":  # finish() uses the fast path
            self.set_header("X-Early", "1")
        self.set_status(201)
        self.write("body")
        if way == "flush":
            self.flush()
        else:
            self.finish()
        change(self)
        seen.append((self.get_status(), self._headers.get("X-Late"), self._headers.get("X-Early")))

    return handler_of(get=get)


@pytest.mark.parametrize(("call", "way"), CASES)
async def test_late_change_is_ignored_with_a_warning_once_per_class(
    call: str, way: str, expect_log: ExpectLog
) -> None:
    seen: list[Any] = []
    handlers = [handler_with(CHANGES[call], way, seen) for _ in range(2)]
    application = web.Application([("/0", handlers[0]), ("/1", handlers[1])])
    line = CHANGES[call].__code__.co_firstlineno
    message = rf"^{re.escape(call)} of Handler was ignored .*test_late_response_changes.py:{line}$"
    async with serving(application) as server:
        with expect_log("tornado.application", message) as expected:
            for path in ("/0", "/0", "/1", "/0"):
                answer = await server.fetch(path)
                assert (answer.code, answer.body) == (201, b"body")
                assert answer.get("x-late") is None
                assert answer.get_all("set-cookie") == []
        assert len(expected.records) == 2
    # Programs read header fields back from the handler, as upstream allows.
    late = "1" if "X-Late" in call else None
    early = None if way == "finish" or "X-Early" in call else "1"
    assert set(seen) == {(201, late, early)}


async def test_late_change_is_logged_each_time_with_debug(expect_log: ExpectLog) -> None:
    application = web.Application(
        [("/", handler_with(CHANGES["set_status(404)"], "flush", []))], debug=True, autoreload=False
    )
    async with serving(application) as server:
        with expect_log("tornado.application", "set_status") as expected:
            for _ in range(3):
                assert (await server.fetch("/")).code == 201
    assert len(expected.records) == 3


@pytest.mark.parametrize("way", WAYS)
async def test_log_function_gets_the_status_that_was_sent(way: str, expect_log: ExpectLog) -> None:
    logged: list[int] = []
    application = web.Application(
        [("/", handler_with(CHANGES["set_status(404)"], way, []))],
        log_function=lambda handler: logged.append(handler.get_status()),
    )
    async with serving(application) as server:
        with expect_log("tornado.application", "set_status.404. of Handler was ignored"):
            await server.fetch("/")
    assert logged == [201]


async def test_access_log_has_the_status_that_was_sent(caplog: Any, expect_log: ExpectLog) -> None:
    application = web.Application([("/", handler_with(CHANGES["set_status(404)"], "flush", []))])
    async with serving(application) as server:
        with expect_log("tornado.application", "set_status"), caplog.at_level("INFO", "tornado.access"):
            await server.fetch("/")
    assert [record.getMessage().split()[:3] for record in caplog.records if "GET" in record.getMessage()] == [
        ["201", "GET", "/"]
    ]


@pytest.mark.parametrize("way", WAYS)
async def test_late_set_status_to_the_same_status_is_not_logged(way: str) -> None:
    handler = handler_with(lambda self: self.set_status(201), way, [])
    async with serving(web.Application([("/", handler)])) as server:
        assert (await server.fetch("/")).code == 201


async def test_clear_after_flush_keeps_status_and_headers_and_drops_unsent_output() -> None:
    seen: list[Any] = []

    def change(self: Any) -> None:
        self.write("unsent")
        self.clear()

    async with serving(web.Application([("/", handler_with(change, "flush", seen))])) as server:
        answer = await server.fetch("/")
    assert (answer.code, answer.body) == (201, b"body")
    assert seen == [(201, None, "1")]


async def test_cookies_set_before_flush_are_sent() -> None:
    def get(self: Any) -> None:
        self.set_cookie("early", "1")
        self.flush()

    async with serving(web.Application([("/", handler_of(get=get))])) as server:
        assert (await server.fetch("/")).get_all("set-cookie") == ["early=1; Path=/"]
