"""`RetryPolicy`: when to retry a failed request, and after what delay."""

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
    """A policy for sending failed requests again.

    Without a policy for the request or its client, requests are not retried.

    A request is retried if its method is in `methods` and either the connection failed before a response
    arrived, or the response's status code is in `statuses`. The delay before retry ``n`` is random, between 0
    and ``base_delay * 2 ** (n - 1)`` seconds, at most `max_delay` (exponential back-off with full jitter). If
    the response has a ``Retry-After`` field, the delay is at least as long as that field requests.

    :param max_attempts: the maximum number of times to send the request, including the first.
    :param max_elapsed: seconds since the first attempt after which no further attempt is started; None for
        no limit.
    :param methods: the methods to retry; by default the idempotent ones: DELETE, GET, HEAD, OPTIONS, PUT,
        TRACE. Add POST only if the server can distinguish a repeated request from a new one.
    :param statuses: the status codes to retry; by default 429, 502, 503, 504.
    :param base_delay: the maximum first delay in seconds.
    :param max_delay: the maximum delay in seconds, unless the server requests a longer one.
    :param max_retry_after: the maximum delay in seconds that ``Retry-After`` may request. If it requests
        more, the request is not retried.
    :raises TypeError: if an argument has the wrong type.
    :raises ValueError: if a number is out of range, or a method or status code is not valid.

    ::

        client = AsyncHTTPClient(force_instance=True, retry=RetryPolicy(max_attempts=5))
        response = await client.fetch(url, retry=False)  # no retries for this request
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
            raise ValueError(f"max_attempts must be a positive integer, got {self.max_attempts!r}")
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

        :param attempts: the number of attempts so far.
        :param method: the request's method.
        :param random: a random number, at least 0 and less than 1.
        :param elapsed: seconds since the first attempt began.
        :param now: the current time in seconds since the epoch, to interpret a date.
        :param status: the response's status code; None if the connection failed before a response arrived.
        :param retry_after: the response's ``Retry-After`` field; a malformed one is ignored.
        """
        if attempts >= self.max_attempts or method not in self.methods:
            return None
        if status is not None and status not in self.statuses:
            return None
        # The exponent is bounded, because a float overflows at 2.0 ** 1024.
        delay = random * min(self.max_delay, self.base_delay * 2.0 ** min(attempts - 1, 64))
        if retry_after is not None:
            requested = _requested_delay(retry_after, now)
            if requested is not None:
                if requested > self.max_retry_after:
                    return None
                # Jitter: clients that received the same Retry-After must not all retry at the same time.
                delay = requested + random * min(self.max_delay, self.base_delay)
        if self.max_elapsed is not None and elapsed + delay > self.max_elapsed:
            return None
        return delay


def _requested_delay(retry_after: str, now: float) -> float | None:
    """Return the delay in seconds that a Retry-After field requests (RFC 9110 section 10.2.3).

    The field is a number of seconds or a date. Return None for a malformed one.
    """
    text = retry_after.strip(" \t")
    if _SECONDS.fullmatch(text):
        return float(text)
    moment = parse_http_date(text, now)
    return None if moment is None else max(0.0, moment - now)
