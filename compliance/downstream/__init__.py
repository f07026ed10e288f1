"""Test suites of programs written for Tornado, run on upstream and on Waterspout."""
