"""The values that the dashboard shows, computed from increments: points of the charts, rows of routes."""

from __future__ import annotations

from typing import Any

from tornado.web._observation._catalog import Kind
from tornado.web._observation._histogram import DURATION_BOUNDS, quantile

__all__ = ["make_point", "route_rows"]

Snapshot = dict[str, Any]
_BOUNDS = list(DURATION_BOUNDS)
#: The number of rows of the table of routes.
_MAX_ROWS = 30
_SERVER_ERROR = 500


def make_point(elapsed: float, increment: Snapshot, present: Snapshot) -> dict[str, Any]:
    """Return the values of one point of the charts.

    :param elapsed: the time that the increment covers, in seconds.
    :param increment: what was counted in this time.
    :param present: the last snapshots, for the gauges.
    :returns: rates per second, durations in seconds, sizes in bytes.
    """
    durations = [0] * (len(_BOUNDS) + 1)
    classes: dict[str, int] = {}
    received = sent = 0.0
    for _, _, status, duration, body, response in increment["requests"]:
        durations = [one + other for one, other in zip(durations, duration[1], strict=True)]
        name = f"{status // 100}xx"
        classes[name] = classes.get(name, 0) + sum(duration[1])
        received += body[0]
        sent += response[0]
    counters, gauges = increment[Kind.COUNTER], present[Kind.GAUGE]
    delay = increment[Kind.HISTOGRAM].get("tornado.event_loop.delay")
    return {
        "rate": _rounded(sum(durations) / elapsed),
        **_percentiles(durations),
        "classes": {name: _rounded(count / elapsed) for name, count in sorted(classes.items())},
        "received": _rounded(received / elapsed),
        "sent": _rounded(sent / elapsed),
        "loop_delay": None if delay is None else _rounded(quantile(delay["bounds"], delay["counts"], 0.99)),
        "cpu": _rounded(sum(counters.get("process.cpu.time", {}).values()) / elapsed),
        "messages": _rounded(sum(counters.get("tornado.websocket.messages", {}).values()) / elapsed),
        "in_flight": gauges.get("http.server.active_requests", 0),
        "connections": gauges.get("tornado.connections", {}),
        "tasks": gauges.get("asyncio.tasks", 0),
        "backlog": gauges.get("tornado.accept.backlog", 0),
        "memory": gauges.get("process.memory.usage", 0),
        "channels": _channel_values(elapsed, counters, gauges),
    }


def _channel_values(
    elapsed: float, counters: dict[str, Any], gauges: dict[str, Any]
) -> dict[str, float] | None:
    """Return the values of `tornado.channels`; None if the program does not use it."""
    if "tornado.channels.subscribers" not in gauges:
        return None

    def rate(name: str) -> float:
        value = counters.get(f"tornado.channels.{name}", 0)
        count: float = sum(value.values()) if isinstance(value, dict) else value
        return round(count / elapsed, 6)

    return {
        "subscribers": gauges["tornado.channels.subscribers"],
        "waiting": gauges.get("tornado.channels.waiting_publications", 0),
        "disconnected": gauges.get("tornado.channels.brokers", {}).get("disconnected", 0),
        **{
            name: rate(name)
            for name in ("published", "delivered", "gaps", "slow_clients", "publish_failures")
        },
    }


def route_rows(increment: Snapshot, elapsed: float) -> list[dict[str, Any]]:
    """Return the routes with the highest 95th percentile of their durations, for the table of routes.

    :param elapsed: the time that the increment covers, in seconds.
    """
    rows: dict[tuple[str | None, str], dict[str, Any]] = {}
    for route, method, status, (total, counts), *_ in increment["requests"]:
        row = rows.get((route, method))
        if row is None:
            row = {"route": route, "method": method, "errors": 0, "sum": 0.0, "counts": [0] * len(counts)}
            rows[route, method] = row
        row["counts"] = [one + other for one, other in zip(row["counts"], counts, strict=True)]
        row["sum"] += total
        if status >= _SERVER_ERROR:
            row["errors"] += sum(counts)
    found = []
    for row in rows.values():
        counts, total = row.pop("counts"), row.pop("sum")
        requests = sum(counts)
        if requests:
            row.update(requests=requests, rate=_rounded(requests / elapsed), mean=_rounded(total / requests))
            found.append({**row, **_percentiles(counts)})
    found.sort(key=lambda row: (-row["p95"], row["route"] or "", row["method"]))
    return found[:_MAX_ROWS]


def _percentiles(counts: list[int]) -> dict[str, float | None]:
    return {f"p{share}": _rounded(quantile(_BOUNDS, counts, share / 100)) for share in (50, 95, 99)}


def _rounded(value: float | None) -> float | None:
    """Return a value with six decimal places, so that events stay small."""
    return None if value is None else round(value, 6)
