"""``testing.LogTrapTestCase``: a test case whose log output is shown only if the test fails."""

from __future__ import annotations

import logging
import unittest
from logging.handlers import MemoryHandler

from tornado._public_module_names import export
from tornado._tornado4.deprecation import deprecated

__all__ = ["LogTrapTestCase"]

# Maximum number of records to buffer per test. If there are more, all are shown.
_MAX_RECORDS = 100_000


class LogTrapTestCase(unittest.TestCase):
    """A test case that buffers the records of the root logger, and discards them if the test passes.

    Deprecated: ``python -m tornado.testing --buffer`` and pytest buffer the log of all tests.
    """

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test, as `unittest.TestCase.run` does."""
        deprecated("testing.LogTrapTestCase", "run the tests with --buffer, or with pytest")
        root = logging.getLogger()
        handlers, traps = root.handlers[:], []
        for handler in handlers:
            trap = MemoryHandler(_MAX_RECORDS, logging.CRITICAL + 1, handler, flushOnClose=False)
            trap.setLevel(handler.level)
            traps.append(trap)
        failed_before = _failure_count(result)
        root.handlers[:] = traps
        try:
            result = super().run(result)
        finally:
            root.handlers[:] = handlers
            for trap in traps:
                if _failure_count(result) > failed_before:
                    trap.flush()
                trap.close()
        return result


def _failure_count(result: unittest.TestResult | None) -> int:
    return 0 if result is None else len(result.failures) + len(result.errors)


export(globals(), module="tornado.testing")
