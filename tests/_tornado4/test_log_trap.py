"""``testing.LogTrapTestCase``: the log output of tests that pass is discarded."""

from __future__ import annotations

import logging
import unittest

import pytest

from tornado import testing


class RecordingHandler(logging.Handler):
    """A handler that stores the messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.mark.parametrize(
    ("outcome", "shown"), [(None, []), ("fail", ["first", "second"]), ("raise", ["first", "second"])]
)
def test_log_is_shown_only_if_test_fails(monkeypatch, outcome, shown):
    handler = RecordingHandler()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])

    class Case(testing.LogTrapTestCase):
        def runTest(self) -> None:
            root.error("first")
            root.error("second")
            assert handler.messages == []
            if outcome == "fail":
                self.fail()
            if outcome == "raise":
                raise ZeroDivisionError

    result = unittest.TestResult()
    with pytest.warns(DeprecationWarning, match="LogTrapTestCase"):
        Case().run(result)
    assert result.wasSuccessful() == (outcome is None)
    assert handler.messages == shown
    assert root.handlers == [handler]
