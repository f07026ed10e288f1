"""Conversion of arguments to other types: ``get_argument("page", type=int)``.

Python's constructors are too lenient for this: ``int("1_0")`` is ten, and ``float("infinity")`` is a number.
Here a number must be finite and written in plain ASCII, as in HTML forms and JavaScript.
"""

from __future__ import annotations

import datetime
import enum
import math
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from tornado.escape import native_str
from tornado.web._errors import InvalidArgumentError

T = TypeVar("T")
D = TypeVar("D")
#: The type of the parameter ``type``: a function that converts text to a value, or raises ValueError. Classes
#: such as `datetime.date` are not called, so their parameters do not matter.
Converter = type[T] | Callable[[str], T]

#: The maximum number of characters of a number; the run time of int() grows with the square of the length.
MAX_NUMBER_LENGTH = 1000
#: The maximum number of digits before the point, or zeros after it, in a `decimal.Decimal` with an exponent.
#: Without a limit, the twelve characters ``1e9999999999`` become a number of 4 GB when the program calls
#: int(). The largest float has 309 digits.
MAX_EXPONENT = 400
_MAX_LOGGED = 40
_MAX_DESCRIPTION = 500

_INTEGER = re.compile(r"[+-]?[0-9]++")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# The hour 24, which Python accepts from 3.14 on, would be converted to midnight of the wrong day.
_TIME = re.compile(r"(?!24)[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_TRUE = frozenset(["1", "on", "true", "yes"])
_FALSE = frozenset(["0", "false", "no", "off"])


def convert(name: str, text: str | bytes, converter: Converter[T]) -> T:
    """Convert the text of an argument.

    :param name: the name of the argument, for the message.
    :param converter: int, float, bool, `decimal.Decimal`, `datetime.date`, `datetime.time`,
        `datetime.datetime`, an enumeration (by its values), or a function of the text that raises
        `ValueError`, `LookupError`, `ArithmeticError` or `RecursionError` for invalid text.
    :raises InvalidArgumentError: if the text is invalid.
    :raises TypeError: if `converter` is not callable, or is a class whose constructor does not accept a
        single str; the message or a note names the argument.
    """
    function, wanted = _function_of(name, converter)
    try:
        # A program's decode_argument() may return bytes.
        value: T = function(native_str(text))
    except (ValueError, LookupError, ArithmeticError, RecursionError) as error:
        raise InvalidArgumentError(name, str(text[:_MAX_LOGGED]), wanted) from error
    except TypeError as error:
        if isinstance(converter, type):
            error.add_note(f"argument {name!r}, type={converter.__name__}: the type is called with text")
        raise
    return value


def _function_of(name: str, converter: Any) -> tuple[Callable[[str], Any], str]:
    """Return the conversion function, and a description of the accepted values."""
    if isinstance(converter, type):
        known = _KNOWN.get(converter)
        if known is not None:
            return known
        if isinstance(converter, enum.EnumType):
            values = ", ".join(str(member.value) for member in converter)  # type: ignore[var-annotated]
            return lambda text: _member(text, converter), f"one of {values[:_MAX_DESCRIPTION]}"
        # If the program passes Decimal, its module is already imported. Importing it otherwise would be slow.
        decimal = sys.modules.get("decimal")
        if decimal is not None and converter is decimal.Decimal:
            return lambda text: _decimal(text, converter), "a decimal number"
    elif not callable(converter):
        raise TypeError(
            f"the type of argument {name!r} must be a function that accepts text, got {converter!r}"
        )
    return converter, getattr(converter, "__name__", None) or repr(converter)[:_MAX_DESCRIPTION]


def _member(text: str, kind: Any) -> Any:
    """Return the member of an enumeration whose value is `text`, or is `text` after conversion to str."""
    try:
        return kind(text)
    except ValueError:
        for member in kind:
            if str(member.value) == text:
                return member
        raise


def _number(text: str, grammar: re.Pattern[str]) -> str:
    if len(text) > MAX_NUMBER_LENGTH or grammar.fullmatch(text) is None:
        raise ValueError("not written like a number")
    return text


def _int(text: str) -> int:
    return int(_number(text, _INTEGER))


def _float(text: str) -> float:
    value = float(_number(text, _DECIMAL))
    if math.isinf(value):
        raise ValueError("too large")
    return value


def _decimal(text: str, kind: Any) -> Any:
    value = kind(_number(text, _DECIMAL))
    if abs(value.adjusted()) > MAX_EXPONENT:
        raise ValueError("the exponent is too large")
    return value


def _bool(text: str) -> bool:
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError("neither true nor false")


def _date(text: str) -> datetime.date:
    if _DATE.fullmatch(text) is None:
        raise ValueError("not written like a date")
    return datetime.date.fromisoformat(text)


def _time(text: str) -> datetime.time:
    if _TIME.fullmatch(text) is None:
        raise ValueError("not written like a time")
    return datetime.time.fromisoformat(text)


def _datetime(text: str) -> datetime.datetime:
    if (
        _DATE.fullmatch(text, 0, 10) is None
        or text[10:11] not in ("T", " ", "")
        or (len(text) > 10 and _TIME.fullmatch(text, 11) is None)
    ):
        raise ValueError("not written like a date and time")
    return datetime.datetime.fromisoformat(text)


_KNOWN: dict[type, tuple[Callable[[str], Any], str]] = {
    int: (_int, "an integer"),
    float: (_float, "a number"),
    bool: (_bool, "true or false (1 or 0, yes or no, on or off)"),
    datetime.date: (_date, "a date like 2024-12-31"),
    datetime.time: (_time, "a time like 23:59"),
    datetime.datetime: (_datetime, "a date and time like 2024-12-31T23:59"),
}
