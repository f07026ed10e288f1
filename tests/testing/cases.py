"""Helpers that run a small test case and return its result."""

from __future__ import annotations

import unittest


def run(case, name="test"):
    """Run one test of ``case`` and return the result."""
    result = unittest.TestResult()
    case(name).run(result)
    return result


def faults(result):
    return "\n".join(text for _, text in result.errors + result.failures)


def passes(case, name="test"):
    result = run(case, name)
    assert result.testsRun == 1
    assert faults(result) == ""
