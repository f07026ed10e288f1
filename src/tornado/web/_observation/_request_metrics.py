"""Counts of finished requests by route, method and status, with histograms of durations and body sizes.

Recording a request only appends its values to lists, because it runs for each request. The values are sorted
into buckets in batches, most of which is done by functions in C. Names, such as the text of a route, are
found when a snapshot is taken.

The event loops of several threads may serve one application. Appending to a list is atomic, and a batch is
taken from its beginning under a lock, while other threads may append to its end.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import Counter
from typing import Any, TypeVar

from tornado.routing import Rule, pattern_of_route
from tornado.web._observation._histogram import DURATION_BOUNDS, SIZE_BOUNDS

__all__ = ["RequestMetrics", "Series"]

#: The methods with a label of their own. A client could otherwise create any number of series (OpenTelemetry
#: semantic conventions for HTTP).
_METHODS = frozenset("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE PROPFIND".split())
_OTHER = "_OTHER"
_Number = TypeVar("_Number", int, float)
#: The maximum number of series. A program may create rules at run time.
_MAX_SERIES = 5000
_LAST_SIZE = len(SIZE_BOUNDS)
#: The number of values in a batch. The lists of a series take at most 8 KiB.
_BATCH = 200


class Series:
    """The finished requests with one route, method and status.

    :param rule: the route, or None.
    :param method: the method, or ``_OTHER``.
    :ivar log_texts: for the access log: texts that are the same for all these requests. None: not known yet.
    :ivar new_durations: the durations that have not been counted yet, in seconds.
    :ivar new_received: the sizes of the request bodies that have not been counted yet, except empty ones.
    :ivar new_sent: the sizes of the response bodies that have not been counted yet.
    """

    __slots__ = (
        "_duration", "_durations", "_lock", "_received", "_received_sizes", "_sent", "_sent_sizes",
        "log_texts", "method", "new_durations", "new_received", "new_sent", "rule", "status",
    )  # fmt: skip

    def __init__(self, rule: Rule | None, method: str, status: int) -> None:
        self.rule: Rule | None = rule
        self.method: str = method
        self.status: int = status
        self.log_texts: tuple[str, str] | None = None
        self.new_durations: list[float] = []
        self.new_sent: list[int] = []
        self.new_received: list[int] = []
        self._lock = threading.Lock()
        self._duration = 0.0
        self._durations = [0] * (len(DURATION_BOUNDS) + 1)
        self._received = self._sent = 0
        self._received_sizes = [0] * (_LAST_SIZE + 1)
        self._sent_sizes = [0] * (_LAST_SIZE + 1)

    def count(self) -> None:
        """Count the new values, and remove them from their lists."""
        with self._lock:
            self._count()

    def _count(self) -> None:
        durations = _take(self.new_durations)
        durations.sort()
        self._duration += sum(durations)
        below = 0
        for index, bound in enumerate(DURATION_BOUNDS):
            if below == len(durations):
                break
            end = bisect_right(durations, bound, below)
            self._durations[index] += end - below
            below = end
        self._durations[-1] += len(durations) - below
        sent, received = _take(self.new_sent), _take(self.new_received)
        self._sent += sum(sent)
        self._received += sum(received)
        _add_sizes(self._sent_sizes, sent)
        _add_sizes(self._received_sizes, received)

    def as_json(self) -> list[list[Any]]:
        """Return the histograms of duration, request body size and response body size, each as a list of the
        sum and the counts of the buckets.
        """
        with self._lock:
            self._count()
            # A request in between can have a size that is counted, but no duration yet. No count goes back.
            received = self._received_sizes
            received[0] = max(received[0], sum(self._durations) - sum(received[1:]))
            return [
                [self._duration, list(self._durations)],
                [self._received, list(received)],
                [self._sent, list(self._sent_sizes)],
            ]


class RequestMetrics:
    """The finished requests of one process."""

    __slots__ = ("_latest", "_series")

    def __init__(self) -> None:
        self._series: dict[tuple[Rule | None, str, int], Series] = {}
        #: The series of the latest request by route. It is found without a tuple as the key.
        self._latest: dict[Rule | None, Series] = {}

    def record(self, request: Any, status: int, duration: float, sent: int) -> Series:
        """Count a request.

        :param duration: in seconds.
        :param sent: the size of the response body in bytes.
        :returns: the series of the request.
        """
        method = request.method
        try:
            series = self._latest[request.matched_rule]
            if series.status != status or series.method != method:
                series = self._find(request.matched_rule, method, status)
        except KeyError:
            series = self._find(request.matched_rule, method, status)
        # The size first: a request without one is counted as one with an empty body.
        if method != "GET" and (received := len(request.body) or _announced_size(request)):
            series.new_received.append(received)
        durations = series.new_durations
        durations.append(duration)
        series.new_sent.append(sent)
        if len(durations) >= _BATCH:
            series.count()
        return series

    def _find(self, rule: Rule | None, method: str, status: int) -> Series:
        series = self._series.get((rule, method, status)) or self._new_series(rule, method, status)
        if series.rule is rule:  # otherwise it is the common series of too many routes
            self._latest[rule] = series
        return series

    def _new_series(self, rule: Rule | None, method: str, status: int) -> Series:
        if len(self._series) >= _MAX_SERIES:
            rule, method = None, _OTHER
        elif method not in _METHODS:
            method = _OTHER
        return self._series.setdefault((rule, method, status), Series(rule, method, status))

    def as_json(self) -> list[list[Any]]:
        """Return the series: route, method, status, and the histograms of `Series.as_json`."""
        return [
            [pattern_of_route(rule), method, status, *series.as_json()]
            for (rule, method, status), series in list(self._series.items())
        ]


def _announced_size(request: Any) -> int:
    """Return the Content-Length of a body that was streamed to its handler; 0 if there is none."""
    return getattr(getattr(request.connection, "head", None), "content_length", None) or 0


def _take(values: list[_Number]) -> list[_Number]:
    """Remove the values from a list to which other threads append, and return them."""
    taken = values[:]
    del values[: len(taken)]
    return taken


def _add_sizes(buckets: list[int], sizes: list[int]) -> None:
    for size, count in Counter(sizes).items():
        buckets[_bucket_of(size)] += count


def _bucket_of(size: int) -> int:
    """Return the index of the bucket of `SIZE_BOUNDS` that counts a size."""
    return min((size.bit_length() + 1) // 2, _LAST_SIZE)
