"""A rate limit on attempts, in a table of bounded size."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class AttemptLimit:
    """Allows a burst of attempts for each key, and then single attempts as the burst recovers.

    The table stores one number for each key: the time at which the whole burst is available again. When the
    table is full, the key that was used least recently is removed. The memory is therefore bounded, and new
    keys are never refused.

    :param burst: the number of attempts that are allowed at once.
    :param period: the time in seconds in which a whole burst recovers.
    :param max_keys: the maximum number of keys in the table.
    :param clock: returns the current time in seconds; only differences are used.
    """

    def __init__(
        self,
        burst: int,
        period: float,
        max_keys: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._period = period
        self._interval = period / burst
        self._max_keys = max_keys
        self._clock = clock
        self._recovered_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._recovered_at)

    def take(self, key: Hashable) -> float:
        """Count an attempt and return 0, or return the seconds after which an attempt is allowed."""
        now = self._clock()
        recovered_at = max(now, self._recovered_at.get(key, now)) + self._interval
        wait = recovered_at - now - self._period
        # A rounding error must not cause the last attempt of a burst to be refused.
        if wait > self._interval / 1000:
            return wait
        self._recovered_at[key] = recovered_at
        self._recovered_at.move_to_end(key)
        if len(self._recovered_at) > self._max_keys:
            self._recovered_at.popitem(last=False)
        return 0.0

    def give_back(self, key: Hashable) -> None:
        """Undo the counting of one attempt that was legitimate."""
        if key in self._recovered_at:
            self._recovered_at[key] -= self._interval

    def forget(self, key: Hashable) -> None:
        """Allow the whole burst again, for example after a successful login."""
        self._recovered_at.pop(key, None)
