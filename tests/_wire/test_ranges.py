"""Range and Content-Range."""

from __future__ import annotations

import pytest

from tornado._wire.ranges import MAX_POSITION, format_content_range, parse_range


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("bytes=1-2", (1, 3)),
        ("bytes=0-0", (0, 1)),
        ("bytes=6-", (6, None)),
        ("bytes=-6", (-6, None)),
        ("bytes=-0", (None, 0)),
        ("BYTES=1-2", (1, 3)),
        (" bytes = 1 - 2 ", (1, 3)),
        ("bytes=007-0008", (7, 9)),
        ("bytes=" + "9" * 5000 + "-", (MAX_POSITION, None)),
        ("bytes=1-" + "9" * 5000, (1, MAX_POSITION + 1)),
        ("bytes=-" + "9" * 5000, (-MAX_POSITION, None)),
    ],
)
def test_one_range(field: str, expected: tuple[int | None, int | None]) -> None:
    assert parse_range(field) == expected


@pytest.mark.parametrize(
    "field",
    ["", "bytes", "bytes=", "bytes=-", "bytes=1", "bytes=2-1", "bytes=1-2,4-5", "bytes=a-b", "bytes=--1",
     "bytes=1--2", "bytes=+1-2", "bytes=1_0-20", "bytes=\u0661-2", "bits=1-2", "bytes=1-2\n"],
)  # fmt: skip
def test_ignored(field: str) -> None:
    assert parse_range(field) is None


@pytest.mark.parametrize(
    ("start", "end", "total", "expected"),
    [
        (None, None, 4, "bytes 0-3/4"),
        (1, 3, 4, "bytes 1-2/4"),
        (0, None, 4, "bytes 0-3/4"),
        (None, 3, 4, "bytes 0-2/4"),
    ],
)
def test_content_range(start: int | None, end: int | None, total: int, expected: str) -> None:
    assert format_content_range(start, end, total) == expected
