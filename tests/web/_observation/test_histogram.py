"""Histograms with fixed bounds, and quantiles of them."""

from __future__ import annotations

import pytest

from tornado.web._observation._histogram import DURATION_BOUNDS, SIZE_BOUNDS, Histogram, quantile


def test_bounds_are_inclusive_and_the_last_bucket_has_none() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.0, 1.0, 1.5, 2.0, 2.5, 1e9):
        histogram.record(value)
    assert histogram.as_json() == {"bounds": [1.0, 2.0], "counts": [2, 2, 2], "sum": 1000000007.0}


def test_bounds_ascend_and_contain_those_of_the_conventions() -> None:
    assert list(DURATION_BOUNDS) == sorted(set(DURATION_BOUNDS))
    assert list(SIZE_BOUNDS) == sorted(set(SIZE_BOUNDS))
    conventions = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
    assert conventions <= set(DURATION_BOUNDS)


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([0, 0, 0], 0.5, None),
        ([4, 0, 0], 0.5, 0.5),
        ([2, 2, 0], 0.75, 1.5),
        ([1, 0, 3], 0.99, 2.0),
        ([0, 4, 0], 1.0, 2.0),
    ],
)
def test_quantile(counts: list[int], share: float, expected: float | None) -> None:
    assert quantile([1.0, 2.0], counts, share) == expected
