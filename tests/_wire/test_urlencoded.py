"""Urlencoded forms: comparison with the standard library's parse_qs, and limits."""

from __future__ import annotations

import urllib.parse
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.work import assert_linear
from tornado._wire import urlencoded
from tornado._wire.errors import HTTPInputError
from tornado._wire.urlencoded import format_urlencoded, parse_urlencoded, text_pairs


def reference(text: str) -> dict[str, list[bytes]]:
    found = urllib.parse.parse_qs(text, keep_blank_values=True, encoding="latin-1", errors="strict")
    return {name: [value.encode("latin-1") for value in values] for name, values in found.items()}


pieces = st.one_of(
    st.sampled_from(["&", "=", "+", "%", "%4", "%zz", "%C3%A9", "%26", "%3d", "%2B", ";", "#", "a", "b"]),
    st.text(st.characters(max_codepoint=255), max_size=4),
)


@given(st.lists(pieces).map("".join))
@example("a=1&b=2&a=3")
@example("&&a&&=&=b&c=")
@example("%")
@example("é=é&%E9=1")
def test_same_as_the_standard_library(text: str) -> None:
    expected = reference(text)
    assert parse_urlencoded(text) == expected
    assert parse_urlencoded(text.encode("latin-1")) == expected
    assert list(parse_urlencoded(text)) == list(expected)


def test_count_is_bounded() -> None:
    assert parse_urlencoded("a=1&a=2&&", 4) == {"a": [b"1", b"2"]}
    for text in ("a&" * 4, "&" * 4):
        with pytest.raises(HTTPInputError, match="a form may have at most 4"):
            parse_urlencoded(text, 4)
    assert parse_urlencoded("", 0) == {}


@pytest.mark.parametrize("text", ["a=中", "中=a", "%41=中+"])
def test_characters_outside_latin_1(text: str) -> None:
    with pytest.raises(HTTPInputError, match="percent-encode it"):
        parse_urlencoded(text)


@pytest.mark.parametrize("unit", ["%", "%4", "%41", "+", "=", "a"])
def test_malicious_values_take_linear_time(unit: str) -> None:
    parse_urlencoded("a=" + unit * (100_000 // len(unit)))


@pytest.mark.parametrize("large", [1, 4096])
@given(st.lists(pieces).map("".join))
def test_large_forms_are_parsed_like_small_ones(large: int, text: str) -> None:
    with mock.patch.object(urlencoded, "_LARGE", large):
        assert parse_urlencoded(text.encode("latin-1")) == reference(text)
        with pytest.raises(HTTPInputError, match="a form may have at most 4"):
            parse_urlencoded(b"&" * 4 + text.encode("latin-1"), 4)


@pytest.mark.parametrize("unit", [b"%41", b"%", b"%z", b"%4", b"=%", b"=%41", b"\n%41", b"+", b"%%41"])
def test_cost_is_linear(unit: bytes) -> None:
    assert_linear(parse_urlencoded, lambda size: b"a=" + unit * (size // len(unit)), 50_000)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, ""),
        ([], ""),
        ({"a": "1"}, "a=1"),
        ({"a": 1, "b": 1.5, "c": True, "d": False, "e": None, "f": ""}, "a=1&b=1.5&c=true&d=false&f="),
        ({"a": ["1", 2, None], "b": ()}, "a=1&a=2"),
        ([("a", "1"), ["a", b"\xff&"]], "a=1&a=%FF%26"),
        (iter([("\u00e9", "\u4e2d +&=")]), "%C3%A9=%E4%B8%AD+%2B%26%3D"),
    ],
)
def test_fields_are_serialized(fields: object, text: str) -> None:
    assert format_urlencoded(text_pairs(fields, "data")) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("a=1", "data must be a mapping or an iterable of pairs, not str"),
        (b"a=1", "not bytes"),
        (["ab"], r"\(name, value\) pairs, got 'ab'"),
        ([("a", 1, 2)], "pairs, got"),
        ({1: "a"}, "field name in data must be a str, not int: 1"),
        ({"a": {}}, "the value of 'a' in data must be str, .* not dict"),
        ({"a": [object()]}, "not object"),
    ],
)
def test_values_without_a_text_form_are_rejected(fields: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        list(text_pairs(fields, "data"))  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.binary())))
def test_formatted_pairs_are_parsed(pairs: list[tuple[str, bytes]]) -> None:
    expected: dict[str, list[bytes]] = {}
    for name, value in pairs:
        expected.setdefault(name.encode().decode("latin-1"), []).append(value)
    assert parse_urlencoded(format_urlencoded(pairs)) == expected
