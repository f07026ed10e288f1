"""RetryPolicy: which requests are retried, and when."""

from __future__ import annotations

import pytest

from tornado.httpclient import RetryPolicy
from tornado.httputil import format_timestamp

NOW = 1_700_000_000.0


def delay(policy, attempts=1, method="GET", *, random=1.0, elapsed=0.0, now=NOW, **answer):
    return policy.delay(attempts, method, random=random, elapsed=elapsed, now=now, **answer)


@pytest.mark.parametrize(
    ("method", "status", "retried"),
    [
        ("GET", None, True),
        ("GET", 503, True),
        ("GET", 429, True),
        ("GET", 502, True),
        ("GET", 504, True),
        ("GET", 500, False),
        ("GET", 404, False),
        ("GET", 200, False),
        ("HEAD", 503, True),
        ("PUT", 503, True),
        ("DELETE", None, True),
        ("POST", 503, False),
        ("POST", None, False),
        ("PATCH", None, False),
        ("get", 503, False),
    ],
)
def test_default_policy_retries_some_methods_and_statuses(method, status, retried):
    assert (delay(RetryPolicy(), method=method, status=status) is not None) is retried


def test_own_methods_and_statuses():
    policy = RetryPolicy(methods=["POST"], statuses={500})
    assert delay(policy, method="POST", status=500) is not None
    assert delay(policy, method="GET", status=500) is None
    assert delay(policy, method="POST", status=503) is None


def test_attempts_are_bounded():
    policy = RetryPolicy(max_attempts=3)
    assert [delay(policy, attempts) is not None for attempts in (1, 2, 3, 4)] == [True, True, False, False]
    assert delay(RetryPolicy(max_attempts=1)) is None


def test_delays_double_up_to_their_bound():
    policy = RetryPolicy(max_attempts=10_000, max_elapsed=None)
    assert [delay(policy, attempts) for attempts in (1, 2, 3, 6, 7, 8, 5000)] == [0.5, 1, 2, 16, 30, 30, 30]


def test_jitter_covers_the_whole_range():
    policy = RetryPolicy(base_delay=2)
    assert delay(policy, random=0) == 0
    assert delay(policy, random=0.25) == 0.5


def test_total_time_is_bounded():
    policy = RetryPolicy(max_elapsed=10, base_delay=4)
    assert delay(policy, elapsed=6) == 4
    assert delay(policy, elapsed=6.5) is None
    assert delay(policy, elapsed=6.5, random=0.5) == 2
    assert delay(RetryPolicy(max_elapsed=None), elapsed=1e9) is not None


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("5", 5.5),
        (" 0 ", 0.5),
        ("60", 60.5),
        ("61", None),
        ("999999999999", None),
        (format_timestamp(NOW + 7), 7.5),
        (format_timestamp(NOW - 7), 0.5),
        (format_timestamp(NOW + 61), None),
        ("soon", 0.5),
        ("-1", 0.5),
        ("1.5", 0.5),
        ("\u0665", 0.5),
        ("1" * 13, 0.5),
        ("", 0.5),
    ],
)
def test_retry_after_determines_the_delay(field, expected):
    assert delay(RetryPolicy(max_elapsed=None), status=503, retry_after=field) == expected


def test_retry_after_counts_against_the_total_time():
    policy = RetryPolicy(max_elapsed=20)
    assert delay(policy, status=503, retry_after="10", elapsed=9) == 10.5
    assert delay(policy, status=503, retry_after="10", elapsed=10) is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_attempts": 0}, ValueError, "max_attempts must be a positive integer, got 0"),
        ({"max_attempts": 2.5}, ValueError, "max_attempts"),
        ({"base_delay": -1}, ValueError, "base_delay must not be negative, got -1"),
        ({"max_delay": float("nan")}, ValueError, "max_delay"),
        ({"max_elapsed": "1"}, TypeError, "max_elapsed must be a number of seconds, not '1'"),
        ({"max_retry_after": None}, TypeError, "max_retry_after"),
        ({"base_delay": True}, TypeError, "base_delay"),
        ({"methods": "GET"}, TypeError, "one str"),
        ({"methods": ["GET "]}, ValueError, "'GET ', which is not a method name"),
        ({"methods": [1]}, ValueError, "methods"),
        ({"statuses": [100]}, ValueError, "100, which is not a status code"),
        ({"statuses": ["503"]}, ValueError, "statuses"),
    ],
)
def test_wrong_arguments_are_rejected(arguments, error, message):
    with pytest.raises(error, match=message):
        RetryPolicy(**arguments)


def test_policies_are_comparable_and_frozen():
    assert RetryPolicy() == RetryPolicy()
    assert RetryPolicy(methods=["GET", "PUT"]) == RetryPolicy(methods={"PUT", "GET"})
    assert len({RetryPolicy(), RetryPolicy(statuses=[503, 429, 502, 504])}) == 1
    with pytest.raises(AttributeError):
        RetryPolicy().max_attempts = 5
