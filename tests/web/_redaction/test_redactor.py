"""Masking of secrets by name and by value."""

from __future__ import annotations

from typing import Any

import pytest

from tornado.web._redaction._redactor import MASK, Redactor


@pytest.mark.parametrize("value", [None, True, False, "", b"", len, str])
def test_values_that_cannot_be_secret_are_not_hidden(value: Any) -> None:
    assert not Redactor().hide("token", value)
    assert Redactor().hide("token", "x")


@pytest.mark.parametrize(
    "text",
    [
        "it is %s.",
        "%s",
        "%s%s",
    ],
)
def test_values_are_masked_in_all_encodings(text: str) -> None:
    secret = "pa'ss wörd\\1/2"
    forms = [
        secret,
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
        "pa%27ss%20w%C3%B6rd%5C1%2F2",
        "pa%27ss+w%C3%B6rd%5C1%2F2",
    ]
    for form in forms:
        shown = text.replace("%s", form)
        assert Redactor([secret]).mask(shown) == text.replace("%s", MASK)


def test_longer_secret_is_masked_before_its_prefix() -> None:
    assert Redactor(["secret", "secret-longer"]).mask("secret-longer") == MASK


def test_long_text_is_truncated() -> None:
    text = Redactor(["secret"]).mask("x" * (2**20 - 3) + "secret")
    assert len(text) == 2**20


def test_short_secret_is_masked_only_as_whole_word() -> None:
    mask = Redactor(["test"], ["k=1"]).mask
    assert mask("test, testing, a_test, 'test'") == f"{MASK}, testing, a_test, '{MASK}'"
    assert mask("k=1&k=12&ak=1") == f"k={MASK}&k=12&ak=1"


class Comparing:
    """An object that raises an exception when it is compared."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = None  # type: ignore[assignment]


def test_values_are_not_compared() -> None:
    assert not Redactor().hide("matrix", Comparing())
    assert Redactor().hide("token", Comparing())
