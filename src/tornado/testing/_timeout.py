"""How long an asynchronous test may take."""

from __future__ import annotations

import os

from tornado.log import app_log

_DEFAULT_TIMEOUT = 5.0


def get_async_test_timeout() -> float:
    """Seconds that an asynchronous test may take: the environment's ``ASYNC_TEST_TIMEOUT``, or 5."""
    given = os.environ.get("ASYNC_TEST_TIMEOUT")
    try:
        return float(given) if given else _DEFAULT_TIMEOUT
    except ValueError:
        app_log.warning("ASYNC_TEST_TIMEOUT should be a number of seconds, not %r", given)
        return _DEFAULT_TIMEOUT
