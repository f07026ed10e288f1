"""The figures that a scenario returns."""

from __future__ import annotations

from typing import Any

#: The figures by their names. A time of None means that the event has not happened while it was waited for.
Figures = dict[str, Any]


def rounded(seconds: float | None) -> float | None:
    """Return a time in seconds with two decimals."""
    return None if seconds is None else round(seconds, 2)
