"""The rate limit of log lines, for each kind of line."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from tests.support.clock import FakeClock
from tornado import _log_rate_limit
from tornado._log_rate_limit import LogRateLimit


@pytest.fixture
def throttle(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> LogRateLimit:
    monkeypatch.setattr(_log_rate_limit.time, "monotonic", clock)
    caplog.set_level(logging.INFO, "tornado.general")
    return LogRateLimit(logging.getLogger("tornado.general"))


def test_one_line_a_second_and_how_many_there_were(
    throttle: LogRateLimit, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        throttle.log("kind", logging.INFO, "closed %s", number)
    clock.advance(0.9)
    throttle.log("kind", logging.INFO, "closed %s", 5)
    clock.advance(0.2)
    throttle.log("kind", logging.INFO, "closed %s", 6)
    clock.advance(2)
    throttle.log("kind", logging.INFO, "closed %s", 7)
    assert caplog.messages == ["closed 0", "closed 6 (and 5 more since the last such line)", "closed 7"]


def test_some_lines_a_second(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_log_rate_limit.time, "monotonic", clock)
    caplog.set_level(logging.INFO, "tornado.general")
    throttle = LogRateLimit(logging.getLogger("tornado.general"), burst=2)
    for number in range(8):
        throttle.log("kind", logging.INFO, "closed %s", number)
        clock.advance(0.25)
    assert caplog.messages == [
        "closed 0",
        "closed 1",
        "closed 4 (and 2 more since the last such line)",
        "closed 5",
    ]


def test_kinds_do_not_hold_each_other_back(throttle: LogRateLimit, caplog: pytest.LogCaptureFixture) -> None:
    for kind in ("a", "b", "a"):
        throttle.log(kind, logging.INFO, kind)
    assert caplog.messages == ["a", "b"]


def test_what_nobody_wants_costs_no_turn(
    throttle: LogRateLimit, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    throttle.log("kind", logging.DEBUG, "no")
    throttle.log("kind", logging.INFO, "yes")
    assert caplog.messages == ["yes"]


def test_admitted_lines_are_counted(monkeypatch):
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr(_log_rate_limit, "time", clock)
    throttle = _log_rate_limit.LogRateLimit(logging.getLogger("tornado.general"), burst=2)
    assert [throttle.admit("a") for _ in range(5)] == [0, 0, None, None, None]
    assert throttle.admit("b") == 0
    clock.monotonic = lambda: 2.0
    assert [throttle.admit("a"), throttle.admit("a"), throttle.admit("a")] == [3, 0, None]
