"""Parsing fields whose members have weights, such as Accept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import assert_linear
from tornado._wire.quality_values import MAX_MEMBERS, MEDIA_RANGE, TOKEN, weights


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("text/html", [("text/html", 1000)]),
        ("Text/HTML;Level=1;Q=0.5, */*;q=0", [("text/html", 500), ("*/*", 0)]),
        ('a/b; c="d;q=0.1"; q=0.25 ; e=f', [("a/b", 250)]),
        ("a/b;q=1.000,a/c;q=0.001", [("a/b", 1000), ("a/c", 1)]),
        ("text, a/b;q=2, a/b;q=, a/b;c, /b, a/, a/b;q=0.5;q=0.6, ,", []),
        ("", []),
    ],
)
def test_media_ranges_have_weights(field: str, expected: list[tuple[str, int]]) -> None:
    assert list(weights(field, MEDIA_RANGE)) == expected


def test_tokens_have_weights() -> None:
    assert list(weights("GZip;q=0.5, br, a;b=c, a/b", TOKEN)) == [("gzip", 500), ("br", 1000)]


def test_number_of_members_is_limited() -> None:
    assert len(list(weights("a," * (2 * MAX_MEMBERS), TOKEN))) == MAX_MEMBERS


@given(st.text())
def test_arbitrary_text_yields_valid_weights(field: str) -> None:
    for grammar in (TOKEN, MEDIA_RANGE):
        assert all(0 <= weight <= 1000 for _, weight in weights(field, grammar))


@pytest.mark.parametrize("parameter", [";a=b", ';a="b"', ' ; a="\\\\"', ";a=b;q=1"])
@pytest.mark.parametrize("end", ["", "@", ";q=2"])
def test_cost_of_parameters_is_linear(parameter: str, end: str) -> None:
    assert_linear(
        lambda field: list(weights(field, MEDIA_RANGE)), lambda size: "a/b" + parameter * size + end, 200
    )
