"""Counts of finished requests by route, method and status, with histograms of durations and body sizes.

Recording a request is plain arithmetic on lists, because it runs for each request. Names, such as the text of
a route, are found when a snapshot is taken.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from tornado.routing import Rule, pattern_of_route
from tornado.web._observation._histogram import DURATION_BOUNDS, SIZE_BOUNDS

__all__ = ["RequestMetrics", "Series"]

#: The methods with a label of their own. A client could otherwise create any number of series (OpenTelemetry
#: semantic conventions for HTTP).
_METHODS = frozenset("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE PROPFIND".split())
_OTHER = "_OTHER"
#: The maximum number of series. A program may create rules at run time.
_MAX_SERIES = 5000
_LAST_SIZE = len(SIZE_BOUNDS)
_MAX_BITS = 64
_FIRST_BOUND = DURATION_BOUNDS[0]


class Series:
    """The finished requests with one route, method and status.

    The sizes are counted by their number of bits; the bucket of `SIZE_BOUNDS` is half of that number.

    :ivar rule: the route, or None.
    :ivar method: the method, or ``_OTHER``.
    :ivar log_texts: for the access log: texts that are the same for all these requests. None: not known yet.
    """

    __slots__ = (
        "duration", "durations", "log_texts", "method", "received", "received_sizes", "rule", "sent",
        "sent_sizes", "status",
    )  # fmt: skip

    def __init__(self, rule: Rule | None, method: str, status: int) -> None:
        self.rule: Rule | None = rule
        self.method: str = method
        self.status: int = status
        self.log_texts: tuple[str, str] | None = None
        self.duration: float = 0.0
        self.durations: list[int] = [0] * (len(DURATION_BOUNDS) + 1)
        self.received: int = 0
        self.sent: int = 0
        self.received_sizes: list[int] = [0] * _MAX_BITS
        self.sent_sizes: list[int] = [0] * _MAX_BITS


class RequestMetrics:
    """The finished requests of one process."""

    __slots__ = ("_series",)

    def __init__(self) -> None:
        self._series: dict[tuple[Rule | None, str, int], Series] = {}

    def record(self, request: Any, status: int, duration: float, sent: int) -> Series:
        """Count a request.

        :param duration: in seconds.
        :param sent: the size of the response body in bytes.
        :returns: the series of the request.
        """
        method = request.method
        try:
            series = self._series[request.matched_rule, method, status]
        except KeyError:
            series = self._new_series(request.matched_rule, method, status)
        if duration <= _FIRST_BOUND:  # most requests
            series.durations[0] += 1
        else:
            series.durations[bisect_left(DURATION_BOUNDS, duration)] += 1
        series.duration += duration
        series.sent += sent
        series.sent_sizes[sent.bit_length()] += 1
        if method != "GET" and (received := len(request.body) or _announced_size(request)):
            series.received += received
            series.received_sizes[received.bit_length()] += 1
        return series

    def _new_series(self, rule: Rule | None, method: str, status: int) -> Series:
        if len(self._series) >= _MAX_SERIES:
            rule, method = None, _OTHER
        elif method not in _METHODS:
            method = _OTHER
        key = rule, method, status
        if key not in self._series:
            self._series[key] = Series(rule, method, status)
        return self._series[key]

    def as_json(self) -> list[list[Any]]:
        """Return the series: route, method, status, and the histograms of duration, request body size and
        response body size, each as a list of the sum and the counts of the buckets.
        """
        found: list[list[Any]] = []
        for (rule, method, status), series in list(self._series.items()):
            durations = list(series.durations)
            received, sent = series.received_sizes[:], series.sent_sizes[:]
            received[0] = sum(durations) - sum(received[1:])
            found.append(
                [
                    pattern_of_route(rule),
                    method,
                    status,
                    [series.duration, durations],
                    [series.received, _size_counts(received)],
                    [series.sent, _size_counts(sent)],
                ]
            )
        return found


def _announced_size(request: Any) -> int:
    """Return the Content-Length of a body that was streamed to its handler; 0 if there is none."""
    return getattr(getattr(request.connection, "head", None), "content_length", None) or 0


def _size_counts(by_bits: list[int]) -> list[int]:
    """Return the counts of the buckets of `SIZE_BOUNDS`, given the counts by the number of bits."""
    counts = [0] * (_LAST_SIZE + 1)
    for bits, count in enumerate(by_bits):
        counts[min((bits + 1) // 2, _LAST_SIZE)] += count
    return counts
