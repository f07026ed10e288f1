"""Checks whether a function can be called with given arguments."""

from __future__ import annotations

import functools
from typing import Any
from unittest import mock

import pytest

from tornado import gen
from tornado._signature_checks import accepts, method_accepts, protocol_of, shown


def plain(self: Any, a: Any, b: Any = None) -> None: ...


def keyword(self: Any, *, name: str) -> None: ...


def anything(*args: Any, **kwargs: Any) -> None: ...


coroutine = gen.coroutine(plain)
wrapped = functools.wraps(plain)(lambda *args: plain(*args, None))


@pytest.mark.parametrize(
    ("method", "positional", "names", "expected"),
    [
        (plain, 0, (), False),
        (plain, 1, (), True),
        (plain, 2, (), True),
        (plain, 3, (), False),
        (plain, 0, ("a",), True),
        (plain, 0, ("a", "b"), True),
        (plain, 0, ("c",), False),
        (keyword, 0, ("name",), True),
        (keyword, 0, (), False),
        (anything, 5, ("x",), True),
        (coroutine, 3, (), False),
        (coroutine, 2, (), True),
        (wrapped, 9, (), True),
        (mock.Mock(), 9, (), True),
        (functools.partial(plain), 9, (), True),
    ],
)
def test_method_accepts_the_given_arguments(method: Any, positional: int, names: Any, expected: bool) -> None:
    assert method_accepts(method, positional, names) is expected


def test_accepts_checks_the_number_of_arguments() -> None:
    assert accepts(plain, 2)
    assert not accepts(plain, 1)
    assert accepts(functools.partial(plain, None), 1)
    assert accepts(5, 1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda request: None, None),
        (lambda: None, None),
        (lambda environ, start_response: None, "WSGI"),
        (lambda scope, receive, send: None, "ASGI"),
        (anything, None),
    ],
)
def test_protocol_is_recognised_by_the_parameters(function: Any, expected: str | None) -> None:
    assert protocol_of(function) == expected


def test_parameters_as_text() -> None:
    assert shown(plain) == "(a, b=None)"
    assert shown(coroutine) == "(a, b=None)"
    assert shown(5) == "(...)"
