"""Run one module of Tornado's tests in this process: ``worker.py tornado.test.gen_test verdicts.json``.

A third argument, ``uvicorn``, names the ASGI server that serves the applications of the tests.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import traceback
import unittest
from pathlib import Path
from typing import Any

import old_python

#: Tests that expect the kernel to refuse a privileged port, which root may open.
NOT_AS_ROOT = {"tornado.test.tcpclient_test.TCPClientTest.test_source_port_fail"}


class Verdicts(unittest.TextTestResult):
    """The results of the tests, printed as unittest does, with a verdict for each test.

    A failed subtest makes its test fail.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.words: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.words[test.id()] = "passed"

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self.words[test.id()] = "failed"

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self.words[test.id()] = "failed"

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.words[test.id()] = "failed"

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self.words[test.id()] = "failed"

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.words[test.id()] = "skipped"


def skip_for_root(suite: unittest.TestSuite) -> None:
    """Mark the tests that cannot pass for root as skipped."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            skip_for_root(test)
        elif test.id() in NOT_AS_ROOT:
            name = test.id().rpartition(".")[2]
            setattr(test, name, unittest.skip("root may use any port")(getattr(test, name)))


def end_of_alarm(_signal: int, _frame: object) -> None:
    """Fail the test whose alarm has expired; without a handler SIGALRM would end all tests."""
    raise TimeoutError("the test did not finish before its alarm")


def main(module: str, answer: Path, server: str | None = None) -> None:
    """Run the module's tests and write the verdicts.

    :param server: the ASGI server that serves the applications of the tests; None for `HTTPServer`.
    """
    # Tornado's own runner silences this logger too; a few tests expect no output from it.
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGALRM, end_of_alarm)
    old_python.supply()
    if server == "uvicorn":
        import uvicorn_server

        uvicorn_server.install()
    if module == "tornado.test.twisted_test":
        old_python.supply_to_twisted()
    try:
        __import__(module)
    except Exception:
        traceback.print_exc()
        words = {f"{module}.(import)": "failed"}
    else:
        suite = unittest.defaultTestLoader.loadTestsFromName(module)
        if os.geteuid() == 0:
            skip_for_root(suite)
        result = unittest.TextTestRunner(resultclass=Verdicts, verbosity=0).run(suite)
        assert isinstance(result, Verdicts)
        words = result.words
    answer.write_text(json.dumps(words))


if __name__ == "__main__":
    # Some of the tests parse the command line.
    name, path, *servers = sys.argv[1:]
    del sys.argv[1:]
    main(name, Path(path), *servers)
