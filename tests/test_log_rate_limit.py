"""The rate limit of log lines, for each kind of line."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from types import SimpleNamespace

import pytest

from tests.support.clock import FakeClock
from tests.support.threads import in_threads, let_others_run
from tornado import _log_rate_limit
from tornado._log_rate_limit import LogOnce, LogRateLimit


@pytest.fixture
def rate_limit(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> LogRateLimit:
    monkeypatch.setattr(_log_rate_limit.time, "monotonic", clock)
    caplog.set_level(logging.INFO, "tornado.general")
    return LogRateLimit(logging.getLogger("tornado.general"))


def test_one_line_per_second_with_count_of_suppressed_lines(
    rate_limit: LogRateLimit, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        rate_limit.log("kind", logging.INFO, "closed %s", number)
    clock.advance(0.9)
    rate_limit.log("kind", logging.INFO, "closed %s", 5)
    clock.advance(0.2)
    rate_limit.log("kind", logging.INFO, "closed %s", 6)
    clock.advance(2)
    rate_limit.log("kind", logging.INFO, "closed %s", 7)
    assert caplog.messages == ["closed 0", "closed 6 (and 5 more since the last such line)", "closed 7"]


def test_burst_of_lines_is_permitted(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_log_rate_limit.time, "monotonic", clock)
    caplog.set_level(logging.INFO, "tornado.general")
    rate_limit = LogRateLimit(logging.getLogger("tornado.general"), burst=2)
    for number in range(8):
        rate_limit.log("kind", logging.INFO, "closed %s", number)
        clock.advance(0.25)
    assert caplog.messages == [
        "closed 0",
        "closed 1",
        "closed 4 (and 2 more since the last such line)",
        "closed 5",
    ]


def test_kinds_have_separate_limits(rate_limit: LogRateLimit, caplog: pytest.LogCaptureFixture) -> None:
    for kind in ("a", "b", "a"):
        rate_limit.log(kind, logging.INFO, kind)
    assert caplog.messages == ["a", "b"]


def test_disabled_level_does_not_count(
    rate_limit: LogRateLimit, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    rate_limit.log("kind", logging.DEBUG, "no")
    rate_limit.log("kind", logging.INFO, "yes")
    assert caplog.messages == ["yes"]


def test_admitted_lines_are_counted(monkeypatch):
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr(_log_rate_limit, "time", clock)
    rate_limit = _log_rate_limit.LogRateLimit(logging.getLogger("tornado.general"), burst=2)
    assert [rate_limit.admit("a") for _ in range(5)] == [0, 0, None, None, None]
    assert rate_limit.admit("b") == 0
    clock.monotonic = lambda: 2.0
    assert [rate_limit.admit("a"), rate_limit.admit("a"), rate_limit.admit("a")] == [3, 0, None]


def test_log_once_for_each_owner_and_kind(caplog: pytest.LogCaptureFixture) -> None:
    class Owner:
        pass

    caplog.set_level(logging.INFO, "tornado.application")
    once = LogOnce(logging.getLogger("tornado.application"))
    for owner in (Owner, Owner, type("Other", (), {})):
        once.log(owner, "kind", logging.INFO, "mistake in %s", owner.__name__)
    once.log(Owner, "other kind", logging.INFO, "another mistake in %s", "Owner")
    once.log(Owner, "kind", logging.INFO, "%s", "repeated", repeat=True)
    assert [record.getMessage() for record in caplog.records] == [
        "mistake in Owner",
        "mistake in Other",
        "another mistake in Owner",
        "repeated",
    ]


def test_log_once_does_not_keep_its_owners() -> None:
    owner = type("Owner", (), {})
    held = weakref.ref(owner)
    once = LogOnce(logging.getLogger("tornado.application"))
    once.log(owner, "kind", logging.DEBUG, "mistake")
    del owner
    gc.collect()
    assert held() is None


class Kind(str):
    """A kind of line whose look-up lets other threads run."""

    def __hash__(self) -> int:
        let_others_run()
        return super().__hash__()


def test_threads_share_the_limit(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    monkeypatch.setattr(_log_rate_limit.time, "monotonic", clock)
    limit = LogRateLimit(logging.getLogger("tornado.general"), burst=3)
    kinds = [Kind(number) for number in range(300)]

    barrier = threading.Barrier(4)

    def admitted(_: int) -> int:
        total = 0
        for kind in kinds:
            barrier.wait()
            total += limit.admit(kind) is not None
        return total

    assert sum(in_threads(admitted)) == 3 * len(kinds)
    clock.advance(2)
    assert {limit.admit(kind) for kind in kinds} == {1}


def test_threads_share_a_line_that_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tornado.general")
    log_once = LogOnce(logging.getLogger("tornado.general"))
    barrier = threading.Barrier(4)

    def log(_: int) -> None:
        for number in range(200):
            barrier.wait()
            log_once.log(LogOnce, Kind(number), logging.INFO, "line")

    in_threads(log)
    assert len(caplog.messages) == 200
