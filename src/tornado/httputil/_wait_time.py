"""`WaitTime`: the time for which the handler of a request has waited by design."""

from __future__ import annotations

import time
from types import TracebackType


class WaitTime:
    """A context manager for the times in which a handler waits. Times that overlap count once."""

    __slots__ = ("_depth", "_ended", "_since")

    def __init__(self) -> None:
        self._depth = 0
        #: When the present time of waiting began, and the sum of those that have ended, in seconds.
        self._since = self._ended = 0.0

    def __enter__(self) -> None:
        if not self._depth:
            self._since = time.time()  # the clock that measures the duration of a request
        self._depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self._ended += max(0.0, time.time() - self._since)

    @property
    def is_waiting(self) -> bool:
        """Whether the handler waits now."""
        return self._depth > 0

    def total(self) -> float:
        """Return the sum of all times, including the present one, in seconds."""
        return self._ended + (max(0.0, time.time() - self._since) if self._depth else 0.0)


__all__ = ["WaitTime"]
