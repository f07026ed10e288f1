"""Texts from clients on a terminal."""

from __future__ import annotations

import pytest

from tornado._serve.printable import escape_unprintable, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zürich 日本 /a?b=c", "Zürich 日本 /a?b=c"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J\x7f\x00", "\\x9b2J\\x7f\\x00"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("abc\u202e\u2066\u200b\u2028\ufeff", "abc\\u202e\\u2066\\u200b\\u2028\\ufeff"),
        ("\udcff\U000e0041", "\\udcff\\U000e0041"),
    ],
)
def test_unprintable_characters_are_escaped(text, shown):
    assert escape_unprintable(text) == shown
    assert shown.isprintable()


def test_all_texts_of_a_value_are_printable():
    value = {
        "a\x1b": ["\x1b", 1, None, True, 0.5],
        "message": "one\ntwo\x1b",
        "traceback": "x\r\ny",
        "id": "\n",
    }
    assert printable(value) == {
        "a\\x1b": ["\\x1b", 1, None, True, 0.5],
        "message": "one\ntwo\\x1b",
        "traceback": "x\\r\ny",
        "id": "\\n",
    }
