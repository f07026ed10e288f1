"""Small test cases, run to see what comes of them."""

from __future__ import annotations

import unittest


def run(case, name="test"):
    """The result of one test of ``case``; what it raised, if it failed."""
    result = unittest.TestResult()
    case(name).run(result)
    return result


def faults(result):
    return "\n".join(text for _, text in result.errors + result.failures)


def passes(case, name="test"):
    result = run(case, name)
    assert result.testsRun == 1
    assert faults(result) == ""
