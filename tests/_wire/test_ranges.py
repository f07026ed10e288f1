"""The fields Range and Content-Range."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
def test_single_ranges_are_parsed(field: str, expected: tuple[int | None, int | None]) -> None:
    assert parse_range(field) == expected


@pytest.mark.parametrize(
    "field",
    ["", "bytes", "bytes=", "bytes=-", "bytes=1", "bytes=2-1", "bytes=1-2,4-5", "bytes=a-b", "bytes=--1",
     "bytes=1--2", "bytes=+1-2", "bytes=1_0-20", "bytes=\u0661-2", "bits=1-2", "bytes=1-2\n"],
)  # fmt: skip
def test_unsupported_ranges_are_ignored(field: str) -> None:
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
def test_content_range_is_serialized(start: int | None, end: int | None, total: int, expected: str) -> None:
    assert format_content_range(start, end, total) == expected


@given(st.binary(max_size=30), st.integers(0, 40), st.integers(0, 40) | st.none())
def test_range_selects_the_named_positions(content: bytes, first: int, last: int | None) -> None:
    """The slice has exactly the bytes at these positions. A last position before the first is invalid."""
    found = parse_range(f"bytes={first}-{'' if last is None else last}")
    if last is not None and last < first:
        assert found is None
        return
    assert found is not None
    wanted = bytes(byte for at, byte in enumerate(content) if at >= first and (last is None or at <= last))
    assert content[slice(*found)] == wanted


@given(st.binary(max_size=30), st.integers(1, 40))
def test_suffix_range_selects_the_end(content: bytes, size: int) -> None:
    found = parse_range(f"bytes=-{size}")
    assert found is not None
    assert content[slice(*found)] == content[max(0, len(content) - size) :]


@given(st.text() | st.text("bytes=0123456789-, \t"))
@example("bytes=" + "0" * 4000 + "-" + "0" * 4000)
def test_arbitrary_text_yields_a_valid_range_or_none(field: str) -> None:
    """A valid range consists of digits, and its positions are valid for slices and files."""
    found = parse_range(field)
    if found is None:
        return
    unit, _, spec = field.partition("=")
    assert unit.strip(" \t").lower() == "bytes"
    assert set(spec) <= set("0123456789- \t")
    assert spec.count("-") == 1
    assert all(each is None or abs(each) <= MAX_POSITION + 1 for each in found)
