"""Sums of the snapshots of several processes, which do not decrease when a process ends."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from tornado.web._observation._catalog import Kind

__all__ = ["WorkerTotals", "merge"]

Snapshot = dict[str, Any]


def merge(snapshots: Iterable[Snapshot], retired: Iterable[Snapshot] = ()) -> Snapshot:
    """Return the sum of snapshots.

    :param snapshots: the snapshots of processes.
    :param retired: the last snapshots of processes that have ended. Their gauges are not counted.
    """
    requests: dict[tuple[Any, ...], list[Any]] = {}
    merged: Snapshot = {Kind.COUNTER: {}, Kind.GAUGE: {}, Kind.HISTOGRAM: {}}
    for snapshot in snapshots:
        _add(merged, requests, snapshot, (Kind.COUNTER, Kind.GAUGE))
    for snapshot in retired:
        _add(merged, requests, snapshot, (Kind.COUNTER,))
    merged["requests"] = list(requests.values())
    return merged


def _add(
    merged: Snapshot, requests: dict[tuple[Any, ...], list[Any]], snapshot: Snapshot, kinds: tuple[str, ...]
) -> None:
    for kind in kinds:
        values = merged[kind]
        for name, value in snapshot.get(kind, {}).items():
            values[name] = _sum(values.get(name), value)
    histograms = merged[Kind.HISTOGRAM]
    for name, found in snapshot.get(Kind.HISTOGRAM, {}).items():
        total = histograms.get(name)
        if total is None or total["bounds"] != found["bounds"]:
            histograms[name] = {**found, "counts": list(found["counts"])}
            continue
        total["counts"] = [one + other for one, other in zip(total["counts"], found["counts"], strict=True)]
        total["sum"] += found["sum"]
    for series in snapshot.get("requests", ()):
        key = tuple(series[:3])
        known = requests.get(key)
        if known is None:
            requests[key] = [*key, *([part[0], list(part[1])] for part in series[3:])]
            continue
        for total, part in zip(known[3:], series[3:], strict=True):
            total[0] += part[0]
            total[1] = [one + other for one, other in zip(total[1], part[1], strict=True)]


def _sum(total: Any, value: Any) -> Any:
    """Return the sum of two values, which are numbers, or numbers by the value of a label."""
    if total is None:
        return dict(value) if isinstance(value, dict) else value
    if isinstance(value, dict):
        return {**total, **{label: total.get(label, 0) + each for label, each in value.items()}}
    return total + value


class WorkerTotals:
    """The latest snapshot of each worker process, and the sum of those of workers that have ended.

    The sums do not decrease, also when a worker is killed: its last known snapshot is kept. Therefore every
    snapshot that is shown to a reader must be passed to `update` first.
    """

    def __init__(self) -> None:
        self._latest: dict[Hashable, Snapshot] = {}
        self._retired: Snapshot = merge(())

    def update(self, worker: Hashable, snapshot: Snapshot) -> None:
        """Replace the snapshot of a running worker."""
        self._latest[worker] = snapshot

    def retire(self, worker: Hashable) -> None:
        """Add the last snapshot of a worker that has ended to the sum of all earlier ones."""
        last = self._latest.pop(worker, None)
        if last is not None:
            self._retired = merge((), (self._retired, last))

    def ended(self) -> Snapshot:
        """Return the sum of the workers that have ended."""
        return merge((), (self._retired,))

    def total(self) -> Snapshot:
        """Return the sum of all workers."""
        return merge(self._latest.values(), (self._retired,))
