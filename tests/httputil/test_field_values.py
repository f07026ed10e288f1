"""Values of single fields, and the examples in the documentation."""

from __future__ import annotations

import datetime
import time
import unittest
from typing import Any

import pytest

from tornado.httputil import (
    HTTP_WHITESPACE,
    _encode_header,
    _int_or_none,
    _parse_header,
    doctests,
    encode_username_password,
    format_timestamp,
    responses,
)

SECONDS = 1359312200
EASTERN = datetime.timezone(datetime.timedelta(hours=-5))


@pytest.mark.parametrize(
    "ts",
    [
        SECONDS,
        SECONDS + 0.9,
        time.gmtime(SECONDS),
        tuple(time.gmtime(SECONDS)),
        datetime.datetime(2013, 1, 27, 18, 43, 20),
        datetime.datetime(2013, 1, 27, 18, 43, 20, tzinfo=datetime.UTC),
        datetime.datetime(2013, 1, 27, 13, 43, 20, tzinfo=EASTERN),
    ],
)
def test_each_type_of_timestamp_is_formatted(ts: Any) -> None:
    assert format_timestamp(ts) == "Sun, 27 Jan 2013 18:43:20 GMT"


@pytest.mark.parametrize("ts", ["x", None, datetime.date(2013, 1, 27)])
def test_format_timestamp_of_other_type_raises(ts: Any) -> None:
    with pytest.raises(TypeError, match="a timestamp must be a number"):
        format_timestamp(ts)


def test_encode_username_password() -> None:
    assert encode_username_password("u", "p") == b"u:p"
    assert encode_username_password(b"u", b"\xff") == b"u:\xff"
    assert encode_username_password("e\u0301", "中") == "é:中".encode()


def test_parameters_are_parsed_and_serialized() -> None:
    assert _parse_header('form-data; foo="b\\\\a\\"r"; file*=utf-8\'\'T%C3%A4st; bare') == (
        "form-data",
        {"foo": 'b\\a"r', "file": "Täst"},
    )
    assert _encode_header("x", {"b": None, "a": 15}) == "x; a=15; b"


def test_int_or_none() -> None:
    assert _int_or_none(" 5 ") == 5
    assert _int_or_none("  ") is None


def test_constants_have_tornados_values() -> None:
    assert HTTP_WHITESPACE == " \t"
    assert responses[404] == "Not Found"
    assert type(next(iter(responses))) is int


def test_examples_in_docstrings_are_correct() -> None:
    result = unittest.TestResult()
    doctests().run(result)
    assert result.testsRun > 5
    assert result.wasSuccessful(), result.failures
