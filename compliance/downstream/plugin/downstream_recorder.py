"""A pytest plugin that appends each test's outcome to a file as it becomes known.

It is loaded into the environment of the program under test: it runs with the version of pytest that the
program pins, and imports only pytest and the standard library. Outcomes written before a timeout or a crash
are therefore not lost.
"""

import gc
import json
import os
import sys

import pytest

FILE = os.environ.get("DOWNSTREAM_OUTCOMES", "")


def _append(name, outcome):
    with open(FILE, "a", encoding="utf-8") as file:
        file.write(json.dumps([name, outcome]) + "\n")


def pytest_configure(config):
    """Disable the garbage collector if the program's entry asks for it.

    Voila's kernel managers close their ZeroMQ context when they are collected, which blocks forever if a
    collection happens to begin while a socket of that context is open.
    """
    if os.environ.get("DOWNSTREAM_DISABLE_GC"):
        gc.disable()


def pytest_runtest_logreport(report):
    """Record the outcome of a test's call, or of its set-up or tear-down if that fails or skips the test."""
    if FILE and (report.when == "call" or not report.passed):
        _append(report.nodeid, report.outcome)


def pytest_collectreport(report):
    """Record a module that cannot be imported, or that skips itself."""
    if FILE and not report.passed:
        _append(report.nodeid, report.outcome)


def pytest_sessionfinish(session, exitstatus):
    """Keep the status for `pytest_unconfigure`."""
    session.config.downstream_status = int(exitstatus)


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config):
    """Exit without waiting for threads of the tests: Voila's kernel clients never end."""
    if FILE and hasattr(config, "downstream_status"):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.downstream_status)
