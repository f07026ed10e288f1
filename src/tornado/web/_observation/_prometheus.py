"""Metrics in the text format of Prometheus, through the package prometheus-client (the extra ``metrics``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tornado.web._observation._catalog import CATALOG, REQUESTS, Kind
from tornado.web._observation._histogram import DURATION_BOUNDS, SIZE_BOUNDS
from tornado.web._observation._merge import merge

try:
    import prometheus_client
    from prometheus_client import core
except ImportError:
    prometheus_client = None  # type: ignore[assignment]  # an extra

__all__ = ["CONTENT_TYPE", "metrics_text"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_REQUEST_LABELS = ("http_request_method", "http_route", "http_response_status_code")
_REQUEST_BOUNDS = (DURATION_BOUNDS, SIZE_BOUNDS, SIZE_BOUNDS)


def metrics_text(snapshots: Iterable[dict[str, Any]]) -> bytes:
    """Return the sum of snapshots for Prometheus.

    :raises ImportError: if prometheus-client is not installed.
    """
    if prometheus_client is None:
        raise ImportError(
            "metrics for Prometheus require the package prometheus-client: pip install prometheus-client"
        )
    registry = prometheus_client.CollectorRegistry(auto_describe=False)
    registry.register(_Collector(merge(snapshots)))
    return prometheus_client.generate_latest(registry)


class _Collector:
    """Passes a snapshot to prometheus-client.

    :param snapshot: the result of `merge`.
    """

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Any]:
        """Yield the metrics; called by prometheus-client."""
        yield from self._requests()
        for name, metric in CATALOG.items():
            value = self._snapshot[metric.kind].get(name)
            if value is None:
                continue
            full_name = _name(name, metric.unit)
            if metric.kind is Kind.HISTOGRAM:
                histogram = core.HistogramMetricFamily(full_name, metric.help)
                histogram.add_metric([], _buckets(value["bounds"], value["counts"]), value["sum"])
                yield histogram
                continue
            family = core.CounterMetricFamily if metric.kind is Kind.COUNTER else core.GaugeMetricFamily
            if metric.label is None:
                yield family(full_name, metric.help, value=value)
                continue
            labelled = family(full_name, metric.help, labels=[metric.label])
            for label, each in sorted(value.items()):
                labelled.add_metric([label], each)
            yield labelled

    def _requests(self) -> Iterator[Any]:
        for index, (name, unit, help_text) in enumerate(REQUESTS):
            family = core.HistogramMetricFamily(_name(name, unit), help_text, labels=_REQUEST_LABELS)
            for route, method, status, *histograms in self._snapshot["requests"]:
                total, counts = histograms[index]
                labels = [method, route or "", str(status)]
                family.add_metric(labels, _buckets(_REQUEST_BOUNDS[index], counts), total)
            yield family


def _name(name: str, unit: str) -> str:
    return "_".join(filter(None, (name.replace(".", "_"), unit)))


def _buckets(bounds: Iterable[float], counts: Iterable[int]) -> list[tuple[str, float]]:
    """Return the cumulated counts by upper bound, as text."""
    total, buckets = 0, []
    for bound, count in zip([*bounds, float("inf")], counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else repr(float(bound)), float(total)))
    return buckets
