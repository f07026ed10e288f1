"""The default timeout of asynchronous tests."""

from __future__ import annotations

import os

from tornado.log import app_log

_DEFAULT_TIMEOUT = 5.0


def get_async_test_timeout() -> float:
    """Return the default timeout of asynchronous tests, in seconds.

    It is the value of the environment variable ``ASYNC_TEST_TIMEOUT``, or 5.
    """
    given = os.environ.get("ASYNC_TEST_TIMEOUT")
    try:
        return float(given) if given else _DEFAULT_TIMEOUT
    except ValueError:
        app_log.warning("ASYNC_TEST_TIMEOUT must be a number of seconds, got %r", given)
        return _DEFAULT_TIMEOUT
