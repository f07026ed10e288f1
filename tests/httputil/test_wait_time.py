"""The time for which a handler waits by design."""

from __future__ import annotations

import pytest

from tornado.httputil import HTTPServerRequest, RequestStartLine, _wait_time


class Clock:
    """A stand-in for the module `time`, whose time changes only by assignment."""

    now = 1000.0

    def time(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_wait_time, "time", clock)
    return clock


def test_request_that_does_not_wait_has_no_wait_time(time: Clock) -> None:
    request = HTTPServerRequest(start_line=RequestStartLine("GET", "/", "HTTP/1.0"))
    assert (request.is_waiting, request.wait_time()) == (False, 0.0)


def test_wait_times_are_added_up(time: Clock) -> None:
    request = HTTPServerRequest(start_line=RequestStartLine("GET", "/", "HTTP/1.0"))
    for seconds in (2, 3):
        with request.waiting():
            time.now += seconds
            assert request.is_waiting
        time.now += 100
        assert not request.is_waiting
    assert request.wait_time() == 5
    with request.waiting():
        time.now += 1
        assert request.wait_time() == 6


def test_overlapping_wait_times_count_once(time: Clock) -> None:
    request = HTTPServerRequest(start_line=RequestStartLine("GET", "/", "HTTP/1.0"))
    with request.waiting():
        time.now += 1
        with pytest.raises(ValueError, match="failed"), request.waiting():
            time.now += 1
            raise ValueError("failed")
        assert request.is_waiting
        time.now += 1
    assert (request.is_waiting, request.wait_time()) == (False, 3)


def test_clock_that_is_set_back_adds_nothing(time: Clock) -> None:
    request = HTTPServerRequest(start_line=RequestStartLine("GET", "/", "HTTP/1.0"))
    with request.waiting():
        time.now -= 10
        assert request.wait_time() == 0
    assert request.wait_time() == 0
