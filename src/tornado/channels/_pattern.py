"""Patterns of the names of channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado.channels._names import RESERVED


class Pattern:
    """A pattern in which ``*`` stands for any text, also for none. All other characters stand for themselves.

    :ivar text: the pattern.
    """

    __slots__ = ("_parts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = text.split("*")

    def __repr__(self) -> str:
        return f"<Pattern {self.text!r}>"

    def matches(self, channel: str) -> bool:
        """Whether a channel matches.

        A channel whose name begins with ``$`` matches only patterns that begin with ``$``.
        """
        first, *middle = self._parts
        if channel.startswith(RESERVED) and not first.startswith(RESERVED):
            return False
        if not middle:
            return channel == first
        last = middle.pop()
        end = len(channel) - len(last)
        begin = len(first)
        if begin > end or not channel.startswith(first) or not channel.endswith(last):
            return False
        for part in middle:
            found = channel.find(part, begin, end)
            if found < 0:
                return False
            begin = found + len(part)
        return True

    def translate(self, literal: Callable[[str], str]) -> str:
        """Return the pattern in another notation with ``*``.

        :param literal: returns the notation of a text that stands for itself.
        """
        return "*".join(map(literal, self._parts))


def check_pattern(pattern: Any) -> None:
    """Check a pattern.

    :raises TypeError: if it is not a `str`.
    :raises ValueError: if it is empty.
    """
    if not isinstance(pattern, str):
        raise TypeError(f"expected a pattern of names of channels, a str, got {pattern!r:.100}")
    if not pattern:
        raise ValueError("expected a pattern of names of channels such as 'room:*', got ''")


__all__ = ["Pattern", "check_pattern"]
