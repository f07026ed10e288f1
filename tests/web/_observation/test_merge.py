"""Histograms, and sums of snapshots of several processes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tornado.web._observation._histogram import DURATION_BOUNDS, SIZE_BOUNDS, Histogram, quantile
from tornado.web._observation._merge import WorkerTotals, merge
from tornado.web._observation._request_metrics import RequestMetrics


class Request:
    """The part of a request that is recorded."""

    matched_rule: Any = None
    connection = None

    def __init__(self, method: str = "GET", body: bytes = b"") -> None:
        self.method = method
        self.body = body


def snapshot(requests: int, gauge: int = 1, **counters: Any) -> dict[str, Any]:
    metrics = RequestMetrics()
    delays = Histogram()
    for number in range(requests):
        metrics.record(Request(), 200, 0.25, 10)
        delays.record(number)
    found = {
        "requests": metrics.as_json(),
        "counters": counters,
        "gauges": {"connections": gauge, "kinds": {"a": gauge}},
        "histograms": {"delay": delays.as_json()},
    }
    restored: dict[str, Any] = json.loads(json.dumps(found))
    return restored


@pytest.mark.parametrize(("value", "bucket"), [(0, 0), (0.0005, 0), (0.0006, 1), (10, 16), (10.1, 17)])
def test_bound_belongs_to_the_bucket_below(value: float, bucket: int) -> None:
    histogram = Histogram()
    histogram.record(value)
    assert histogram.counts.index(1) == bucket
    assert histogram.sum == value


@pytest.mark.parametrize("size", [0, 1, 3, 4, 15, 16, 17, 255, 256, 10**6, 2**30 - 1, 2**30, 2**40])
def test_bucket_of_a_size(size: int) -> None:
    metrics = RequestMetrics()
    metrics.record(Request("POST", b"x"), 200, 0.1, size)
    ((_, _, _, _, received, (total, counts)),) = metrics.as_json()
    bucket = counts.index(1)
    assert total == size
    assert bucket == len(SIZE_BOUNDS) or size <= SIZE_BOUNDS[bucket]
    assert bucket == 0 or size > SIZE_BOUNDS[bucket - 1]
    assert received == [1, [0, 1] + [0] * (len(SIZE_BOUNDS) - 1)]


def test_number_of_series_is_bounded() -> None:
    metrics = RequestMetrics()
    for number in range(6000):
        request = Request()
        request.matched_rule = number
        metrics.record(request, 200, 0.1, 1)
    found = metrics.as_json()
    assert len(found) == 5001
    assert sum(sum(series[3][1]) for series in found) == 6000


def test_methods_of_clients_create_no_series() -> None:
    metrics = RequestMetrics()
    for number in range(100):
        metrics.record(Request(f"METHOD{number}"), 405, 0.1, 1)
    assert [series[:3] for series in metrics.as_json()] == [[None, "_OTHER", 405]]


def test_quantile_is_interpolated() -> None:
    histogram = Histogram((1.0, 2.0, 4.0))
    for value in (0.5, 1.5, 1.6, 3):
        histogram.record(value)
    bounds = list(histogram.bounds)
    assert quantile(bounds, histogram.counts, 0.25) == 1.0
    assert quantile(bounds, histogram.counts, 0.5) == 1.5
    assert quantile(bounds, histogram.counts, 1.0) == 4.0
    histogram.record(100)
    assert quantile(bounds, histogram.counts, 1.0) == 4.0
    assert quantile(bounds, [0, 0, 0, 0], 0.5) is None


def test_merge_adds_everything_and_changes_no_argument() -> None:
    one, two = snapshot(2, restarts={"crash": 1}, cpu=1), snapshot(3, restarts={"crash": 2, "reload": 1})
    before = json.dumps([one, two])
    total = merge([one, two])
    assert json.dumps([one, two]) == before
    assert total["counters"] == {"restarts": {"crash": 3, "reload": 1}, "cpu": 1}
    assert total["gauges"] == {"connections": 2, "kinds": {"a": 2}}
    ((route, method, status, durations, _, sent),) = total["requests"]
    assert (route, method, status, sum(durations[1]), durations[0]) == (None, "GET", 200, 5, 1.25)
    assert sent[0] == 50
    delay = total["histograms"]["delay"]
    assert (sum(delay["counts"]), delay["sum"], delay["bounds"]) == (5, 4, list(DURATION_BOUNDS))


def test_totals_do_not_decrease_when_workers_end() -> None:
    totals = WorkerTotals()

    def values() -> tuple[int, float, int, int]:
        found = totals.total()
        requests = sum(sum(series[3][1]) for series in found["requests"])
        delays = sum(found["histograms"].get("delay", {"counts": []})["counts"])
        return requests, delays, found["counters"].get("cpu", 0), found["gauges"].get("connections", 0)

    assert values() == (0, 0, 0, 0)
    totals.update(1, snapshot(2, cpu=1))
    totals.update(2, snapshot(3, cpu=2))
    assert values() == (5, 5, 3, 2)
    totals.update(1, snapshot(4, cpu=3))
    totals.retire(1)
    assert values() == (7, 7, 5, 1)
    totals.retire(1)
    totals.update(3, snapshot(1))
    totals.retire(2)
    assert values() == (8, 8, 5, 1)
