"""Interpreters of every supported version, and the tests on each of them; README.md describes the commands."""
