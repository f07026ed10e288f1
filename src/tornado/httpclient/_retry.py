"""When a request that failed is sent again, and after what delay."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection

from tornado._wire.dates import parse_http_date
from tornado._wire.headers import is_token

__all__ = ["RetryPolicy"]

# RFC 9110 section 9.2.2
_IDEMPOTENT = frozenset(["DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"])
_STATUSES = frozenset([429, 502, 503, 504])
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to send a request again. Without a policy, of the request or its client, nothing is retried.

    A request is retried if its method is in `methods` and either no response arrived because the connection
    failed, or the response's status is in `statuses`. The delay before retry ``n`` is random, between 0 and
    ``base_delay * 2 ** (n - 1)`` seconds, at most `max_delay` (exponential back-off with full jitter). If the
    response has a ``Retry-After`` field, the delay is at least that.

    :param max_attempts: how often the request may be sent in all, the first time included.
    :param max_elapsed: seconds after which no further attempt begins, counted from the first; None for no
        limit.
    :param methods: by default the idempotent ones: DELETE, GET, HEAD, OPTIONS, PUT, TRACE. Add POST only
        where the server can tell a repeated request from a new one.
    :param statuses: status codes to retry; by default 429, 502, 503, 504.
    :param base_delay: seconds; the upper bound of the first delay.
    :param max_delay: seconds; the upper bound of every delay that the server did not ask for.
    :param max_retry_after: seconds. If ``Retry-After`` asks for more, the request is not retried.
    :raises TypeError: for an argument of another type.
    :raises ValueError: for a number out of range, or a malformed method or status.

    ::

        client = AsyncHTTPClient(force_instance=True, retry=RetryPolicy(max_attempts=5))
        response = await client.fetch(url, retry=False)  # none for this request
    """

    max_attempts: int = 3
    max_elapsed: float | None = 60.0
    methods: Collection[str] = _IDEMPOTENT
    statuses: Collection[int] = _STATUSES
    base_delay: float = 0.5
    max_delay: float = 30.0
    max_retry_after: float = 60.0

    def __post_init__(self) -> None:
        if not isinstance(self.max_attempts, int) or self.max_attempts < 1:
            raise ValueError(f"max_attempts must be an int of at least 1, got {self.max_attempts!r}")
        for name in ("max_elapsed", "base_delay", "max_delay", "max_retry_after"):
            value = getattr(self, name)
            if value is None and name == "max_elapsed":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{name} must be a number of seconds, not {value!r}")
            if not value >= 0:
                raise ValueError(f"{name} must not be negative, got {value!r}")
        if isinstance(self.methods, str):
            raise TypeError(f"methods must be a collection of names, not one str: {self.methods!r}")
        for method in self.methods:
            if not isinstance(method, str) or not is_token(method):
                raise ValueError(f"methods contains {method!r}, which is not a method name")
        for status in self.statuses:
            if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
                raise ValueError(f"statuses contains {status!r}, which is not a status code of a response")
        object.__setattr__(self, "methods", frozenset(self.methods))
        object.__setattr__(self, "statuses", frozenset(self.statuses))

    def delay(
        self,
        attempts: int,
        method: str,
        *,
        random: float,
        elapsed: float,
        now: float,
        status: int | None = None,
        retry_after: str | None = None,
    ) -> float | None:
        """Return the seconds to wait before the next attempt, or None for no further attempt.

        :param attempts: how often the request was sent so far.
        :param method: its method.
        :param random: a random number from 0 up to 1.
        :param elapsed: seconds since the first attempt began.
        :param now: seconds since the epoch, to interpret a date.
        :param status: the response's status code; None if the connection failed before there was a response.
        :param retry_after: the response's ``Retry-After`` field; a malformed one is ignored.
        """
        if attempts >= self.max_attempts or method not in self.methods:
            return None
        if status is not None and status not in self.statuses:
            return None
        # The exponent is bounded: a float overflows at 1024.
        delay = random * min(self.max_delay, self.base_delay * 2.0 ** min(attempts - 1, 64))
        if retry_after is not None:
            requested = _requested_delay(retry_after, now)
            if requested is not None:
                if requested > self.max_retry_after:
                    return None
                # Clients that were told the same time must not all come back at once.
                delay = requested + random * min(self.max_delay, self.base_delay)
        if self.max_elapsed is not None and elapsed + delay > self.max_elapsed:
            return None
        return delay


def _requested_delay(retry_after: str, now: float) -> float | None:
    """Interpret a Retry-After field: seconds or a date (RFC 9110 section 10.2.3)."""
    text = retry_after.strip(" \t")
    if _SECONDS.fullmatch(text):
        return float(text)
    moment = parse_http_date(text, now)
    return None if moment is None else max(0.0, moment - now)
