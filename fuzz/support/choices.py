"""Decisions taken from bytes, so that a fuzzer's input becomes a message of some grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Spends the bytes of an input, one a decision; where there are none left, each decision is the first.

    So a short input is a plain message, and the first alternative of everything has to be the valid one.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many decisions can still be taken."""
        return len(self._data) - self._at

    def byte(self) -> int:
        """A number from 0 to 255."""
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def pick(self, options: Sequence[T]) -> T:
        """One of up to 256 options."""
        return options[self.byte() % len(options)]

    def below(self, end: int) -> int:
        """A number from 0 to less than `end`, which may be up to 65,536."""
        return (self.byte() << 8 | self.byte()) % end if end > 256 else self.byte() % max(end, 1)
