"""The state of a service, as the administration shows it: the sum of all workers, and its history.

The workers report cumulative snapshots (`tornado.web._observation`). Totals keep the counts of workers that
have ended, so they never decrease. The history and the table of routes need the increments between two
snapshots of the same worker.
"""

from __future__ import annotations

import zlib
from collections import deque
from typing import Any

from tornado._serve.admin.increments import difference
from tornado._serve.admin.points import make_point, route_rows
from tornado.web._observation._catalog import Kind
from tornado.web._observation._merge import WorkerTotals, merge

__all__ = ["HISTORY", "State"]

#: The number of points in the history, one per second.
HISTORY = 600
#: The number of points that the table of routes covers.
_ROUTES_WINDOW = 60
#: The number of ended workers whose errors are kept, and of errors that are shown.
_MAX_ENDED = 20
_MAX_ERRORS = 50

Snapshot = dict[str, Any]


class State:
    """The last status, the totals, the history and the recent errors of a service.

    :param began: the time at which the observation began (`time.time`). The earlier requests of a worker that
        was started before are part of the totals, but not of the history.
    :ivar status: the last status of the supervisor.
    :ivar points: the history, the oldest point first.
    """

    def __init__(self, began: float) -> None:
        self.status: dict[str, Any] = {"state": "unknown", "workers": [], "restarts": {}}
        self.points: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self._began = self._last_time = began
        self._totals = WorkerTotals()
        self._latest: dict[int, Snapshot] = {}
        #: The increments since the last point, by worker. Those of ended workers are included.
        self._pending: dict[int, list[Snapshot]] = {}
        self._increments: deque[tuple[float, Snapshot]] = deque(maxlen=_ROUTES_WINDOW)
        self._by_worker: dict[int, dict[str, Any]] = {}
        self._errors: dict[int, list[dict[str, Any]]] = {}
        #: The log records of workers that have ended, or will end.
        self._records: dict[int, list[dict[str, Any]]] = {}

    def restore(self, ended: Snapshot) -> None:
        """Add the result of `ended` of an earlier process."""
        self._totals.update("earlier", ended)
        self._totals.retire("earlier")

    def ended(self) -> Snapshot:
        """Return the counts of the workers that have ended."""
        return self._totals.ended()

    def update_status(self, status: dict[str, Any]) -> bool:
        """Record a status of the supervisor. Workers that it does not contain have ended.

        :returns: whether a worker has ended, and the result of `ended` has changed.
        """
        self.status = status
        gone = self._latest.keys() - self._running()
        for pid in gone:
            self._totals.retire(pid)
            del self._latest[pid]
        return bool(gone)

    def _running(self) -> set[int]:
        return {worker["pid"] for worker in self.status["workers"]}

    def update_worker(self, pid: int, snapshot: Snapshot) -> None:
        """Record a snapshot of a worker that the status contains; ignore others."""
        worker = next((each for each in self.status["workers"] if each["pid"] == pid), None)
        if worker is None:
            return
        earlier = self._latest.get(pid)
        if earlier is None and worker["started"] < self._began:
            earlier = snapshot
        self._pending.setdefault(pid, []).append(difference(snapshot, earlier))
        self._latest[pid] = snapshot
        self._totals.update(pid, snapshot)

    def update_errors(self, pid: int, errors: list[dict[str, Any]]) -> None:
        """Record the recent errors of a worker. Those of ended workers are kept for some time."""
        self._errors.pop(pid, None)
        if errors:
            self._errors[pid] = errors
        ended = [each for each in self._errors if each not in self._running()]
        for old in ended[:-_MAX_ENDED]:
            del self._errors[old]

    def keep_records(self, pid: int, records: list[dict[str, Any]]) -> None:
        """Keep the log records of a worker that has ended, for some time."""
        self._records.pop(pid, None)
        self._records[pid] = records
        for old in list(self._records)[:-_MAX_ENDED]:
            del self._records[old]

    def records_of(self, request_id: str) -> list[dict[str, Any]]:
        """Return the log records of a request that a worker has served which has ended."""
        return [
            {name: record[name] for name in ("time", "level", "logger", "message")}
            for records in self._records.values()
            for record in records
            if record.get("request_id") == request_id
        ]

    def add_point(self, now: float) -> dict[str, Any]:
        """Add a point to the history for the time since the last one, and return it."""
        elapsed = max(now - self._last_time, 0.001)
        self._last_time = now
        pending, self._pending = self._pending, {}
        increment = merge(each for increments in pending.values() for each in increments)
        self._increments.append((elapsed, increment))
        self._by_worker = {
            pid: make_point(elapsed, merge(increments), self._latest[pid])
            for pid, increments in pending.items()
            if pid in self._latest
        }
        restarts = sum(self.status["restarts"].values())
        present = merge(self._latest.values())
        point = {"time": round(now, 3), **make_point(elapsed, increment, present), "restarts": restarts}
        self.points.append(point)
        return point

    def workers(self) -> list[dict[str, Any]]:
        """Return the workers of the status. Each has its values of the last point as ``now``.

        They are None if it has not reported in this time.
        """
        return [{**worker, "now": self._by_worker.get(worker["pid"])} for worker in self.status["workers"]]

    def total(self) -> Snapshot:
        """Return the sum of all workers, including those that have ended, and the number of restarts."""
        total = self._totals.total()
        total[Kind.COUNTER]["tornado.workers.restarts"] = dict(self.status["restarts"])
        return total

    def routes(self) -> list[dict[str, Any]]:
        """Return the slowest routes of the last minute."""
        elapsed = sum(each for each, _ in self._increments)
        return route_rows(merge(increment for _, increment in self._increments), elapsed)

    def errors(self) -> list[dict[str, Any]]:
        """Return the recent errors of all workers, the latest first. Equal ones are counted together.

        The ``id`` of an error depends on its traceback only.
        """
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for pid, errors in self._errors.items():
            for error in errors:
                key = (error["logger"], error["type"], error["traceback"])
                known = found.get(key)
                candidate = {**error, "pid": pid, "id": f"{zlib.crc32(error['traceback'].encode()):08x}"}
                if known is not None:
                    latest = max(known, candidate, key=_time)
                    candidate = {**latest, "count": known["count"] + error["count"]}
                found[key] = candidate
        return sorted(found.values(), key=_time, reverse=True)[:_MAX_ERRORS]


def _time(error: dict[str, Any]) -> float:
    time: float = error["time"]
    return time
