"""The checks of what workers answer: a value that the administration cannot process is discarded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tornado.web._observation._catalog import Kind

__all__ = ["valid_errors", "valid_records", "valid_requests", "valid_snapshot"]

_Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_optional_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_count(value: Any) -> bool:
    return type(value) is int


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_count, value))


_REQUEST: Mapping[str, _Check] = {
    "id": _is_text,
    "method": _is_text,
    "target": _is_text,
    "route": _is_optional_text,
    "handler": _is_text,
    "age": _is_number,
    "is_waiting": _is_flag,
    "is_connected": _is_flag,
    "stack": _are_texts,
}
_ERROR: Mapping[str, _Check] = {
    "count": _is_count,
    "time": _is_number,
    "logger": _is_text,
    "type": _is_text,
    "message": _is_text,
    "traceback": _is_text,
    "request_id": _is_text,
}
_RECORD: Mapping[str, _Check] = {
    "time": _is_number,
    "level": _is_text,
    "logger": _is_text,
    "message": _is_text,
}


def valid_requests(value: Any) -> list[dict[str, Any]]:
    """Return the descriptions of requests in flight that are complete."""
    return _valid(value, _REQUEST)


def valid_errors(value: Any) -> list[dict[str, Any]]:
    """Return the errors that are complete."""
    return _valid(value, _ERROR)


def valid_records(value: Any) -> list[dict[str, Any]]:
    """Return the log records that are complete."""
    return _valid(value, _RECORD)


def _valid(value: Any, checks: Mapping[str, _Check]) -> list[dict[str, Any]]:
    return [each for each in value if _has(each, checks)] if isinstance(value, list) else []


def _has(value: Any, checks: Mapping[str, _Check]) -> bool:
    return isinstance(value, dict) and all(check(value.get(name)) for name, check in checks.items())


def valid_snapshot(value: Any) -> dict[str, Any] | None:
    """Return a snapshot of the metrics; None if the value is not one, for example the error of a query."""
    if not isinstance(value, dict):
        return None
    requests, histograms = value.get("requests"), value.get(Kind.HISTOGRAM)
    if not isinstance(requests, list) or not all(map(_is_series, requests)):
        return None
    if not isinstance(histograms, dict) or not all(map(_is_histogram, histograms.values())):
        return None
    return value if _are_values(value.get(Kind.COUNTER)) and _are_values(value.get(Kind.GAUGE)) else None


def _is_series(value: Any) -> bool:
    """Whether it is a route, a method, a status, and the sums and counts of three histograms."""
    match value:
        case [str() | None, str(), int(), *parts] if len(parts) == 3:
            return all(
                isinstance(part, list) and len(part) == 2 and _is_number(part[0]) and _are_counts(part[1])
                for part in parts
            )
    return False


def _is_histogram(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("bounds"), list):
        return False
    counts = value.get("counts")
    return (
        all(map(_is_number, value["bounds"]))
        and isinstance(counts, list)
        and _are_counts(counts)
        and len(counts) == len(value["bounds"]) + 1
        and _is_number(value.get("sum"))
    )


def _are_values(value: Any) -> bool:
    """Whether it contains numbers, or numbers by the value of a label."""
    return isinstance(value, dict) and all(
        _is_number(each) or (isinstance(each, dict) and all(map(_is_number, each.values())))
        for each in value.values()
    )
