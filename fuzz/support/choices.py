"""`Choices`: decisions based on bytes, to convert a fuzzer's input to a message of a grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Decisions based on an input, with one byte per decision.

    After the last byte, each decision selects the first option. A short input therefore selects a plain
    message, and the first option must always be the valid one.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """The number of remaining bytes."""
        return len(self._data) - self._at

    def byte(self) -> int:
        """Return a number from 0 to 255."""
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def pick(self, options: Sequence[T]) -> T:
        """Return one of up to 256 options."""
        return options[self.byte() % len(options)]

    def below(self, end: int) -> int:
        """Return a number from 0 to less than `end`, which is at most 65,536."""
        return (self.byte() << 8 | self.byte()) % end if end > 256 else self.byte() % max(end, 1)
