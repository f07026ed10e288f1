"""Conversion of arguments: ``get_argument(name, type=…)``."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import math
import pickle
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.server import ExpectLog, ask, handler_of, serving
from tornado import web
from tornado.web import InvalidArgumentError
from tornado.web._input._argument_conversion import MAX_NUMBER_LENGTH, convert


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


def half(text: str) -> int:
    return int(text) // 2


GOOD: list[tuple[Any, str, Any]] = [
    (int, "0", 0),
    (int, "-7", -7),
    (int, "+7", 7),
    (int, "007", 7),
    (int, "9" * MAX_NUMBER_LENGTH, int("9" * MAX_NUMBER_LENGTH)),
    (float, "1", 1.0),
    (float, "-1.5", -1.5),
    (float, ".5", 0.5),
    (float, "5.", 5.0),
    (float, "1e3", 1000.0),
    (float, "1E-3", 0.001),
    (float, "1e-999", 0.0),
    *[(bool, text, True) for text in ("true", "True", "TRUE", "1", "yes", "on", "On")],
    *[(bool, text, False) for text in ("false", "False", "0", "no", "off", "OFF")],
    (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
    (datetime.date, "2024-02-29", datetime.date(2024, 2, 29)),
    (datetime.datetime, "2024-02-29T12:30", datetime.datetime(2024, 2, 29, 12, 30)),
    (
        datetime.datetime,
        "2024-02-29T12:30:00+00:00",
        datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC),
    ),
    *[
        (datetime.datetime, f"2024-02-29{rest}", datetime.datetime(2024, 2, 29, *clock))
        for rest, clock in (("", ()), (" 12:30", (12, 30)), ("T12:30:01.5", (12, 30, 1, 500_000)))
    ],
    (datetime.time, "23:59", datetime.time(23, 59)),
    (decimal.Decimal, "1e400", decimal.Decimal("1e400")),
    (decimal.Decimal, "0.00", decimal.Decimal("0.00")),
    (Colour, "red", Colour.RED),
    (Size, "2", Size.LARGE),
    (str, "text", "text"),
    (half, "9", 4),
    (uuid.UUID, "12345678123456781234567812345678", uuid.UUID("12345678123456781234567812345678")),
    ({"a": 1}.__getitem__, "a", 1),
]

BAD: list[tuple[Any, str, str]] = [
    *[
        (int, text, "is not an integer")
        for text in ("", " ", "x", "1 2", " 1", "1\n", "1_0", "0x10", "1.0", "--1", "+", "٣", "²", "１")
    ],
    (int, "9" * (MAX_NUMBER_LENGTH + 1), "is not an integer"),
    *[
        (float, text, "is not a number")
        for text in ("", "nan", "inf", "-Infinity", "1_0.0", "1e999", "1e", ".", "0x1p3", "1,5", "٣.٥")
    ],
    *[(bool, text, "is not true or false") for text in ("", "2", "y", "tru", "ja")],
    *[(decimal.Decimal, text, "is not a decimal number") for text in ("NaN", "sNaN", "Infinity", "1_0", "")],
    *[
        (datetime.date, text, "is not a date like")
        for text in ("2024-02-30", "20240229", "2024-W01-1", "2024-2-9", "٢٠٢٤-٠١-٠١", "")
    ],
    *[
        (decimal.Decimal, text, "is not a decimal number")
        for text in ("1e600000", "1e99999999", "1e-401", f"1{'0' * 401}", "1e999999999999999999999")
    ],
    *[
        (datetime.datetime, text, "is not a date and time")
        for text in (
            "",
            "now",
            "2024-13-01T00:00",
            "20240101",
            "2024-W01",
            "2024-01-01T",
            "2024-01-01T1",
            "2024-01-01x12:30",
        )
    ],
    *[(datetime.time, text, "is not a time like") for text in ("", "24:00", "2359", "٢٣:٥٩")],
    (json.loads, "[" * 100_000, "is not loads"),
    (Colour, "green", "is not one of red, blue"),
    (Colour, "RED", "is not one of"),
    (Size, "3", "is not one of 1, 2"),
    (half, "x", "is not half"),
    (uuid.UUID, "x", "is not UUID"),
    ({"a": 1}.__getitem__, "b", "is not __getitem__"),
    (lambda text: 1 // int(text), "0", "is not <lambda>"),
]


@pytest.mark.parametrize(("converter", "text", "expected"), GOOD)
def test_valid_texts_are_converted(converter: Any, text: str, expected: Any) -> None:
    made = convert("n", text, converter)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(("converter", "text", "message"), BAD)
def test_invalid_texts_raise_with_a_short_message(converter: Any, text: str, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        convert("n", text, converter)
    error = caught.value
    assert (error.status_code, error.arg_name) == (400, "n")
    assert str(error).startswith("HTTP 400: Bad Request (Invalid argument n: '")
    assert message in str(error)
    assert len(str(error)) < 300
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.arg_name) == (str(error), "n")


@pytest.mark.parametrize("converter", [7, "int", None])
def test_converter_that_is_not_callable_is_rejected(converter: Any) -> None:
    with pytest.raises(TypeError, match="the type of argument 'n' must be a function that accepts text"):
        convert("n", "x", converter)


def test_type_error_of_the_converter_is_propagated() -> None:
    def faulty(text: str) -> int:
        raise TypeError("a mistake")

    with pytest.raises(TypeError, match="a mistake"):
        convert("n", "x", faulty)


def test_class_that_does_not_accept_text_is_explained() -> None:
    with pytest.raises(TypeError) as caught:
        convert("n", "x", datetime.timedelta)
    assert caught.value.__notes__ == ["argument 'n', type=timedelta: the type is called with text"]


@given(st.text(max_size=30), st.sampled_from([int, float, bool, decimal.Decimal, datetime.date, Colour]))
def test_any_text_is_converted_or_rejected(text: str, converter: Any) -> None:
    try:
        value = convert("n", text, converter)
    except InvalidArgumentError:
        return
    assert text.isascii()
    assert isinstance(value, converter)
    assert not isinstance(value, float) or math.isfinite(value)


@given(st.integers())
def test_every_integer_is_converted(value: int) -> None:
    assert convert("n", str(value), int) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_converted(value: float) -> None:
    assert convert("n", repr(value), float) == value


# -- in a handler --


class Arguments(web.RequestHandler):
    def get(self) -> None:
        # mypy's results for these types are part of the test.
        page: int = self.get_argument("page", 1, type=int)
        maybe: float | None = self.get_query_argument("maybe", None, type=float)
        many: list[int] = self.get_arguments("n", type=int)
        also: list[int] = self.get_query_arguments("n", type=int)
        text: str = self.get_argument("text", "none")
        padded: int = self.get_argument("padded", type=int)
        self.write(json.dumps([page, maybe, many, also, text, padded]))

    def post(self) -> None:
        one: int = self.get_body_argument("one", type=int)
        all_of: list[bool] = self.get_body_arguments("flag", type=bool)
        self.write(json.dumps([one, all_of]))


async def test_query_arguments_are_converted() -> None:
    response = await ask(Arguments, path="/?n=1&n=2&page=3&padded=%204%20")
    assert json.loads(response.body) == [3, None, [1, 2], [1, 2], "none", 4]
    assert json.loads((await ask(Arguments, path="/?padded=5&maybe=1.5&page=7&page=8")).body) == [
        8,
        1.5,
        [],
        [],
        "none",
        5,
    ]


async def test_body_arguments_are_converted() -> None:
    fields = "Content-Type: application/x-www-form-urlencoded"
    response = await ask(Arguments, fields, method="POST", body=b"one=1&flag=yes&flag=off")
    assert json.loads(response.body) == [1, [True, False]]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/?padded=x", "400 GET .* Invalid argument padded: 'x' is not an integer"),
        ("/?padded=1&n=1&n=x", "Invalid argument n: 'x' is not an integer"),
        ("/?padded=%25s", "Invalid argument padded: '%s' is not an integer"),
        ("/", "Missing argument padded"),
    ],
)
async def test_invalid_argument_is_400(path: str, message: str, expect_log: ExpectLog) -> None:
    async with serving(web.Application([("/", Arguments)])) as server:
        with expect_log("tornado.general", message):
            response = await server.fetch(path)
    assert response.code == 400


@pytest.mark.parametrize("text", ["", "%20"])
async def test_empty_field_returns_the_default(text: str, expect_log: ExpectLog) -> None:
    response = await ask(Arguments, path=f"/?page={text}&maybe={text}&padded=1")
    assert json.loads(response.body)[:2] == [1, None]
    with expect_log("tornado.general", "Invalid argument padded: '' is not an integer"):
        assert (await ask(Arguments, path=f"/?padded={text}")).code == 400
    # A type that accepts an empty text takes precedence over the default.
    handler = handler_of(get=lambda self: self.write(repr(self.get_argument("n", None, type=str))))
    assert (await ask(handler, path="/?n=")).body == b"''"


async def test_whitespace_is_invalid_without_strip(expect_log: ExpectLog) -> None:
    handler = handler_of(get=lambda self: self.write(str(self.get_argument("n", None, False, type=int))))
    with expect_log("tornado.general", "Invalid argument n: ' 1'"):
        assert (await ask(handler, path="/?n=%201")).code == 400


async def test_bytes_from_decode_argument_are_converted() -> None:
    def decode(self: Any, value: bytes, name: Any = None) -> Any:
        return value

    handler = handler_of(
        get=lambda self: self.write(str(self.get_argument("n", type=int))), decode_argument=decode
    )
    assert (await ask(handler, path="/?n=12")).body == b"12"


async def test_override_without_the_type_parameter() -> None:
    class Old(web.RequestHandler):
        def get_argument(self, name: str, default: Any = None, strip: bool = True) -> Any:  # type: ignore[override]
            return super().get_argument(name, default, strip)

        def get(self) -> None:
            self.write(self.get_argument("n"))

    assert (await ask(Old, path="/?n=1")).body == b"1"
