"""Parsing bearer tokens in Authorization fields."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import assert_linear
from tornado._wire.bearer import InvalidBearerCredentials, bearer_token

ALLOWED = string.ascii_letters + string.digits + "-._~+/"


@pytest.mark.parametrize(
    ("field", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc  ", "abc"),
        ("Bearer\tabc", "abc"),
        ("Bearer aZ09-._~+/==", "aZ09-._~+/=="),
        ("", None),
        ("Basic YWJj", None),
        ("Bearerabc def", None),
        ("Bearer-x abc", None),
        ("Digest bearer=abc", None),
    ],
)
def test_token_is_parsed(field: str, token: str | None) -> None:
    assert bearer_token(field) == token


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("Bearer", "invalid_request"),
        ("Bearer ", "invalid_request"),
        ("Bearer a b", "invalid_request"),
        ("Bearer a,Bearer b", "invalid_request"),
        ("Bearer,Bearer a", "invalid_request"),
        ("Bearer a,b", "invalid_request"),
        ("Bearer =", "invalid_token"),
        ("Bearer a=b", "invalid_token"),
        ("Bearer a\x00", "invalid_token"),
        ('Bearer "a"', "invalid_token"),
        ("Bearer t\xf6ken", "invalid_token"),
        ("Bearer a\n", "invalid_token"),
    ],
)
def test_malformed_field_raises_with_its_error_code(field: str, code: str) -> None:
    with pytest.raises(InvalidBearerCredentials) as raised:
        bearer_token(field)
    assert raised.value.code == code
    sent = field.removeprefix("Bearer").strip()
    assert len(sent) < 3 or sent not in str(raised.value)


@given(st.text())
def test_any_text_has_one_of_three_results(text: str) -> None:
    try:
        token = bearer_token(f"Bearer {text}")
    except InvalidBearerCredentials:
        assert set(text) - set(ALLOWED) or not text.rstrip("=")
    else:
        assert token == text.strip(" \t")


def test_cost_is_linear() -> None:
    assert_linear(_attempt, lambda size: "Bearer " + "=" * size, 2000)
    assert_linear(_attempt, lambda size: "Bearer a" + " " * size + "b", 2000)
    assert_linear(_attempt, lambda size: " " * size + "x", 2000)


def _attempt(field: str) -> None:
    try:
        bearer_token(field)
    except InvalidBearerCredentials:
        pass
