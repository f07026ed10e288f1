from __future__ import annotations

import signal

import pytest

from tornado._serve.service_status import describe_exit


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "has exited with status 0"),
        (3, "has exited with status 3"),
        (-signal.SIGKILL, "was killed by SIGKILL"),
        (-40, "was killed by signal 40"),
    ],
)
def test_exit_status_is_described(status, text):
    assert describe_exit(status) == text
