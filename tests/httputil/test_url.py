"""URLs and addresses."""

from __future__ import annotations

from typing import Any

import pytest

from tornado.httputil import qs_to_qsl, split_host_and_port, url_concat


@pytest.mark.parametrize(
    ("url", "args", "expected"),
    [
        ("http://e.com/p", {"c": "d"}, "http://e.com/p?c=d"),
        ("http://e.com/p", None, "http://e.com/p"),
        ("http://e.com/p?a=b&c=", None, "http://e.com/p?a=b&c="),
        ("http://e.com/p?a=", {}, "http://e.com/p?a="),
        ("http://e.com/p?", {"a": 1}, "http://e.com/p?a=1"),
        ("http://e.com/p?a=b", [("c", "d"), ("c", "e")], "http://e.com/p?a=b&c=d&c=e"),
        ("http://e.com/p?a=b#f", (("c", "é &"),), "http://e.com/p?a=b&c=%C3%A9+%26#f"),
        ("http://e.com/p;q?a&b=c", {"d": "e"}, "http://e.com/p;q?a=&b=c&d=e"),
        ("/p?%C3%A9=1", {"a": None}, "/p?%C3%A9=1&a=None"),
        ("p", {"a": ["1", "2"]}, "p?a=%5B%271%27%2C+%272%27%5D"),
    ],
)
def test_url_concat_adds_arguments(url: str, args: Any, expected: str) -> None:
    assert url_concat(url, args) == expected


def test_url_concat_of_other_type_raises() -> None:
    with pytest.raises(TypeError, match="got int"):
        url_concat("http://e.com", 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("netloc", "expected"),
    [
        ("a:80", ("a", 80)),
        ("a", ("a", None)),
        ("[::1]:80", ("[::1]", 80)),
        ("[::1]", ("[::1]", None)),
        ("a:", ("a:", None)),
        ("a:b", ("a:b", None)),
        ("a:+80", ("a:+80", None)),
        ("a:\u0661", ("a:\u0661", None)),
        (":80", (":80", None)),
        ("", ("", None)),
        ("a:" + "1" * 5000, ("a:" + "1" * 5000, None)),
    ],
)
def test_only_digits_after_the_last_colon_are_a_port(netloc: str, expected: tuple[str, int | None]) -> None:
    assert split_host_and_port(netloc) == expected


def test_qs_to_qsl_returns_all_pairs() -> None:
    assert list(qs_to_qsl({"a": ["1", "2"], "b": ["3"], "c": []})) == [("a", "1"), ("a", "2"), ("b", "3")]
