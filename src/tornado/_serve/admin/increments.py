"""The increment between two cumulative snapshots of one worker."""

from __future__ import annotations

from typing import Any

from tornado.web._observation._catalog import Kind

__all__ = ["difference"]

Snapshot = dict[str, Any]


def difference(later: Snapshot, earlier: Snapshot | None) -> Snapshot:
    """Return what was counted between two snapshots, without the series that have not changed.

    :param earlier: None if the worker had not counted anything.
    :returns: a snapshot with the requests, counters and histograms; it has no gauges.
    """
    if earlier is None:
        return {**later, Kind.GAUGE: {}}
    series = {tuple(each[:3]): each for each in earlier["requests"]}
    requests = []
    for each in later["requests"]:
        known = series.get(tuple(each[:3]))
        if known is None:
            requests.append(each)
        elif sum(each[3][1]) != sum(known[3][1]):
            parts = zip(each[3:], known[3:], strict=True)
            requests.append([*each[:3], *([new[0] - old[0], _minus(new[1], old[1])] for new, old in parts)])
    histograms = earlier[Kind.HISTOGRAM]
    counters = earlier[Kind.COUNTER]
    return {
        "requests": requests,
        Kind.GAUGE: {},
        Kind.COUNTER: {
            name: _subtract(value, counters.get(name)) for name, value in later[Kind.COUNTER].items()
        },
        Kind.HISTOGRAM: {
            name: _without(value, histograms.get(name)) for name, value in later[Kind.HISTOGRAM].items()
        },
    }


def _minus(later: list[int], earlier: list[int]) -> list[int]:
    return [one - other for one, other in zip(later, earlier, strict=True)]


def _subtract(value: Any, earlier: Any) -> Any:
    """Return the difference of two numbers, or of numbers by the value of a label."""
    if earlier is None:
        return value
    if isinstance(value, dict):
        return {label: each - earlier.get(label, 0) for label, each in value.items()}
    return value - earlier


def _without(later: dict[str, Any], earlier: dict[str, Any] | None) -> dict[str, Any]:
    if earlier is None:
        return later
    counts = _minus(later["counts"], earlier["counts"])
    return {"bounds": later["bounds"], "counts": counts, "sum": later["sum"] - earlier["sum"]}
