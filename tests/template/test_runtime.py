"""The functions called by generated code."""

from __future__ import annotations

import enum

import pytest

from tornado.escape import xhtml_escape
from tornado.template._runtime import escape_value, escape_with, join, text_of


class Loud(str):
    """A string subclass with another ``__str__``, whose other methods must not be called."""

    def __str__(self):
        return "loud"

    def replace(self, *args):
        raise AssertionError("a method of the subclass was used")


class Color(str, enum.Enum):  # noqa: UP042 - StrEnum has another __str__
    RED = "<red>"


class Thing:
    def __str__(self):
        return "<thing>"


@pytest.mark.parametrize(
    ("value", "text", "escaped"),
    [
        ("plain", "plain", "plain"),
        ("<&>\"'", "<&>\"'", "&lt;&amp;&gt;&quot;&#x27;"),
        (5, "5", "5"),
        (True, "True", "True"),
        (2.5, "2.5", "2.5"),
        (None, "None", "None"),
        ((1, "<"), "(1, '<')", "(1, &#x27;&lt;&#x27;)"),
        (b"\xc3\xa9<", "é<", "é&lt;"),
        (Loud("<"), "<", "&lt;"),
        (Color.RED, "<red>", "&lt;red&gt;"),
        (Thing(), "<thing>", "&lt;thing&gt;"),
    ],
)
def test_values_are_converted_and_escaped(value, text, escaped):
    assert text_of(value) == text
    assert type(text_of(value)) is str
    assert escape_value(value) == escape_with(value, xhtml_escape) == escaped
    assert type(escape_value(value)) is str


def test_bytes_that_are_not_utf8():
    assert text_of(b"\xe9") == b"\xe9"
    with pytest.raises(UnicodeDecodeError):
        escape_value(b"\xe9")
    assert join(["é", b"\xe9", "x"]) == b"\xc3\xa9\xe9x"


def test_custom_escape_function_receives_bytes():
    for value in ("é", b"\xc3\xa9"):
        assert escape_with(value, repr) == "b'\\xc3\\xa9'"
    assert escape_with(5, lambda value: value * 2) == "55"


def test_text_that_utf8_cannot_encode():
    with pytest.raises(UnicodeEncodeError):
        join(["\ud800"])
