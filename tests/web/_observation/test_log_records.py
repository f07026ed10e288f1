"""The request identifier in log records, recent records and recent errors."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.observation import replace_records
from tests.support.server import ExpectLog, serving
from tornado import web
from tornado.web._observation._log_records import NO_REQUEST, RecentRecords, extend_records

log = logging.getLogger("program")


class Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The records of the logger of the program."""
    collector = Collector()
    monkeypatch.setattr(log, "handlers", [collector])
    monkeypatch.setattr(log, "propagate", False)
    monkeypatch.setattr(log, "level", logging.INFO)
    log.manager._clear_cache()  # type: ignore[attr-defined]
    return collector.records


class Now(web.RequestHandler):
    def initialize(self) -> None:
        log.info("initialize")

    def get(self) -> None:
        log.info("get")

    def post(self) -> None:
        log.info("post")

    def on_finish(self) -> None:
        log.info("on_finish")


class Later(web.RequestHandler):
    barrier: Any

    async def get(self) -> None:
        log.info("before")
        await self.barrier.wait()
        asyncio.get_running_loop().call_soon(log.info, "callback")
        await asyncio.create_task(self.part())

    async def part(self) -> None:
        log.info("task")


async def test_all_records_of_a_request_have_its_identifier(collected: list[Any]) -> None:
    application = web.Application([("/", Now)], request_id=True)
    async with serving(application, xheaders=True) as server:
        await server.fetch("/", "X-Request-Id: one")
        await server.fetch("/", "X-Request-Id: two", method="POST", body=b"x")
        log.info("outside")
    assert [(each.request_id, each.getMessage()) for each in collected] == [
        ("one", "initialize"),
        ("one", "get"),
        ("one", "on_finish"),
        ("two", "initialize"),
        ("two", "post"),
        ("two", "on_finish"),
        (NO_REQUEST, "outside"),
    ]


async def test_concurrent_requests_keep_their_identifiers(collected: list[Any]) -> None:
    Later.barrier = asyncio.Barrier(2)
    application = web.Application([("/", Later)], request_id=True)
    async with serving(application, xheaders=True) as server:
        await asyncio.gather(*(server.fetch("/", f"X-Request-Id: {name}") for name in ("one", "two")))
    for name in ("one", "two"):
        own = [each.getMessage() for each in collected if each.request_id == name]
        assert sorted(own) == ["before", "callback", "task"]
    assert len(collected) == 6


async def test_lines_of_one_request_are_found_by_its_identifier(collected: list[Any]) -> None:
    application = web.Application([("/", Now)], request_id=True)
    recent: Any = application.observer.recent  # type: ignore[union-attr]
    async with serving(application, xheaders=True) as server:
        await server.fetch("/", "X-Request-Id: one")
        await server.fetch("/", "X-Request-Id: two")
    found = recent.of_request("two")
    assert [each["message"] for each in found] == ["initialize", "get", "on_finish"]
    assert found[0]["logger"] == "program"
    assert found[0]["level"] == "INFO"
    assert found[0]["time"] == collected[3].created
    assert recent.of_request("three") == []


class Failing(web.RequestHandler):
    def get(self) -> None:
        password = self.get_argument("password")
        raise ValueError(f"cannot log in with {password}")


async def test_recent_error_has_a_masked_traceback(expect_log: ExpectLog) -> None:
    application = web.Application([("/", Failing)], request_id=True)
    recent: Any = application.observer.recent  # type: ignore[union-attr]
    with expect_log("tornado.application", "Uncaught exception"):
        async with serving(application, xheaders=True) as server:
            await server.fetch("/?password=open-sesame", "X-Request-Id: one")
            await server.fetch("/?password=open-sesame", "X-Request-Id: two")
    (error,) = recent.errors()
    assert (error["type"], error["count"], error["request_id"]) == ("ValueError", 2, "one")
    assert "in get" in error["traceback"]
    assert "ValueError: cannot log in with" in error["traceback"]
    assert "open-sesame" not in error["traceback"] + error["message"]


def record_of(text: str, error: BaseException | None = None, created: float = 1.0, **fields: Any) -> Any:
    info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("program", logging.ERROR, __file__, 1, text, fields.pop("args", ()), info)
    record.created = created
    return record


def test_recent_records_and_errors_are_bounded() -> None:
    recent = RecentRecords(max_records=3, max_errors=2)
    for number in range(5):
        recent.add("one", record_of(str(number)))
    assert [each["message"] for each in recent.of_request("one")] == ["2", "3", "4"]
    for kind in (ValueError, KeyError, TypeError, KeyError):
        recent.add(NO_REQUEST, record_of("failed", kind("x")))
    assert [(each["type"], each["count"]) for each in recent.errors()] == [("KeyError", 2), ("TypeError", 1)]
    recent.add("long", record_of("x" * 10_000))
    assert len(recent.of_request("long")[0]["message"]) == 2000


def test_record_whose_arguments_do_not_fit_is_kept() -> None:
    recent = RecentRecords()
    recent.add("one", record_of("%d files", args=("two",)))
    assert recent.of_request("one")[0]["message"] == "%d files"


def test_traceback_of_a_frequent_error_is_formatted_once_per_second() -> None:
    recent = RecentRecords()
    for created, text in ((1.0, "first"), (1.5, "second"), (2.0, "third")):
        recent.add(NO_REQUEST, record_of(text, ValueError(text), created))
        (error,) = recent.errors()
        assert error["message"] == ("third" if text == "third" else "first")
    assert error["count"] == 3


def test_record_factory_of_the_program_is_extended_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(logging.LogRecord):
        pass

    logging.setLogRecordFactory(Own)
    recent = extend_records()
    assert extend_records() is recent
    made = logging.getLogger("x").makeRecord("x", 20, "f", 1, "text", (), None)
    assert type(made) is Own
    assert made.request_id == NO_REQUEST  # type: ignore[attr-defined]


def test_last_records_are_those_of_requests_with_their_identifiers():
    recent = RecentRecords()
    for number in range(5):
        record = logging.LogRecord("app", logging.INFO, __file__, 1, "message %d", (number,), None)
        recent.add(f"id {number}", record)
    found = [(each["request_id"], each["message"], each["level"]) for each in recent.last_records(2)]
    assert found == [("id 3", "message 3", "INFO"), ("id 4", "message 4", "INFO")]


@pytest.mark.parametrize(
    "read", [lambda recent: recent.last_records(9), lambda recent: recent.of_request("id")]
)
def test_records_are_read_again_if_another_thread_adds_one(monkeypatch, read):
    """Without a GIL, a deque may change while it is copied."""

    class Changing(deque):
        failures = 1

        def __iter__(self) -> Iterator[Any]:
            if self.failures:
                self.failures -= 1
                raise RuntimeError("deque mutated during iteration")
            return super().__iter__()

    recent = RecentRecords()
    replace_records(monkeypatch, recent, Changing())
    recent.add("id", logging.LogRecord("app", logging.INFO, __file__, 1, "message", (), None))
    assert [each["message"] for each in read(recent)] == ["message"]
