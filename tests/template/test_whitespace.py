"""The whitespace modes of templates."""

from __future__ import annotations

import pytest

from tornado.template import filter_whitespace
from tornado.template._whitespace import mode_for_name


@pytest.mark.parametrize(
    ("mode", "text", "expected"),
    [
        ("all", " a \t\n\n b ", " a \t\n\n b "),
        ("single", " \ta \t\n \n b  c ", " a\nb c "),
        ("single", "a\r\n\r\nb\x0b\x0bc", "a\nb\x0b\x0bc"),
        ("oneline", " \ta \t\n \n b  c ", " a b c "),
    ],
)
def test_each_mode_filters_whitespace(mode, text, expected):
    assert filter_whitespace(mode, text) == expected


def test_unknown_mode_raises():
    with pytest.raises(ValueError, match="unknown whitespace mode 'some'; expected all, single, oneline"):
        filter_whitespace("some", "")


def test_long_runs_are_linear():
    """With quadratic cost, this would take minutes."""
    assert filter_whitespace("single", "\x0b" * 200_000 + "x") == "\x0b" * 200_000 + "x"
    assert filter_whitespace("single", "\t\r" * 200_000 + "x") == " \r" * 200_000 + "x"


def test_mode_for_name():
    assert [mode_for_name(name) for name in ("a.html", "a.js", "a.txt", "html")] == [
        "single",
        "single",
        "all",
        "all",
    ]
