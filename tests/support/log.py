"""The internals of `tornado.log` and `tornado.options` that tests access."""

from __future__ import annotations

from typing import Any

from tornado.log import LogFormatter
from tornado.options import OptionParser


def colors(formatter: LogFormatter) -> tuple[dict[int, str], str]:
    """Return the control sequence of each level, and the one that ends a color."""
    return formatter._colors, formatter._normal


def set_colors(formatter: LogFormatter, by_level: dict[int, str], normal: str) -> None:
    """Set the control sequence of each level, and the one that ends a color."""
    formatter._colors, formatter._normal = by_level, normal


def definition(options: OptionParser, name: str) -> Any:
    """Return the definition of an option, with its type and value. In `name`, hyphens replace underscores."""
    return options._options[name]
