"""Target: typed arguments. Each conversion must return the requested type or raise `InvalidArgumentError`."""

import datetime
import decimal
import enum
import math
from typing import Any

from tornado.web._errors import InvalidArgumentError
from tornado.web._input._argument_conversion import convert


class Colour(enum.Enum):
    """An enumeration with two text values and a number."""

    RED = "red"
    GREEN = "grün"
    BLUE = 3


TYPES: tuple[Any, ...] = (int, float, bool, decimal.Decimal, datetime.date, datetime.datetime, Colour)


def TestOneInput(data: bytes) -> None:
    """Convert `data`, as text, to each type."""
    text = data.decode("utf-8", "replace")
    for kind in TYPES:
        try:
            value = convert("a", text, kind)
        except InvalidArgumentError:
            continue
        assert isinstance(value, kind)
        if isinstance(value, float):
            assert math.isfinite(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            assert convert("a", str(value), kind) == value
