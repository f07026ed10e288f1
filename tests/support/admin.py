"""Snapshots and statuses for the administration, and services with it."""

from __future__ import annotations

from typing import Any

from tornado.web._observation._histogram import DURATION_BOUNDS, SIZE_BOUNDS, Histogram


def series(
    count: int, route: str | None = "/", status: int = 200, duration: float = 0.001, method: str = "GET"
) -> list[Any]:
    """Return the series of equal requests, as in a snapshot. Each has a response of 10 bytes."""
    histogram = Histogram(DURATION_BOUNDS)
    for _ in range(count):
        histogram.record(duration)
    sizes = [0] * (len(SIZE_BOUNDS) + 1)
    return [route, method, status, [count * duration, histogram.counts], [0, sizes], [10 * count, sizes]]


def snapshot(*requests: list[Any], cpu: float = 0.0, delays: int = 0, in_flight: int = 0) -> dict[str, Any]:
    """Return a snapshot of a worker."""
    delay = Histogram()
    for _ in range(delays):
        delay.record(0.02)
    return {
        "requests": list(requests),
        "counters": {"process.cpu.time": {"user": cpu, "system": 0.0}},
        "gauges": {"http.server.active_requests": in_flight, "tornado.connections": {"idle": 2}},
        "histograms": {"tornado.event_loop.delay": delay.as_json()},
    }


def status(*pids: int, started: float = 100.0, state: str = "serving", **restarts: int) -> dict[str, Any]:
    """Return a status of the supervisor with workers of these process IDs."""
    workers = [{"number": number, "pid": pid, "started": started} for number, pid in enumerate(pids)]
    return {"state": state, "workers": workers, "restarts": restarts}
