"""Histograms with fixed bounds, as plain lists that are added up and sent as JSON."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from tornado._thread_safety import atomic

__all__ = ["DURATION_BOUNDS", "SIZE_BOUNDS", "Histogram", "quantile"]

#: The upper bounds of the buckets of durations, in seconds: those of the OpenTelemetry conventions for HTTP,
#: and finer ones below 5 ms, because most responses of this server take less.
DURATION_BOUNDS: tuple[float, ...] = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
#: The upper bounds of the buckets of body sizes, in bytes: one less than a power of four, because the bucket
#: of a size is then found from its number of bits.
SIZE_BOUNDS: tuple[float, ...] = tuple(4.0**power - 1 for power in range(16))


class Histogram:
    """Counts of values by bucket, and their sum.

    :param bounds: the inclusive upper bounds of the buckets, in ascending order; the last bucket has none.
    :ivar counts: the number of values in each bucket.
    :ivar sum: the sum of all values.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = DURATION_BOUNDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    @atomic
    def record(self, value: float) -> None:
        """Count a value."""
        # `bisect_left` is called before the count is read.
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def as_json(self) -> dict[str, Any]:
        """Return the histogram in the form of a snapshot."""
        return {"bounds": list(self.bounds), "counts": list(self.counts), "sum": self.sum}


def quantile(bounds: list[float], counts: list[int], share: float) -> float | None:
    """Return an estimate of a quantile: the interpolated value below which `share` of the values lie.

    :returns: None if there are no values. A value in the last bucket counts as the highest bound.
    """
    wanted = sum(counts) * share
    if not wanted:
        return None
    below, lower = 0, 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count and below + count >= wanted:
            return lower + (bound - lower) * (wanted - below) / count
        below, lower = below + count, bound
    return bounds[-1]
