"""Values with parameters: quoting as in browsers, RFC 2231 and RFC 8187, and the cost of parsing."""

from __future__ import annotations

from unittest import mock
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import lines_run
from tornado._wire.errors import HTTPInputError
from tornado._wire.field_parameters import (
    format_parameters,
    parse_parameters,
    split_parameters,
    unquote_string,
)


@pytest.mark.parametrize(
    ("text", "value", "parameters"),
    [
        ("", "", {}),
        ("a", "a", {}),
        (" a ", "a", {}),
        ("a;", "a", {}),
        ("a; b", "a", {}),
        ("a;;b=c", "a", {"b": "c"}),
        ("A ; B = C ;D=e", "A", {"b": "C", "d": "e"}),
        ("a; =c", "a", {"": "c"}),
        ("a; b=c; b=d", "a", {"b": "d"}),
        ("a; b=c=d", "a", {"b": "c=d"}),
        ('a; b=" c "; d=e', "a", {"b": " c ", "d": "e"}),
        ('a; b= \t"c;d"; e=f', "a", {"b": "c;d", "e": "f"}),
        (r'a; b="c\";d\\"; e=f', "a", {"b": 'c";d\\', "e": "f"}),
        (r'a; b="C:\dir\e.txt"', "a", {"b": r"C:\dir\e.txt"}),
        (r'a; b="\\\\"', "a", {"b": "\\\\"}),
        (r'a; b="c\"', "a", {"b": "c\\"}),
        ('a; b="c; d=e', "a", {"b": '"c; d=e'}),
        ('a; b="', "a", {"b": '"'}),
        ('a; b=""; c=d', "a", {"b": "", "c": "d"}),
        ('a; b="c"d; e=f', "a", {"b": '"c"d', "e": "f"}),
        ("a; b='c'", "a", {"b": "'c'"}),
        ("a=b; c", "a=b", {}),
        ("a; b=中", "a", {"b": "中"}),
    ],
)
def test_value_and_parameters_are_parsed(text: str, value: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(text) == (value, parameters)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("a; f*=UTF-8''%c3%a1b.txt", {"f": "áb.txt"}),
        ("a; f*=\"UTF-8''%c3%a1\"", {"f": "á"}),
        ("a; f*=iso-8859-1'en'%e1", {"f": "á"}),
        ("a; f*=idna''%c3%a1", {"f": "á"}),
        ("a; f*=''z", {"f": "z"}),
        ("a; f*=x'y", {"f": "x'y"}),
        ("a; f*=plain", {"f": "plain"}),
        ("a; f*=utf-8''%ff", {"f": "\ufffd"}),
        ("a; f*=utf-8''a'b", {"f": "a'b"}),
        ("a; f*=utf-8''%zz", {"f": "%zz"}),
        ("a; f=x; f*=utf-8''y", {"f": "y"}),
        ("a; f*=utf-8''y; f=x", {"f": "y"}),
        ("a; f*0=ab; f*1=cd", {"f": "abcd"}),
        ("a; f*1=cd; f*0=ab; f*2=é", {"f": "abcdé"}),
        ("a; f*0*=utf-8''%c3; f*1*=%a1; f*2=z", {"f": "áz"}),
        ("a; f*0=a; f*=utf-8''b", {"f": "b"}),
        ("a; f*1=b", {"f": "b"}),
        ("a; f*01=b", {"f*01": "b"}),
        ("a; *=b", {"*": "b"}),
        ("a; f*x=b", {"f*x": "b"}),
    ],
)
def test_extended_parameters_are_decoded(text: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(text)[1] == parameters


def test_parameters_without_a_value() -> None:
    assert parse_parameters("a; b; ; c=d", bare=True) == ("a", {"b": None, "c": "d"})


def test_number_of_parameters_is_limited() -> None:
    text = "a" + ";b=c" * 5
    assert parse_parameters(text, max_count=5) == ("a", {"b": "c"})
    with pytest.raises(HTTPInputError, match="more than"):
        parse_parameters(text, max_count=4)
    assert list(split_parameters("a;b", 2)) == ["a", "b"]


@pytest.mark.parametrize(
    "unit",
    [
        ';b="',
        ';b="c',
        ';b="\\"',
        ';b="\\',
        "\\",
        '"',
        ';"',
        ";b=",
        ";=",
        ";",
        "=",
        ";b*0=",
        ";b*=u''%",
        ";b= ",
    ],
)
def test_hostile_texts_are_parsed_in_linear_time(unit: str) -> None:
    # With quadratic cost, this would take minutes.
    text = "a" + unit * (100_000 // len(unit))
    value, _ = parse_parameters(text)
    assert value[:1] == "a"
    parse_parameters("a; b=" + unit * (100_000 // len(unit)) + '"')


@pytest.mark.parametrize("unit", ["\\\\", '\\"', '\\\\\\"'])
def test_unquoting_runs_no_python_code_for_each_escape(unit: str) -> None:
    text = '"' + unit * 1000 + '"'
    assert lines_run(lambda: unquote_string(text)) < 20


@given(st.text('\\"\x00a', max_size=12))
def test_nul_in_a_quoted_string_is_kept(inner: str) -> None:
    without = unquote_string(f'"{inner.replace(chr(0), "b")}"')
    assert unquote_string(f'"{inner}"').replace("\x00", "b") == without


def test_parameters_that_are_not_requested_are_skipped() -> None:
    text = "form-data; name*=utf-8''%41; other=b; Filename*0=c; filename*1*=%44; bare; x*=%41"
    only = frozenset(["name", "filename"])
    assert parse_parameters(text, only=only) == ("form-data", {"name": "A", "filename": "cD"})
    with mock.patch("tornado._wire.field_parameters.unquote_bytes") as unquote:
        parse_parameters("a" + "; b*=%41" * 10, only=only)
    unquote.assert_not_called()


def test_quoted_strings_are_unquoted() -> None:
    assert unquote_string('"') == '"'
    assert unquote_string('""') == ""
    assert unquote_string('"a') == '"a'
    assert unquote_string(r'"a\"b\c"') == r'a"b\c'


@pytest.mark.parametrize(
    ("value", "parameters", "text"),
    [
        ("x", {}, "x"),
        ("x", {"b": "1", "a": None, "c": 15, "d": ""}, "x; a; b=1; c=15; d="),
    ],
)
def test_value_and_parameters_are_serialized(
    value: str, parameters: dict[str, str | int | None], text: str
) -> None:
    assert format_parameters(value, parameters) == text


NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=8)


def quoted(text: str) -> str:
    """Return text as a quoted string (RFC 9110 section 5.6.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(NAMES, st.dictionaries(NAMES, st.text()))
def test_quoted_values_are_unquoted(value: str, parameters: dict[str, str]) -> None:
    """Quoted values are parsed unchanged, even if they contain semicolons, quotes and backslashes."""
    line = "; ".join([value, *(f"{name}={quoted(text)}" for name, text in parameters.items())])
    assert parse_parameters(line) == (value, parameters)


@given(NAMES, st.dictionaries(NAMES, st.text()))
def test_extended_values_are_decoded(value: str, parameters: dict[str, str]) -> None:
    """Any character may be percent-encoded (RFC 8187 section 3.2)."""
    line = "; ".join([value, *(f"{name}*=UTF-8''{quote(text)}" for name, text in parameters.items())])
    assert parse_parameters(line) == (value, parameters)


@given(NAMES, st.dictionaries(NAMES, st.none() | st.integers(0) | NAMES))
def test_serialized_parameters_are_parsed(value: str, parameters: dict[str, str | int | None]) -> None:
    found = parse_parameters(format_parameters(value, parameters), bare=True)
    assert found == (value, {name: None if it is None else str(it) for name, it in parameters.items()})


@given(st.text() | st.text("ab=;\"\\*0' \t%"), st.integers(0, 5))
def test_arbitrary_text_is_split_or_has_too_many_parameters(text: str, most: int) -> None:
    """Any text is split into parts in order; the only error is that there are too many."""
    parts = list(split_parameters(text))
    position = 0
    for part in parts:
        position = text.index(part, position) + len(part)
    try:
        value, found = parse_parameters(text, max_count=most, bare=True)
    except HTTPInputError:
        assert len(parts) - 1 > most
    else:
        assert len(parts) - 1 <= most
        assert value == parts[0]
        assert all(name == name.lower() for name in found)


def test_charset_that_python_does_not_know_by_this_name() -> None:
    # Python has no codec named windows-874, so looking it up raised LookupError.
    assert parse_parameters("form-data; filename*=windows-874''%a1")[1] == {"filename": "\u0e01"}
