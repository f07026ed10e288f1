"""Counts of finished requests by route, method and status."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.support.observation import FinishedRequest
from tests.support.threads import in_threads
from tornado.routing import Rule
from tornado.web import RequestHandler, url
from tornado.web._observation._histogram import DURATION_BOUNDS, SIZE_BOUNDS
from tornado.web._observation._request_metrics import RequestMetrics


def rule(pattern: str) -> Rule:
    return url(pattern, RequestHandler)


def counts(metrics: RequestMetrics) -> dict[tuple[Any, str, int], int]:
    return {(route, method, status): sum(each[0][1]) for route, method, status, *each in metrics.as_json()}


def test_requests_are_counted_by_route_method_and_status() -> None:
    metrics, item = RequestMetrics(), rule("/item/(.*)")
    for method, status in [("GET", 200), ("GET", 200), ("GET", 404), ("DELETE", 204)]:
        metrics.record(FinishedRequest(item, method), status, 0.001, 0)
    metrics.record(FinishedRequest(None, "GET"), 404, 0.001, 0)
    assert counts(metrics) == {
        ("/item/(.*)", "GET", 200): 2,
        ("/item/(.*)", "GET", 404): 1,
        ("/item/(.*)", "DELETE", 204): 1,
        (None, "GET", 404): 1,
    }


def test_unknown_methods_share_one_series() -> None:
    metrics = RequestMetrics()
    for number in range(100):
        series = metrics.record(FinishedRequest(None, f"M{number}"), 405, 0.001, 0)
    assert counts(metrics) == {(None, "_OTHER", 405): 100}
    assert (series.rule, series.method, series.status) == (None, "_OTHER", 405)


def test_number_of_series_is_limited() -> None:
    metrics = RequestMetrics()
    rules = [rule(f"/{number}") for number in range(6000)]
    for each in rules:
        metrics.record(FinishedRequest(each, "GET"), 200, 0.001, 0)
    found = counts(metrics)
    assert len(found) == 5001
    assert found[None, "_OTHER", 200] == 1000


@pytest.mark.parametrize("duration", [0.0, *DURATION_BOUNDS, 1e9])
def test_durations_are_counted_in_buckets_with_inclusive_bounds(duration: float) -> None:
    metrics = RequestMetrics()
    metrics.record(FinishedRequest(None, "GET"), 200, duration, 0)
    ((*_, (total, buckets), _, _),) = metrics.as_json()
    assert total == duration
    expected = sum(bound < duration for bound in DURATION_BOUNDS)
    assert [index for index, count in enumerate(buckets) if count] == [expected]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 15, 16, 17, 10**6, 4**15 - 1, 4**15, 2**60])
def test_sizes_are_counted_in_buckets_with_inclusive_bounds(size: int) -> None:
    metrics = RequestMetrics()
    metrics.record(FinishedRequest(None, "POST", bytes(min(size, 1000))), 200, 0.001, size)
    ((*_, (received, received_sizes), (sent, sent_sizes)),) = metrics.as_json()
    assert (received, sent) == (min(size, 1000), size)
    for value, buckets in ((received, received_sizes), (sent, sent_sizes)):
        expected = sum(bound < value for bound in SIZE_BOUNDS)
        assert [index for index, count in enumerate(buckets) if count] == [expected]


def test_many_requests_are_counted_in_batches() -> None:
    metrics, item = RequestMetrics(), rule("/item/(.*)")
    for number in range(1050):
        metrics.record(FinishedRequest(item, "GET"), 200 if number % 5 else 404, number / 1000, number % 3)
        if number == 450:
            assert sum(counts(metrics).values()) == 451
    total: dict[int, tuple[Any, ...]] = {status: tuple(each) for _, _, status, *each in metrics.as_json()}
    assert sum(total[200][0][1]) == 840
    assert sum(total[404][0][1]) == 210
    durations = [sum(pair) for pair in zip(total[200][0][1], total[404][0][1], strict=True)]
    lower = (-1.0, *DURATION_BOUNDS)
    expected = [
        sum(below < number / 1000 <= bound for number in range(1050))
        for below, bound in zip(lower, (*DURATION_BOUNDS, 1e9), strict=True)
    ]
    assert durations == expected
    assert total[200][0][0] + total[404][0][0] == pytest.approx(sum(range(1050)) / 1000)
    assert total[200][2][0] + total[404][2][0] == 1050
    assert [a + b for a, b in zip(total[200][2][1], total[404][2][1], strict=True)][:2] == [350, 700]


def test_size_of_a_streamed_body_is_the_announced_one() -> None:
    metrics = RequestMetrics()
    metrics.record(FinishedRequest(None, "PUT", announced=500), 200, 0.001, 0)
    ((*_, (received, _), _),) = metrics.as_json()
    assert received == 500


def test_threads_lose_no_request() -> None:
    metrics, routes = RequestMetrics(), [rule("/a"), rule("/b")]

    def record(_: int) -> None:
        for number in range(3000):
            request = FinishedRequest(routes[number % 2], "POST", body=b"12345")
            metrics.record(request, 200, 0.001, 7)
            if number % 500 == 0:
                metrics.as_json()

    in_threads(record)
    for _, _, _, (_, durations), (received, _), (sent, sizes) in metrics.as_json():
        assert (sum(durations), received, sent, sum(sizes)) == (6000, 5 * 6000, 7 * 6000, 6000)


class Interrupted(list):
    """A list that calls a function after its first change or copy."""

    def __init__(self, call) -> None:
        super().__init__()
        self.calls = [call]

    def append(self, value) -> None:
        super().append(value)
        self.interrupt()

    def __getitem__(self, index):
        found = super().__getitem__(index)
        self.interrupt()
        return found

    def interrupt(self) -> None:
        if self.calls:
            self.calls.pop()()


@pytest.mark.parametrize("place", ["new_durations", "new_sent", "new_received"])
@pytest.mark.parametrize("runs", ["record", "snapshot"])
def test_no_count_goes_back_if_a_request_ends_during_a_snapshot(place: str, runs: str) -> None:
    """Another thread may record requests or take snapshots between any two steps."""
    metrics = RequestMetrics()
    seen: list[Any] = []

    def snapshot() -> None:
        ((*_, (_, durations), (_, received), (_, sent)),) = metrics.as_json()
        seen.append([*durations, *received, *sent])

    def record() -> None:
        metrics.record(FinishedRequest(None, "POST", b"12345"), 200, 0.001, 7)

    series = metrics.record(FinishedRequest(None, "POST"), 200, 0.001, 7)
    snapshot()
    # The snapshot of an interrupted record, or the record during an interrupted snapshot.
    setattr(series, place, Interrupted(snapshot if runs == "record" else record))
    record() if runs == "record" else snapshot()
    snapshot()
    for earlier, later in itertools.pairwise(seen):
        assert all(before <= after for before, after in zip(earlier, later, strict=True))
    ((*_, (received, sizes), _),) = metrics.as_json()
    assert (received, sizes[0], sum(sizes)) == (5, 1, 2)
