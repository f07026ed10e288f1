"""A rate limit on attempts, in a table of bounded size."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class AttemptLimit:
    """Allows a burst of attempts for each key, and then one at a time as the burst recovers.

    Each key costs one number, the time at which its whole burst is available again. When the table is full,
    the key that was used least recently is forgotten: the memory is bounded, and no newcomer is locked out.

    :param burst: attempts that are allowed at once.
    :param period: seconds in which a whole burst recovers.
    :param max_keys: entries of the table.
    :param clock: gives seconds; only differences count.
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
        """Count an attempt and return 0, or return the seconds to wait before one is allowed."""
        now = self._clock()
        recovered_at = max(now, self._recovered_at.get(key, now)) + self._interval
        wait = recovered_at - now - self._period
        # Rounding must not refuse the last attempt of a burst.
        if wait > self._interval / 1000:
            return wait
        self._recovered_at[key] = recovered_at
        self._recovered_at.move_to_end(key)
        if len(self._recovered_at) > self._max_keys:
            self._recovered_at.popitem(last=False)
        return 0.0

    def give_back(self, key: Hashable) -> None:
        """Take back one attempt that was counted, because it was legitimate."""
        if key in self._recovered_at:
            self._recovered_at[key] -= self._interval

    def forget(self, key: Hashable) -> None:
        """Allow the whole burst again, for example after a successful login."""
        self._recovered_at.pop(key, None)
