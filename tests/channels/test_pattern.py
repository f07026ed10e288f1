"""Patterns of the names of channels."""

from __future__ import annotations

import pytest

from tornado.channels._pattern import Pattern


@pytest.mark.parametrize(
    ("pattern", "channel", "expected"),
    [
        ("", "", True),
        ("*", "", True),
        ("*", "a\nb", True),
        ("a", "a", True),
        ("a", "ab", False),
        ("a*", "a", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "axbxbxc", True),
        ("a*b*c", "acb", False),
        ("*ab*ab", "abab", True),
        ("*ab*ab", "ab", False),
        ("*b*", "abc", True),
        ("a?", "ab", False),
        ("[a]", "a", False),
        ("*", "$presence:a", False),
        ("$*", "$presence:a", True),
    ],
)
def test_star_stands_for_any_text(pattern, channel, expected):
    assert Pattern(pattern).matches(channel) is expected


def test_literal_parts_are_translated():
    assert Pattern("a*b").translate(str.upper) == "A*B"
    assert repr(Pattern("a*")) == "<Pattern 'a*'>"
