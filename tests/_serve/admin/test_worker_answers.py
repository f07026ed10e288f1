"""The checks of the answers of workers, which a compromised program could choose."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.admin import error, record, request, series, snapshot
from tornado._serve.admin.worker_answers import valid_errors, valid_records, valid_requests, valid_snapshot


@pytest.mark.parametrize(
    ("check", "valid"), [(valid_errors, error()), (valid_records, record()), (valid_requests, request())]
)
def test_only_complete_entries_are_kept(check, valid):
    assert check([valid]) == [valid]
    for name in valid:
        rest = {key: value for key, value in valid.items() if key != name}
        assert check([{**valid, name: object()}, valid]) == [valid]
        if name != "route":
            assert check([rest]) == []
    for value in (None, 5, "text", {}, [5], [[valid]]):
        assert check(value) == []


def test_snapshot_is_kept():
    value = snapshot(series(3), delays=2)
    assert valid_snapshot(value) is value


@pytest.mark.parametrize(
    "change",
    [
        {"requests": 5},
        {"requests": [5]},
        {"requests": [["/", "GET", 200]]},
        {"requests": [["/", "GET", 200, [0, [1]], [0, [1]], [0, ["x"]]]]},
        {"requests": [[{}, "GET", 200, [0, [1]], [0, [1]], [0, [1]]]]},
        {"counters": None},
        {"counters": {"x": "1"}},
        {"gauges": {"x": {"y": []}}},
        {"histograms": {"x": {"bounds": [1.0], "counts": [1], "sum": 0}}},
        {"histograms": {"x": {"bounds": [1.0], "counts": [1, "x"], "sum": 0}}},
        {"histograms": {"x": []}},
        {"histograms": []},
    ],
)
def test_snapshot_that_cannot_be_added_up_is_discarded(change: dict[str, Any]):
    assert valid_snapshot({**snapshot(series(3)), **change}) is None
    assert valid_snapshot({"error": "it has failed"}) is None
