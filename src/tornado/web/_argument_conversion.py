"""From an argument's text to what a handler asks for: ``get_argument("page", type=int)``.

Python's own constructors take more than an argument should be: ``int("1_0")`` is ten, and
``float("infinity")`` a number. Here a number is plain ASCII, as HTML forms and JavaScript write it, and it is
finite.
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
#: What ``type`` may be: whatever makes a value out of text, and raises ValueError where it cannot. Classes
#: such as `datetime.date` are not called, so what they take does not matter.
Converter = type[T] | Callable[[str], T]

#: Characters of a number; int() takes time that grows with the square of them.
MAX_NUMBER_LENGTH = 1000
#: Digits before the point, or zeros after it, that the exponent of a `decimal.Decimal` may make. Ten letters
#: are enough to ask for a number of gigabytes, and a program soon calls int() on it. A float ends at 308.
MAX_EXPONENT = 400
_SHOWN = 40
_LISTED = 500

_INTEGER = re.compile(r"[+-]?[0-9]++")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_TRUE = frozenset(["1", "on", "true", "yes"])
_FALSE = frozenset(["0", "false", "no", "off"])


def convert(name: str, text: str | bytes, converter: Converter[T]) -> T:
    """Make a value of an argument's text.

    :param name: of the argument, for the message.
    :param converter: int, float, bool, `decimal.Decimal`, `datetime.date`, `datetime.time`,
        `datetime.datetime`, an enumeration (by its values), or any function of the text that raises a
        `ValueError`, `LookupError`, `ArithmeticError` or `RecursionError` where it makes no sense.
    :raises InvalidArgumentError: if it does not.
    :raises TypeError: if `converter` is none, or a class that is not made of one text; it names the argument.
    """
    function, wanted = _function_of(name, converter)
    try:
        # A program's decode_argument() may leave an argument's bytes as they are.
        made: T = function(native_str(text))
    except (ValueError, LookupError, ArithmeticError, RecursionError) as error:
        raise InvalidArgumentError(name, str(text[:_SHOWN]), wanted) from error
    except TypeError as error:
        if isinstance(converter, type):
            error.add_note(f"argument {name!r}, type={converter.__name__}: the type is called with text")
        raise
    return made


def _function_of(name: str, converter: Any) -> tuple[Callable[[str], Any], str]:
    """What converts, and in words what it wants."""
    if isinstance(converter, type):
        known = _KNOWN.get(converter)
        if known is not None:
            return known
        if isinstance(converter, enum.EnumType):
            values = ", ".join(str(member.value) for member in converter)  # type: ignore[var-annotated]
            return lambda text: _member(text, converter), f"one of {values[:_LISTED]}"
        # Who asks for one has imported its module, which is a large one.
        decimal = sys.modules.get("decimal")
        if decimal is not None and converter is decimal.Decimal:
            return lambda text: _decimal(text, converter), "a decimal number"
    elif not callable(converter):
        raise TypeError(f"the type of argument {name!r} is to be called with text, not {converter!r}")
    return converter, getattr(converter, "__name__", None) or repr(converter)[:_LISTED]


def _member(text: str, kind: Any) -> Any:
    """The member of an enumeration by its value, or by its value's text."""
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
