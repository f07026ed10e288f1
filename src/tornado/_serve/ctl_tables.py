"""The tables that ``python -m tornado ctl`` prints, from answers that `printable` has checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tornado._serve.worker_problems import worker_problems

__all__ = ["TABLES", "bytes_text", "duration_text"]


def duration_text(seconds: float | None) -> str:
    """Return a duration for people; ``-`` for None."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    if seconds < 86400:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
    return f"{seconds // 86400:.0f} d {seconds % 86400 // 3600:.0f} h"


def bytes_text(size: float | None) -> str:
    """Return a size for people; ``-`` for None."""
    if size is None:
        return "-"
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} GiB"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _columns(rows: Iterable[Sequence[str]]) -> str:
    """Return rows in columns. The first row is the heading."""
    table = [tuple(map(str, row)) for row in rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = ("  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)) for row in table)
    return "".join(line.rstrip() + "\n" for line in lines)


def _status(answer: dict[str, Any], now: float) -> str:
    service, point = answer["service"], answer["point"] or {}
    restarts = ", ".join(f"{number} {reason}" for reason, number in sorted(service["restarts"].items()))
    text = (
        f"{service['target']}: {service['state']}, {service['serving']} of {service['size']} workers serve, "
        f"up {duration_text(now - service['started'])}, restarts: {restarts or 'none'}\n"
    )
    if service["reload_error"]:
        text += f"the last reload has failed: {service['reload_error']}\n"
    text += "".join(f"{problem}\n" for problem in worker_problems(answer["workers"]))
    text += (
        f"requests/s {_rate(point.get('rate'))}, p50 {duration_text(point.get('p50'))}, "
        f"p95 {duration_text(point.get('p95'))}, p99 {duration_text(point.get('p99'))}, "
        f"in flight {point.get('in_flight', '-')}\n\n"
    )
    rows = [
        ("WORKER", "PID", "STATE", "REQUESTS/S", "P95", "CPU", "MEMORY", "CONNECTIONS", "AGE", "RESTARTS")
    ]
    for worker in sorted(answer["workers"], key=lambda each: (each["number"], each["started"])):
        values = worker["now"] or {}
        cpu = values.get("cpu")
        rows.append(
            (
                str(worker["number"]),
                str(worker["pid"]),
                f"blocked {duration_text(worker['blocked'])}" if worker["blocked"] else worker["state"],
                _rate(values.get("rate")),
                duration_text(values.get("p95")),
                "-" if cpu is None else f"{cpu:.0%}",
                bytes_text(worker["memory"]),
                str(worker["stats"].get("connections", "-")),
                duration_text(now - worker["started"]),
                str(worker["restarts"]),
            )
        )
    return text + _columns(rows)


def _requests(answer: dict[str, Any], now: float) -> str:
    if not answer["requests"]:
        return "no request is in flight\n"
    parts = []
    for each in answer["requests"]:
        notes = ", waits by design" if each.get("is_waiting") else ""
        notes += "" if each["is_connected"] else ", client disconnected"
        parts.append(
            f"{duration_text(each['age'])}  {each['method']} {each['target']}\n"
            f"    route {each['route'] or 'none'}, {each['handler']}, pid {each['pid']}, id {each['id']}"
            f"{notes}\n"
        )
        parts += [f"      {frame}\n" for frame in each["stack"]]
    return "".join(parts)


def _errors(answer: dict[str, Any], now: float) -> str:
    if not answer["errors"]:
        return "no errors\n"
    parts = []
    for each in answer["errors"]:
        head = each["message"].partition("\n")[0]
        parts.append(
            f"{each['count']}x {each['type']}: {head}\n"
            f"    last {duration_text(max(0.0, now - each['time']))} ago, pid {each['pid']}, "
            f"request {each['request_id']}\n"
        )
        parts += [f"    {line}\n" for line in each["traceback"].split("\n")]
    return "".join(parts)


def _log(answer: dict[str, Any], now: float) -> str:
    lines = []
    for each in answer["records"]:
        moment = time.strftime("%H:%M:%S", time.localtime(each["time"]))
        message = each["message"].replace("\n", "\n    ")
        lines.append(f"{moment} {each['level']} {each['logger']}: {message}\n")
    return "".join(lines)


#: The functions that return the text for an answer and the present time, by subcommand.
TABLES: dict[str, Callable[[dict[str, Any], float], str]] = {
    "status": _status,
    "requests": _requests,
    "errors": _errors,
    "log": _log,
}
